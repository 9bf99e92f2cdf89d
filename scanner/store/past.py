"""What was known at a moment of a past that has since become longer and more exact: reads it from a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from scanner.markets import Market
from scanner.records import utc
from scanner.store import features, flat
from scanner.store.dataset import Query, day_files
from scanner.store.excerpt import Excerpt
from scanner.store.late import as_of
from scanner.store.reader import StoreReader
from scanner.timeframes import DAY_MS, LENGTH_MS

UNTRADED_MS = 366 * DAY_MS  # the close before a time without trades is looked for no longer before the first row


def features_of(
    store: StoreReader, query: Query, as_of_ms: int, timeframes: Sequence[str] = features.TIMEFRAMES
) -> pa.Table:
    """One row per final signal of a symbol, with labels, as known at a moment; columns as in `features.schema`.

    Parameters
    ----------
    query : Query
        Rows are the signals of candles that opened in its days before `as_of_ms`.
    timeframes : sequence of str
        Those whose signals are joined to the rows of shorter ones.

    Raises
    ------
    InvalidInput
        One of the timeframes is none.
    NothingStored
        Nothing was ever kept of what is wanted.
    StoreFailure
        A file cannot be read.
    """
    start_ms, joined = max(as_of_ms - query.days * DAY_MS, 0), features.joined_to(query.timeframe, timeframes)
    known = (known_of(store, market, start_ms, as_of_ms) for market in store.markets_of(query.wanted))
    return features.in_order([features.features(each, joined, start_ms, query.timeframe) for each in known], joined)


def known_of(store: StoreReader, market: Market, start_ms: int, as_of_ms: int) -> features.Known:
    """What was known of a market at `as_of_ms`, of the time since `start_ms` and as long before as rows may need."""
    signals, since_ms = _finals(store, market, start_ms, as_of_ms), max(start_ms - UNTRADED_MS, 0)
    late, candles = store.late.read(market, as_of_ms), {}
    for timeframe in set(signals["timeframe"].to_pylist()) & LENGTH_MS.keys():
        mine = [change for change in late if change.timeframe == timeframe]
        candles[timeframe] = as_of(store.candles(market, timeframe, since_ms), timeframe, mine, as_of_ms).since(
            since_ms
        )
    return features.Known(signals, candles, store.gaps.untraded(market, since_ms, as_of_ms))


def _finals(store: StoreReader, market: Market, start_ms: int, as_of_ms: int) -> pa.Table:
    def was_known(record: Mapping[str, Any], at_ms: int) -> bool:
        return record.get("candle_closed") is True and at_ms <= as_of_ms

    first = utc(max(start_ms - features.LOOK_BACK_MS, 0)).date()
    found = Excerpt(day_files(store.signals_path, {market}, first), was_known)
    return pa.concat_tables([flat.SIGNAL.empty_table(), *map(flat.signals, found.records())])
