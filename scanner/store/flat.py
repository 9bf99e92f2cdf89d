"""Training data as tables of flat, typed columns: one table per kind of record, for CSV, Parquet and frames.

What a record lacks, or holds as another type, is missing in its column. Only `backfilled` is false then: all but
backfilled records lack it, and a column with holes is no mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from scanner.markets import Market
from scanner.store.dataset import Selection, blocks
from scanner.store.moments import moment_ms
from scanner.store.ohlcv import COLUMNS, Rows

Record = Mapping[str, Any]
ROWS = 10_000  # of a table, except the last: what is held at once, and a row group of a Parquet file

TEXT, NUMBER, WHOLE, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
MOMENT = pa.timestamp("ms", tz="UTC")
MARKET = {"exchange": TEXT, "symbol": TEXT, "style": TEXT, "timeframe": TEXT}
DETECTORS: Mapping[str, Mapping[str, Any]] = {  # part of a signal: its columns; no name occurs in two of them
    "momentum": {
        "momentum_score": NUMBER,
        "price_change_pct": NUMBER,
        "volume_ratio": NUMBER,
        "cluster_validated": FLAG,
        "strength_classification": TEXT,
    },
    "reversion": {
        "reversion_score": NUMBER,
        "reversion_candidate": FLAG,
        "reversion_direction": TEXT,
        "momentum_exhaustion": FLAG,
        "volume_exhaustion": FLAG,
        "excessive_gain": FLAG,
        "consecutive_moves": WHOLE,
        "recent_gain_pct": NUMBER,
        "rsi": NUMBER,
        "is_overbought": FLAG,
        "is_oversold": FLAG,
    },
    "clustering": {
        "trend_formation_signal": FLAG,
        "cluster_strength": NUMBER,
        "total_clusters": WHOLE,
        "bullish_clusters": WHOLE,
        "bearish_clusters": WHOLE,
        "directional_ratio": NUMBER,
        "follow_through": NUMBER,
    },
}
VERDICT = {"price": NUMBER, "combined_score": NUMBER, "signal_type": TEXT, "percentile": NUMBER}
SURROUNDINGS = {"market_breadth": NUMBER, "volatility_regime": TEXT}
ORIGIN = {
    "data_age_s": NUMBER,
    "gaps": WHOLE,
    "params_id": TEXT,
    "scoring": TEXT,
    "simulated": FLAG,
    "error": TEXT,
    "backfilled": FLAG,
    "as_of": MOMENT,
}
DETECTED = {name: kind for columns in DETECTORS.values() for name, kind in columns.items()}
SIGNAL = pa.schema(
    {
        **MARKET,
        "timestamp": MOMENT,
        "candle_time": MOMENT,
        "candle_closed": FLAG,
        "candle_progress": NUMBER,
        **VERDICT,
        **DETECTED,
        **SURROUNDINGS,
        **ORIGIN,
    }
)
CLUSTER = pa.schema(
    {"symbol": TEXT, "timeframe": TEXT, "timestamp": MOMENT, **DETECTORS["clustering"], "backfilled": FLAG}
)
CANDLE = pa.schema(
    {"exchange": TEXT, "symbol": TEXT, "timeframe": TEXT, "timestamp": MOMENT, **dict.fromkeys(COLUMNS, NUMBER)}
)
PARTS = {"signals": SIGNAL, "ohlcv": CANDLE, "clustering": CLUSTER}
_PART_OF = {name: part for part, columns in DETECTORS.items() for name in columns}


def tables(selection: Selection, part: str) -> Iterator[pa.Table]:
    """One of `PARTS` of some training data, oldest first (candles timeframe by timeframe), some rows at a time."""
    if part == "ohlcv":
        return regrouped(_candles(selection.candles), CANDLE)
    if part == "clustering":
        return regrouped((clusters(records) for records in selection.clustering.records()), CLUSTER)
    return regrouped((signals(records) for records in selection.signals.records()), SIGNAL)


def signals(records: Sequence[Record]) -> pa.Table:
    """Signals as kept: one row each, columns `SIGNAL`."""
    parts = {part: [_dict(record.get(part)) for record in records] for part in DETECTORS}
    return _table(SIGNAL, {name: parts.get(_PART_OF.get(name, ""), records) for name in SIGNAL.names})


def clusters(records: Sequence[Record]) -> pa.Table:
    """Cluster records as kept: one row each, columns `CLUSTER`."""
    return _table(CLUSTER, dict.fromkeys(CLUSTER.names, records))


def regrouped(pieces: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of `ROWS`; at least one table, however empty."""
    held = schema.empty_table()
    for piece in pieces:
        held = pa.concat_tables([held, piece])
        while len(held) >= ROWS:
            yield held.slice(0, ROWS).combine_chunks()
            held = held.slice(ROWS)
    yield held.combine_chunks()


def column(values: Iterable[Any], kind: Any) -> pa.Array:
    """Values as they came from JSON as a column; None where one is of another type."""
    if kind == MOMENT:
        return pa.array([moment_ms(value) for value in values], pa.int64()).cast(MOMENT)
    listed = list(values)
    try:
        return pa.array(listed, kind)
    except (pa.ArrowException, OverflowError):
        return pa.array([value if _fits(value, kind) else None for value in listed], kind)


def _fits(value: Any, kind: Any) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, OverflowError):
        return False
    return True


def _table(schema: pa.Schema, sources: Mapping[str, Sequence[Record]]) -> pa.Table:
    columns = [column((record.get(name) for record in sources[name]), schema.field(name).type) for name in schema.names]
    table = pa.Table.from_arrays(columns, schema=schema)
    at = schema.get_field_index("backfilled")
    return table.set_column(at, schema.field(at), table.column(at).fill_null(False))


def _dict(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _candles(by_timeframe: Mapping[str, Mapping[Market, Rows]]) -> Iterator[pa.Table]:
    for timeframe, candles in by_timeframe.items():
        for block in blocks(candles):
            yield pa.Table.from_arrays(
                [
                    pa.array([market.exchange for market in block.markets], TEXT),
                    pa.array([market.symbol for market in block.markets], TEXT),
                    pa.array([timeframe] * len(block.markets), TEXT),
                    pa.array(block.open_time).cast(MOMENT),
                    *(pa.array(values, from_pandas=True) for values in block.values.T.copy()),
                ],
                schema=CANDLE,
            )
