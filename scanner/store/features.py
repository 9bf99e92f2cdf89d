"""Features and labels of final signals, point in time: what a model may learn from. Pure; `past` reads what it needs.

One row per final signal. What stands in a row besides its labels was known at its `usable_at`: when the signal was
made, or could have been where a backfill made it later. A label is missing until the last candle of its horizon is
known. Whoever builds the table as of a past moment gets the table of that moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scanner.core.joins import newest_known
from scanner.core.labels import HORIZONS, label
from scanner.core.timeline import on_timeline
from scanner.store import flat
from scanner.store.intervals import Span
from scanner.store.ohlcv import NONE, Rows
from scanner.timeframes import DAY_MS, LENGTH_MS, length_ms

TIMEFRAMES = ("5m", "1h", "4h", "1d")  # joined where nobody says otherwise
LOOK_BACK_MS = 2 * DAY_MS  # the oldest signal that can join a row opened no longer before it
JOINED = {
    name: kind
    for name, kind in {**flat.VERDICT, **flat.DETECTED}.items()
    if name
    in (
        *("combined_score", "signal_type", "percentile", "momentum_score", "price_change_pct", "volume_ratio"),
        *("reversion_score", "recent_gain_pct", "rsi", "cluster_strength", "directional_ratio", "follow_through"),
    )
}
AGE = "age_s"  # from the close of a joined candle to the moment the row was usable
LABELS = ("fwd_return", "mfe", "mae")
HEAD = {**flat.MARKET, "candle_time": flat.MOMENT, "known_at": flat.MOMENT, "usable_at": flat.MOMENT}
OWN = {**flat.VERDICT, **flat.DETECTED, **flat.SURROUNDINGS, **flat.ORIGIN}

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """What is known of one market as of a moment.

    Attributes
    ----------
    finals : pa.Table
        Its final signals, columns `flat.SIGNAL`, in any order.
    candles : mapping
        Timeframe -> candles.
    untraded : sequence of Span
        When nobody traded, oldest first, apart from each other.
    """

    finals: pa.Table
    candles: Mapping[str, Rows]
    untraded: Sequence[Span]


def schema(joined: Sequence[str]) -> pa.Schema:
    """The columns of a table into which these timeframes are joined."""
    others = {
        f"{name}_{timeframe}": kind for timeframe in joined for name, kind in {**JOINED, AGE: flat.NUMBER}.items()
    }
    labels = {f"{name}_{horizon}": flat.NUMBER for horizon in HORIZONS for name in LABELS}
    return pa.schema({**HEAD, **OWN, **others, **labels})


def joined_to(timeframe: str | None, timeframes: Sequence[str]) -> list[str]:
    """Those of `timeframes` that are joined to rows of one timeframe, or of any of them, shortest first.

    Raises
    ------
    InvalidInput
        One of them is no timeframe.
    """
    lengths = {each: length_ms(each, "timeframes") for each in timeframes}
    shortest = min(lengths.values(), default=0) if timeframe is None else length_ms(timeframe)
    return sorted((each for each in lengths if lengths[each] > shortest), key=LENGTH_MS.__getitem__)


def features(known: Known, joined: Sequence[str], start_ms: int, timeframe: str | None = None) -> pa.Table:
    """The rows of one market.

    Parameters
    ----------
    joined : sequence of str
        Timeframes whose newest known signal is joined to the rows of shorter ones.
    start_ms : int
        Rows are the signals of candles that opened then or later.
    timeframe : str, optional
        Only its signals become rows.
    """
    series = dict(_series(known.finals))
    tables = [
        _rows(name, signals, series, known, joined, start_ms)
        for name, signals in series.items()
        if timeframe in (None, name)
    ]
    return pa.concat_tables([schema(joined).empty_table(), *tables])


def in_order(tables: Sequence[pa.Table], joined: Sequence[str]) -> pa.Table:
    """The rows of several markets by when they were usable."""
    table = pa.concat_tables([schema(joined).empty_table(), *tables]).combine_chunks()
    keys = [(name, "ascending") for name in ("usable_at", "candle_time", "exchange", "symbol", "timeframe")]
    return table.sort_by(keys)


def _series(finals: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Timeframe -> its signals, one per candle, oldest first, with `usable_at`; unknown timeframes are left out."""
    for timeframe in sorted(pc.unique(finals["timeframe"]).drop_null().to_pylist()):
        if timeframe not in LENGTH_MS:
            continue
        mine = finals.filter(pc.equal(finals["timeframe"], timeframe))
        mine = mine.filter(pc.and_(pc.is_valid(mine["candle_time"]), pc.is_valid(mine["timestamp"])))
        order = np.lexsort([_ms(mine, "timestamp"), _ms(mine, "candle_time")])
        opened = _ms(mine, "candle_time")[order]
        first = np.append(True, opened[1:] != opened[:-1])[: len(opened)]  # the first that was made stands
        chosen = mine.take(pa.array(order[first]))
        yield timeframe, chosen.append_column("usable_at", pc.coalesce(chosen["as_of"], chosen["timestamp"]))


def _rows(
    timeframe: str,
    signals: pa.Table,
    series: Mapping[str, pa.Table],
    known: Known,
    joined: Sequence[str],
    start_ms: int,
) -> pa.Table:
    mine = signals.filter(pa.array(_ms(signals, "candle_time") >= start_ms))
    opened = _ms(mine, "candle_time")
    columns = {name: mine[name] for name in (*flat.MARKET, "candle_time", "usable_at", *OWN)}
    columns |= {"known_at": mine["timestamp"]}
    for longer in joined:
        other = series.get(longer) if length_ms(longer) > length_ms(timeframe) else None
        columns |= _joined(longer, other, mine, opened + length_ms(timeframe))
    columns |= _labels(known.candles.get(timeframe, NONE), known.untraded, length_ms(timeframe), opened)
    names = schema(joined)
    return pa.Table.from_arrays([_one(columns[name]) for name in names.names], schema=names)


def _joined(timeframe: str, other: pa.Table | None, mine: pa.Table, closed: Int) -> dict[str, pa.Array]:
    if other is None:
        kinds = {**JOINED, AGE: flat.NUMBER}
        return {f"{name}_{timeframe}": pa.nulls(len(closed), kind) for name, kind in kinds.items()}
    closes, usable = _ms(other, "candle_time") + length_ms(timeframe), _ms(mine, "usable_at")
    index = _partners(timeframe, other, mine, closed)
    chosen, missing = pa.array(index, mask=index < 0), index < 0
    age = (usable - closes[index]) / 1000 if len(closes) else np.zeros(len(closed))
    found = {f"{name}_{timeframe}": other[name].take(chosen) for name in JOINED}
    return found | {f"{AGE}_{timeframe}": pa.array(age, mask=missing)}


def _partners(timeframe: str, other: pa.Table, mine: pa.Table, closed: Int) -> Int:
    """int64[n]: the signal that joins each row, -1 for none.

    A live row joins what had been made when it was made. A backfilled row and what joins it are of their market time,
    in whichever order backfills made them.
    """
    step, found = length_ms(timeframe), {}
    closes = _ms(other, "candle_time") + step
    for moment in ("timestamp", "usable_at"):
        found[moment] = newest_known(closes, _ms(other, moment), closed, _ms(mine, moment), step)
    backfilled = pc.is_valid(mine["as_of"]).to_numpy()
    return np.where(backfilled, found["usable_at"], found["timestamp"])


def _labels(candles: Rows, untraded: Sequence[Span], step_ms: int, opened: Int) -> dict[str, pa.Array]:
    spans = np.array(untraded, dtype=np.int64).reshape(-1, 2)
    first_ms, line = on_timeline(candles.open_time, candles.values, step_ms, spans[:, 0], spans[:, 1])
    column = (opened - first_ms) // step_ms
    outside = (opened < first_ms) | (column >= line.shape[-1]) | (opened % step_ms != 0)
    found: dict[str, pa.Array] = {}
    for horizon in HORIZONS:
        labels = label(line, horizon)
        for name in LABELS:
            values = np.full(len(opened), np.nan)
            values[~outside] = getattr(labels, name)[column[~outside]]
            found[f"{name}_{horizon}"] = pa.array(values, mask=~np.isfinite(values))
    return found


def _ms(table: pa.Table, name: str) -> Int:
    column: Int = table[name].cast(pa.int64()).to_numpy()
    return column


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
