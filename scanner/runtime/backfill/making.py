"""Final signals of a stretch of history: those a live scan would have made of the same candles, as table rows.

One call of the core for all windows of a timeframe at once. Nothing is read from a candle that opens later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scanner.config import WINDOW, StreamConfig
from scanner.core.analysis import Analysis, analyse
from scanner.core.candles import Candles, Float, Int
from scanner.core.panel import Panel
from scanner.core.percentile import percentile_of
from scanner.runtime.backfill.surroundings import Surroundings
from scanner.runtime.book.table import HISTORY
from scanner.runtime.columns import CLUSTERING, MOMENTUM, REVERSION, ROW, Rows, lay

CELLS_AT_ONCE = 200_000  # history values compared in one go while ranking: bounds the memory


@dataclass(frozen=True)
class Made:
    """The final signals of one market and timeframe, oldest first."""

    timeframe: str
    closes_ms: Int  # [n]
    rows: Rows  # [n]


def make(
    panel: Panel, timeframe: str, first_ms: int, around: Surroundings, config: StreamConfig, at_ms: int
) -> list[Made]:
    """The signals of every market of a panel, for its candles from `first_ms` on; made at market time `at_ms`.

    The panel begins at least ``WINDOW + HISTORY - 1`` candles before.
    """
    first = int(panel.column_of(first_ms))
    start = first - (WINDOW + HISTORY - 2)  # so that the first window of all ends HISTORY - 1 before the first signal
    candles = Candles(*(getattr(panel, name)[:, start:] for name in Panel.COLUMNS[:5]))
    analysis = analyse(candles.windows(WINDOW), config)  # [M, HISTORY - 1 + n]
    score = np.where(analysis.enough, analysis.combined_score, np.nan)
    known = ~np.isnan(panel.close)
    gaps = sliding_window_view(panel.filled | ~known, WINDOW, axis=-1).sum(axis=-1)  # [M, L - WINDOW + 1]
    opens = panel.open_time[first:]
    breadth, regime = around.at(opens + panel.timeframe_ms)
    made = []
    for row in range(len(panel.close)):
        index = np.flatnonzero(known[row, first:])
        rows = _rows(analysis.take((row, index + HISTORY - 1)), at_ms)
        rows["candle_time"] = opens[index]
        rows["percentile"] = _percentiles(score[row])[index]
        rows["gaps"] = gaps[row, first - WINDOW + 1 :][index]
        rows["market_breadth"], rows["volatility_regime"] = breadth[index], regime[index]
        made.append(Made(timeframe, opens[index] + panel.timeframe_ms, rows))
    return made


def _rows(analysis: Analysis, at_ms: int) -> Rows:
    """Table rows [n] of final signals; when their candles were fetched is not known any more."""
    rows = np.zeros(len(analysis.combined_score), dtype=ROW)
    rows["at_ms"], rows["closed"], rows["progress"], rows["data_age_s"] = at_ms, True, 1.0, np.nan
    lay(rows, analysis, ("combined_score", "signal_type", "price", "enough"))
    lay(rows, analysis.momentum, (*MOMENTUM, "strength"))
    lay(rows, analysis.reversion, REVERSION)
    lay(rows, analysis.clusters, CLUSTERING)
    return rows


def _percentiles(score: Float) -> Float:
    """Rank of each score among the `HISTORY` newest, itself included: float64[HISTORY - 1 + n] to float64[n]."""
    histories = sliding_window_view(score, HISTORY)  # [n, HISTORY]
    block = max(CELLS_AT_ONCE // HISTORY, 1)
    parts = [
        percentile_of(score[HISTORY - 1 + at : HISTORY - 1 + at + block], histories[at : at + block])
        for at in range(0, len(histories), block)
    ]
    return np.concatenate(parts) if parts else np.empty(0)
