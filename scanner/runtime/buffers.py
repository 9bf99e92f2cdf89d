"""What a run keeps in memory, as the deques that programs written for the earlier service read."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from scanner.records import MarketTick
from scanner.runtime.columns import Record
from scanner.runtime.run import Run


def tick_buffers(run: Run | None) -> dict[str, deque[MarketTick]]:
    """Kept ticks by market, ``binance:BTC/USDT``; nothing of no run."""
    if run is None:
        return {}
    tables = run.state.current().ticks.values()
    return {str(market): table.buffer(row) for table in tables for row, market in enumerate(table.markets)}


def candle_buffers(run: Run | None) -> dict[tuple[str, str], deque[list[float]]]:
    """Kept candles as [open time ms, open, high, low, close, volume] by (market, timeframe)."""
    if run is None:
        return {}
    return {
        (str(market), timeframe): _rows(book.candles_of(market, timeframe))
        for book in run.books.by_exchange.values()
        for market in book.markets
        for timeframe in book.timeframes
    }


def signal_history(run: Run | None) -> dict[str, deque[Record]]:
    """Kept signals by ``binance:BTC/USDT:5m``."""
    return run.state.history() if run is not None else {}


def _rows(kept: tuple[Any, Any]) -> deque[list[float]]:
    open_time, candles = kept
    return deque(np.column_stack([open_time, *candles.columns()]).tolist())
