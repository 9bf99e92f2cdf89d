"""From the detectors' scores to one score and one of the nine signal types."""

from __future__ import annotations

import numpy as np

from scanner.core.candles import Bool, Float, Small
from scanner.records import SIGNAL_TYPES

MOMENTUM_ALONE = 70  # a momentum score above this is a signal by itself
STRONG = 60  # combined score above this
WEAK = 40  # combined score from this
_INDEX = {name: np.int8(index) for index, name in enumerate(SIGNAL_TYPES)}


def combine(momentum_score: Float, reversion_score: Float, momentum_bias: float) -> Float:
    """Weighted mean of the two scores, float64[...], 0 .. 100; momentum weighs `momentum_bias`, reversion the rest."""
    return np.minimum(momentum_bias * momentum_score + (1 - momentum_bias) * reversion_score, 100.0)


def classify_signals(
    momentum_score: Float,
    price_change: Float,
    reversion_candidate: Bool,
    reversion_direction: Small,
    combined_score: Float,
) -> Small:
    """Signal type of every market; the first line that applies decides.

    A price change of exactly 0 falls on the selling side.

    Returns
    -------
    int8[...]
        Index into `records.SIGNAL_TYPES`.
    """
    rose = np.asarray(price_change) > 0
    candidate = np.asarray(reversion_candidate)
    bullish = np.asarray(reversion_direction) > 0
    momentum, combined = np.asarray(momentum_score), np.asarray(combined_score)
    signal_type = np.select(
        [(momentum > MOMENTUM_ALONE) & ~candidate, candidate, combined > STRONG, combined >= WEAK],
        [
            _either(rose, "MOMENTUM_BUY", "MOMENTUM_SELL"),
            _either(bullish, "REVERSION_BULLISH", "REVERSION_BEARISH"),
            _either(rose, "STRONG_BUY", "STRONG_SELL"),
            _either(rose, "WEAK_BUY", "WEAK_SELL"),
        ],
        default=_INDEX["NEUTRAL"],
    )
    return np.asarray(signal_type)


def _either(which: Bool, yes: str, no: str) -> Small:
    return np.where(which, _INDEX[yes], _INDEX[no])
