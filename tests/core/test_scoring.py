import numpy as np
import pytest

from scanner.core.scoring import classify_signals, combine
from scanner.records import SIGNAL_TYPES

BULLISH, BEARISH = 1, -1


@pytest.mark.parametrize(
    ("momentum", "change", "candidate", "direction", "combined", "expected"),
    [
        (71, +1, False, BULLISH, 0, "MOMENTUM_BUY"),
        (71, -1, False, BULLISH, 0, "MOMENTUM_SELL"),
        (71, 0, False, BULLISH, 0, "MOMENTUM_SELL"),
        (71, +1, True, BEARISH, 0, "REVERSION_BEARISH"),
        (71, -1, True, BULLISH, 0, "REVERSION_BULLISH"),
        (0, 0, True, BULLISH, 100, "REVERSION_BULLISH"),
        (70, +1, False, BULLISH, 0, "NEUTRAL"),
        (0, +1, False, BULLISH, 60.1, "STRONG_BUY"),
        (0, -1, False, BULLISH, 60.1, "STRONG_SELL"),
        (0, +1, False, BULLISH, 60, "WEAK_BUY"),
        (0, -1, False, BULLISH, 41, "WEAK_SELL"),
        (0, 0, False, BULLISH, 41, "WEAK_SELL"),
        (0, +1, False, BULLISH, 40, "WEAK_BUY"),
        (0, +1, False, BULLISH, 39.9, "NEUTRAL"),
    ],
)
def test_signal_type(momentum, change, candidate, direction, combined, expected):
    found = classify_signals(*(np.asarray(value) for value in (momentum, change, candidate, direction, combined)))
    assert SIGNAL_TYPES[found] == expected
    assert found.dtype == np.int8


def test_the_score_is_a_weighted_mean():
    assert combine(np.array([36.0440, 100, 0]), np.array([100.0, 100, 100]), 0.6) == pytest.approx([61.6264, 100, 40])


@pytest.mark.parametrize("bias", [0.0, 0.1, 0.3, 0.6, 0.7, 0.9, 1.0])
def test_the_score_stays_within_100(bias):
    assert combine(np.array(100.0), np.array(100.0), bias) <= 100
