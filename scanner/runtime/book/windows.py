"""Copies of the newest candles for those who read a book: windows with the forming candle, one market's candles."""

from __future__ import annotations

import numpy as np

from scanner.core.candles import Bool, Candles, Float, Int
from scanner.core.panel import Panel, forming
from scanner.runtime.book.table import CandleTable
from scanner.timeframes import length_ms

FRESH = 3  # candles of the shortest timeframe: a market not seen for longer has no recent data


def window_now(
    table: CandleTable, timeframe: str, rows: Int, open_ms: int, length: int, price: Float, price_ms: Int
) -> Candles:
    """The newest `length` candles of some rows, the last one as it forms at `open_ms`; see `newest`."""
    panel, as_of_ms = table.panels[timeframe], table.coverage.as_of_ms
    closed = panel.window(rows, open_ms - panel.timeframe_ms, length - 1)
    observed = panel.window(rows, open_ms, 1).rows((slice(None), 0))
    newer = np.where((price_ms >= np.maximum(as_of_ms, open_ms))[rows], price[rows], np.nan)
    elapsed = np.clip((as_of_ms[rows] - open_ms) / panel.timeframe_ms, 0.0, 1.0)
    now_forming = forming(closed, observed, newer, elapsed)
    return Candles(
        *(
            np.concatenate([old, new[:, None]], axis=1)
            for old, new in zip(closed.columns(), now_forming.columns(), strict=True)
        )
    )


def newest(
    table: CandleTable, timeframe: str, rows: Int, length: int, now_ms: int, price: Float, price_ms: Int
) -> tuple[Int, Candles]:
    """The newest `length` candles of some markets, the last one with the newest price and whole volume.

    Parameters
    ----------
    price, price_ms : float64[M], int64[M]
        Newest tick of each market and its time.

    Returns
    -------
    int64[length], Candles of float64[rows, length]
        Open times, and copies; all NaN for a market without a history or without recent data.
    """
    panel = table.panels[timeframe]
    window = window_now(table, timeframe, rows, panel.end_ms, length, price, price_ms)
    recent = now_ms - table.coverage.as_of_ms <= FRESH * length_ms(table.base)
    blank(window, ~(table.ready(timeframe) & recent)[rows])
    return panel.end_ms - panel.timeframe_ms * np.arange(length - 1, -1, -1, dtype=np.int64), window


def blank(window: Candles, rows: Bool) -> None:
    """Let nothing be known of some rows."""
    for column in window.columns():
        column[rows] = np.nan


def known_candles(panel: Panel, row: int, most: int) -> tuple[Int, Candles]:
    """The newest candles of one market that are known, at most so many: open times, and copies."""
    columns = np.flatnonzero(~np.isnan(panel.close[row]))[-most:]
    return panel.open_time[columns], Candles(*(getattr(panel, name)[row, columns] for name in Panel.COLUMNS[:5]))
