"""Market regimes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ta.trend import EMAIndicator

from scanner.fullscan.regime import comparisons, market_regime


def verdict(close, adx, atr=1.0):
    series = pd.Series(np.asarray(close, dtype=np.float64))
    emas = tuple(float(EMAIndicator(series, span).ema_indicator().iloc[-1]) for span in (20, 50, 200))
    values = series.to_numpy()
    return market_regime(values + 0.5, values - 0.5, values, emas, adx, atr)


def test_a_straight_rise_over_sixty_candles():
    # 4 comparisons can be made, all up: 80, and the gain of the last 20: 130 / 120.339 - 1 = 8.03 %
    found = verdict(np.linspace(100, 130, 60), 40)
    assert (found.regime, found.confidence, found.volatility, found.suggested_threshold) == ("bull", 88.0, "low", 60)
    assert found.trend_strength == 40


def test_a_fall_is_judged_like_the_rise():
    """With too few candles for the slow mean, missing comparisons used to count as falling."""
    found = verdict(np.linspace(130, 100, 60), 40)
    assert (found.regime, found.suggested_threshold) == ("bear", 75)
    assert found.confidence == pytest.approx(80 - 100 * (100 / np.linspace(130, 100, 60)[-20] - 1), abs=0.05)


def test_all_five_comparisons_count_from_two_hundred_candles_on():
    assert verdict(np.linspace(100, 130, 220), 40).confidence == 100.0
    assert len(comparisons(5, 4, 3, float("nan"))) == 4
    assert len(comparisons(5, 4, 3, 2)) == 5
    assert comparisons(5, float("nan"), float("nan"), float("nan")) == []


def test_a_calm_market_without_a_trend_ranges():
    found = verdict(100 + 0.1 * np.sin(np.arange(100)), 10)
    assert (found.regime, found.suggested_threshold) == ("ranging", 80)
    assert found.confidence == pytest.approx(50 + 10 * (3 - found_spread(100 + 0.1 * np.sin(np.arange(100)))), abs=0.05)


def found_spread(close):
    return 100 * np.std(close[-20:], ddof=1) / close[-20:].mean()


def test_undecided_comparisons_give_little_confidence():
    # above the 20 mean, below the others; the means fall: 2 up of 5 or fewer
    close = np.concatenate([np.linspace(200, 100, 80), np.linspace(100, 112, 5)])
    found = verdict(close, 40)
    assert found.confidence == 45
    assert found.regime in ("bull", "bear")


@pytest.mark.parametrize(("atr", "volatility"), [(1.49, "low"), (1.5, "medium"), (3.49, "medium"), (3.5, "high")])
def test_volatility_by_the_true_range(atr, volatility):
    assert verdict(np.full(60, 100.0), 10, atr).volatility == volatility


def test_without_an_adx_the_ranges_stand_in():
    close = np.full(60, 100.0)
    found = market_regime(close + 2, close - 2, close, (100.0, 100.0, float("nan")), None, None)
    assert (found.trend_strength, found.volatility) == (4.0, "high")


def test_too_few_candles_are_unknown():
    nan = float("nan")
    close = np.array([100.0])
    found = market_regime(close, close, close, (nan, nan, nan), None, None)
    assert (found.regime, found.confidence, found.suggested_threshold) == ("unknown", 0.0, 65)
