"""What the whole market looked like at each moment of a history, as far as candles tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.config import StreamConfig
from scanner.core.breadth import breadth_ratios
from scanner.core.candles import Float, Int, Small
from scanner.core.panel import Panel
from scanner.core.volatility import REGIMES, volatility_regimes
from scanner.timeframes import HOUR_MS

UNKNOWN_BREADTH = 0.5
LONGEST_BREADTH = 2.0  # times the ticks a live scan keeps: a longer candle says nothing about so short a time


@dataclass(frozen=True)
class Surroundings:
    """Breadth and volatility regime (index into `REGIMES`) at the moments `at_ms`, rising; all [n]."""

    at_ms: Int
    breadth: Float
    regime: Small

    def at(self, moments: Int) -> tuple[Float, Small]:
        """Both at some of the moments: float64[k], int8[k]."""
        index = np.searchsorted(self.at_ms, moments)
        return self.breadth[index], self.regime[index]


def surroundings(panel: Panel, first_ms: int, lookback: int, config: StreamConfig) -> Surroundings:
    """Breadth and regime at the close of each candle of the base panel from `first_ms` on.

    A live scan takes breadth from the prices of the last few minutes. Here it is taken from closes, over the number of
    candles that comes nearest to that time. The regime is what a live scan makes of the same candles.

    Parameters
    ----------
    lookback : int
        Closed candles that the regime looks back on; the panel begins at least as many before `first_ms`.
    """
    first = int(panel.column_of(first_ms))
    count = panel.length - first
    closes = panel.open_time[first:] + panel.timeframe_ms
    kept_s = config.max_ticks_buffer * config.price_update_interval
    back = max(round(kept_s * 1000 / panel.timeframe_ms), 1)
    breadth = np.full(count, UNKNOWN_BREADTH)
    if panel.timeframe_ms <= LONGEST_BREADTH * kept_s * 1000:
        breadth = breadth_ratios(panel.close[:, first - back :], back)
    per_hour = max(HOUR_MS // panel.timeframe_ms, 6)
    regimes = volatility_regimes(panel.close[:, first + 1 - lookback :], per_hour, lookback)
    return Surroundings(closes, breadth, np.array([REGIMES.index(regime) for regime in regimes], dtype=np.int8))
