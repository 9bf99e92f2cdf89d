"""Calibrated scoring: moves in the market's own standard deviations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.analysis import analyse
from scanner.core.windows import sound
from tests.core.making import ABSOLUTE, CALIBRATED, candles_of, random_candles


def quiet_then(newest, size=0.01):
    """95 candles whose returns are +-`size`, then returns of the given multiples of `size`."""
    returns = size * np.concatenate([np.tile([1.0, -1.0], 47), newest])
    return candles_of(100 * np.cumprod(np.concatenate([[1.0], 1 + returns])), np.full(len(returns) + 1, 100.0))


def test_volatility_is_the_mean_absolute_return_as_of_a_normal_distribution():
    candles = quiet_then([1, -1, 1, -1, 1])
    assert sound(candles).volatility == pytest.approx(0.01 * math.sqrt(math.pi / 2))


def test_volatility_of_a_normal_walk_is_its_standard_deviation():
    rng = np.random.default_rng(5)
    close = 100 * np.cumprod(1 + rng.normal(0, 0.003, (4000, 100)), axis=1)
    assert sound(candles_of(close, np.ones_like(close))).volatility.mean() == pytest.approx(0.003, rel=0.01)


def test_one_wild_candle_hardly_moves_the_volatility():
    calm, wild = (sound(quiet_then([1, -1, last, -1, 1])).volatility for last in (1, 30))
    assert wild / calm == pytest.approx((98 + 30) / 99, rel=1e-9)  # its standard deviation would be 3.2 times as large


@pytest.mark.parametrize(("moved", "measured"), [(19, False), (20, True)])
def test_a_market_that_hardly_moves_has_no_volatility(moved, measured):
    close = np.concatenate([np.full(100 - moved, 100.0), 100 + np.arange(1.0, moved + 1)])
    candles = candles_of(close, np.full(100, 9.0))
    assert (sound(candles).volatility > 0) == measured
    assert (analyse(candles, CALIBRATED).momentum.momentum_score > 0) == measured


@pytest.mark.parametrize("size", [0.0001, 0.01])
@pytest.mark.parametrize(("jump", "excessive"), [(8.5, False), (9.0, True), (-8.5, False), (-9.0, True)])
def test_three_standard_deviations_over_five_candles_are_excessive(size, jump, excessive):
    # after +-1 and four candles that stand still: sigma = 1.2533 * (94 + jump) / 99, and 3 sigma sqrt(5) = 8.7
    candles = quiet_then([0, 0, 0, 0, jump], size)
    assert 3 * sound(candles).volatility * math.sqrt(5) == pytest.approx(8.7 * size, rel=0.01)
    assert analyse(candles, CALIBRATED).reversion.excessive_gain == excessive


def test_three_standard_deviations_over_nine_candles_score_30_on_average_volume():
    candles = quiet_then([3.0] * 5)
    window, found = sound(candles), analyse(candles, CALIBRATED).momentum
    deviations = abs(found.price_change_pct) / 100 / (window.volatility * 3)
    assert found.volume_ratio == 1
    assert found.momentum_score == pytest.approx(10 * deviations)


@given(random_candles(length=100), st.sampled_from([0.02, 0.1, 0.5]))
def test_a_market_and_its_calmer_twin_score_alike(candles, calm):
    base = candles.close[:, :1]
    returns = candles.close[:, 1:] / candles.close[:, :-1] - 1
    returns = np.clip(returns, -0.2, 0.2)

    def twin(factor):
        return candles_of(
            base * np.cumprod(np.pad(1 + factor * returns, ((0, 0), (1, 0)), constant_values=1), 1), candles.volume
        )

    score = analyse(twin(0.001), CALIBRATED).momentum.momentum_score
    calmer = analyse(twin(0.001 * calm), CALIBRATED).momentum.momentum_score
    np.testing.assert_allclose(calmer, score, rtol=0.05, atol=0.5)


@given(random_candles())
def test_facts_are_the_same_in_both_forms(candles):
    absolute, calibrated = analyse(candles, ABSOLUTE), analyse(candles, CALIBRATED)
    for name in ("rsi", "recent_gain_pct", "volume_exhaustion", "reversion_direction"):
        np.testing.assert_array_equal(getattr(absolute.reversion, name), getattr(calibrated.reversion, name))
    for name in ("price_change_pct", "volume_ratio"):
        np.testing.assert_array_equal(getattr(absolute.momentum, name), getattr(calibrated.momentum, name))
