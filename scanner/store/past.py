"""What was known at a moment of a past that has since become longer and more exact: reads it from a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from scanner.errors import NothingStored
from scanner.markets import Market
from scanner.records import iso, utc
from scanner.store import features, flat
from scanner.store.dataset import Query, day_files
from scanner.store.excerpt import Excerpt
from scanner.store.late import as_of
from scanner.store.moments import timestamp_ms, usable_ms
from scanner.store.reader import StoreReader, written
from scanner.timeframes import DAY_MS, LENGTH_MS

KNOWN_AT, USABLE_AT = "known_at", "usable_at"  # columns of the table
CLOCKS = {KNOWN_AT: timestamp_ms, USABLE_AT: usable_ms}  # by which a table is that of a moment
UNTRADED_MS = 366 * DAY_MS  # the close before a time without trades is looked for no longer before the first row


def features_of(
    store: StoreReader,
    query: Query,
    as_of_ms: int,
    timeframes: Sequence[str] = features.TIMEFRAMES,
    by: str = KNOWN_AT,
) -> pa.Table:
    """One row per final signal of a symbol, with labels, as known at a moment; columns as in `features.schema`.

    Parameters
    ----------
    query : Query
        Rows are the signals of candles that opened in its days before `as_of_ms`.
    timeframes : sequence of str
        Those whose signals are joined to the rows of shorter ones.
    by : str
        One of `CLOCKS`. ``known_at``: nothing that became known later, the same table whenever it is made.
        ``usable_at``: what backfills made or fetched since counts as of its market time.

    Raises
    ------
    InvalidInput
        One of the timeframes is none.
    NothingStored
        Nothing was ever kept of what is wanted, or it became known after `as_of_ms`, all of it.
    StoreFailure
        A file cannot be read.
    """
    table = _table(store, query, as_of_ms, timeframes, by)
    if by == KNOWN_AT and not len(table):
        _refuse_hindsight(_table(store, query, as_of_ms, timeframes, USABLE_AT), query, as_of_ms)
    return table


def _table(store: StoreReader, query: Query, as_of_ms: int, timeframes: Sequence[str], by: str) -> pa.Table:
    start_ms, joined = max(as_of_ms - query.days * DAY_MS, 0), features.joined_to(query.timeframe, timeframes)
    known = (known_of(store, market, start_ms, as_of_ms, by) for market in store.markets_of(query.wanted))
    return features.in_order([features.features(each, joined, start_ms, query.timeframe) for each in known], joined)


def _refuse_hindsight(table: pa.Table, query: Query, as_of_ms: int) -> None:
    """Raise NothingStored for rows that are of the time asked for, and of which none was known then."""
    if len(table):
        first, last = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in pc.min_max(table["known_at"]).as_py().values())
        raise NothingStored(
            f"as_of {iso(as_of_ms)}: nothing of {written(query.wanted)} was known yet. {len(table)} final signals of"
            f" these days were made later, from {first} to {last}, as by a backfill; by=usable_at has them at their"
            " market time"
        )


def known_of(store: StoreReader, market: Market, start_ms: int, as_of_ms: int, by: str = KNOWN_AT) -> features.Known:
    """What was known of a market at `as_of_ms`, of the time since `start_ms` and as long before as rows may need."""
    since_ms, in_time = max(start_ms - UNTRADED_MS, 0), by == USABLE_AT
    signals = _finals(store, market, start_ms, as_of_ms, by)
    late, candles = store.late.read(market, as_of_ms), {}
    for timeframe in set(signals["timeframe"].to_pylist()) & LENGTH_MS.keys():
        mine = [change for change in late if change.timeframe == timeframe]
        kept = store.candles(market, timeframe, since_ms)
        candles[timeframe] = as_of(kept, timeframe, mine, as_of_ms, in_time).since(since_ms)
    return features.Known(signals, candles, store.gaps.untraded(market, since_ms, as_of_ms, in_time))


def _finals(store: StoreReader, market: Market, start_ms: int, as_of_ms: int, by: str) -> pa.Table:
    def was_known(record: Mapping[str, Any], at_ms: int) -> bool:
        return record.get("candle_closed") is True and at_ms <= as_of_ms

    first = utc(max(start_ms - features.LOOK_BACK_MS, 0)).date()
    found = Excerpt(day_files(store.signals_path, {market}, first), was_known, CLOCKS[by])
    return pa.concat_tables([flat.SIGNAL.empty_table(), *map(flat.signals, found.records())])
