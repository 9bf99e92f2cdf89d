"""Mean reversion: four signs that a move has run its course.

Decides whether a market is a candidate to turn, and which way. Whether that beats its momentum is decided in scoring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Bool, Candles, Float, Int, Small
from scanner.core.indicators import change, consecutive_moves, rsi_of_steps, volume_trend
from scanner.core.results import Batch
from scanner.core.windows import newest, sound, total
from scanner.core.yardstick import worth_of_moves

CANDLES = 10
GAIN_CANDLES = 5
RECENT = 3  # candles whose volume is compared with the mean of the 10
OVERBOUGHT, OVERSOLD = 70, 30
POINTS = 25  # per sign
CANDIDATE = 50  # more than this many points
BULLISH, BEARISH = 1, -1


@dataclass(frozen=True)
class Reversion(Batch):
    """What speaks for a reversion, one value per market: arrays [...]."""

    reversion_score: Float  # 0, 25, 50, 75 or 100
    reversion_candidate: Bool
    reversion_direction: Small  # +1 bullish, -1 bearish; always set
    momentum_exhaustion: Bool
    volume_exhaustion: Bool
    excessive_gain: Bool
    consecutive_moves: Int  # 0 .. 9
    recent_gain_pct: Float  # over 5 candles, in percent in both forms of scoring
    is_overbought: Bool
    is_oversold: Bool
    rsi: Float  # 0 .. 100


def detect_reversion(candles: Candles, config: StreamConfig) -> Reversion:
    """Signs of exhaustion among the newest 10 candles of every market, 25 points each.

    Momentum: the newest run of moves in one direction reaches `momentum_exhaustion_threshold`; moves up to 0.1 % are
    left out. Volume: the mean of 3 reaches `volume_exhaustion_multiplier` times the mean of 10 while the mean of the
    last two changes is down to `volume_decline_threshold`. Gain: the move over 5 candles, either way, reaches
    `excessive_gain_threshold`. RSI: above 70 or below 30. In calibrated scoring moves count by what they are worth
    (see yardstick), one standard deviation over 5 candles as 5 %.

    The direction is against the gain; without a gain it is against the side of the RSI.

    Parameters
    ----------
    candles : Candles of float64[..., W]
        Fewer than 10 candles, or unsound ones, have no signs and an RSI of 50. The RSI uses the whole window of 100.

    Raises
    ------
    ValueError
        The columns differ in shape.
    """
    window = sound(candles)
    enough = window.count >= CANDLES
    close = newest(window.close, CANDLES)
    worth = np.where(enough, worth_of_moves(window, config, one_sigma=0.05, candles=GAIN_CANDLES), 0.0)
    streak = consecutive_moves(change(close[..., 1:], close[..., :-1]) * worth[..., None])
    gain = np.where(enough, change(close[..., -1], close[..., -1 - GAIN_CANDLES]), 0.0)
    rsi = rsi_of_steps(window.steps, np.where(enough, window.count, 0))
    tired = streak >= config.momentum_exhaustion_threshold
    spent = enough & _volume_is_spent(newest(window.volume, CANDLES), config)
    excessive = (np.abs(gain) * worth >= config.excessive_gain_threshold) & (worth > 0)
    overbought, oversold = rsi > OVERBOUGHT, rsi < OVERSOLD
    signs = tired.astype(np.int8) + spent + excessive + (overbought | oversold)
    score = POINTS * signs.astype(np.float64)
    rose = (gain > 0) | ((gain == 0) & (rsi > 50))
    return Reversion(
        reversion_score=score,
        reversion_candidate=score > CANDIDATE,
        reversion_direction=np.where(rose, np.int8(BEARISH), np.int8(BULLISH)),
        momentum_exhaustion=tired,
        volume_exhaustion=spent,
        excessive_gain=excessive,
        consecutive_moves=streak,
        recent_gain_pct=100 * gain,
        is_overbought=overbought,
        is_oversold=oversold,
        rsi=rsi,
    )


def _volume_is_spent(volume: Float, config: StreamConfig) -> Bool:
    """Whether volume is high but falling: float64[..., 10] to bool[...]; never where nothing traded."""
    average = total(volume) / CANDLES
    traded = average > 0
    ratio = total(newest(volume, RECENT)) / RECENT / np.where(traded, average, 1.0)
    high = ratio >= config.volume_exhaustion_multiplier
    return np.asarray(traded & high & (volume_trend(volume) <= config.volume_decline_threshold))
