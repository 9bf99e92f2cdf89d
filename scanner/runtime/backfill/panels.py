"""Stored candles as panels, with what nobody traded filled, as a live scan has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scanner.core.candles import Candles, Int
from scanner.core.panel import Panel
from scanner.errors import StoreFailure
from scanner.markets import Market
from scanner.store.ohlcv import Rows
from scanner.store.reader import StoreReader
from scanner.timeframes import length_ms


def read_panel(
    store: StoreReader,
    markets: Sequence[Market],
    timeframe: str,
    since_ms: int,
    last_ms: int,
    on_failure: Callable[[Market, StoreFailure], object],
) -> Panel:
    """The candles that open from `since_ms` to `last_ms`, both on the grid.

    Parameters
    ----------
    on_failure : callable
        Is told of each market whose file cannot be read; its row has no candles.
    """
    step = length_ms(timeframe)
    panel = Panel(len(markets), step, (last_ms - since_ms) // step + 1)
    panel.advance_to(last_ms)
    for row, market in enumerate(markets):
        try:
            kept = _between(store.candles(market, timeframe, since_ms), since_ms, last_ms)
        except StoreFailure as failure:
            on_failure(market, failure)
            continue
        panel.put(np.full(len(kept), row), kept.open_time, Candles(*kept.values.T))
    panel.fill(_alive_through(panel, markets), panel.length)
    return panel


def _between(kept: Rows, since_ms: int, last_ms: int) -> Rows:
    first, end = np.searchsorted(kept.open_time, [since_ms, last_ms + 1])
    return Rows(kept.open_time[first:end], kept.values[first:end])


def _alive_through(panel: Panel, markets: Sequence[Market]) -> Int:
    """int64[M]: open time of the newest candle that any market of the same exchange has."""
    has = ~np.isnan(panel.close)
    newest = np.where(has.any(axis=1), panel.length - 1 - has[:, ::-1].argmax(axis=1), -1)  # column
    exchanges = np.array([market.exchange for market in markets])
    column = np.array([newest[exchanges == exchange].max() for exchange in exchanges])
    return panel.end_ms - (panel.length - 1 - column) * panel.timeframe_ms
