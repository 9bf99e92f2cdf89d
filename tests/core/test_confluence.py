import numpy as np
import pytest

from scanner.core.confluence import Confluence, confluence


def test_nothing_found():
    assert confluence([], [], 60) == Confluence(False, 0, 0.0, 0, 0, "neutral", "WEAK")


def test_four_agreeing_timeframes():
    found = confluence([80, 70, 90, 78], ["STRONG_BUY", "WEAK_BUY", "MOMENTUM_BUY", "REVERSION_BULLISH"], 60)
    assert found == Confluence(True, 4, 79.5, 4, 0, "bullish", "STRONG")


@pytest.mark.parametrize(
    ("types", "bullish", "bearish", "bias"),
    [
        (["STRONG_SELL", "REVERSION_BEARISH"], 0, 2, "bearish"),
        (["REVERSION_BULLISH", "REVERSION_BULLISH"], 2, 0, "bullish"),
        (["WEAK_BUY", "MOMENTUM_SELL"], 1, 1, "neutral"),
        (["NEUTRAL", "NEUTRAL"], 0, 0, "neutral"),
    ],
)
def test_sides(types, bullish, bearish, bias):
    found = confluence([70, 70], types, 60)
    assert (found.bullish_timeframes, found.bearish_timeframes, found.dominant_bias) == (bullish, bearish, bias)
    assert found.confluence is (max(bullish, bearish) == 2)


@pytest.mark.parametrize(
    ("scores", "agreed", "recommendation"),
    [
        ([60, 60], True, "MODERATE"),  # the least score counts
        ([59.9, 90], False, "WEAK"),
        ([75, 75], True, "MODERATE"),  # more than 75 is strong
        ([75, 75.1], True, "STRONG"),
    ],
)
def test_limits(scores, agreed, recommendation):
    found = confluence(scores, ["STRONG_BUY", "STRONG_BUY"], 60)
    assert (found.confluence, found.recommendation) == (agreed, recommendation)


def test_a_neutral_timeframe_with_a_low_score_breaks_it():
    assert confluence([80, 80, 10], ["STRONG_BUY", "STRONG_BUY", "NEUTRAL"], 60).confluence is False


def test_arrays_give_plain_values():
    found = confluence(np.array([70.0, 80.0]), ["WEAK_BUY", "WEAK_BUY"], 60)
    assert {type(value) for value in vars(found).values()} == {bool, int, float, str}


def test_every_score_needs_a_type():
    with pytest.raises(ValueError, match="2 scores and 1"):
        confluence([1, 2], ["NEUTRAL"], 60)
