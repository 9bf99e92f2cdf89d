"""Labels: what followed, no sooner than it was known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.candles import Candles
from scanner.core.labels import HORIZONS, label


def candles(close: list[float], high: list[float] | None = None, low: list[float] | None = None) -> Candles:
    closes = np.array(close, dtype=float)
    return Candles(
        closes, np.array(high or close, dtype=float), np.array(low or close, dtype=float), closes, np.ones_like(closes)
    )


def walk(seed: int, length: int = 60) -> Candles:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (3, length)), axis=-1))
    spread = rng.uniform(0, 1, (2, 3, length))
    return Candles(close, close + spread[0], close - spread[1], close, np.ones_like(close))


def test_worked_by_hand() -> None:
    """From 100: 110, 90, 120 with highs 112, 95, 121 and lows 99, 85, 90; three candles ahead."""
    found = label(candles([100, 110, 90, 120], [101, 112, 95, 121], [99, 99, 85, 90]), 3)
    assert found.fwd_return[0] == pytest.approx(0.20)  # 120 / 100 - 1
    assert found.mfe[0] == pytest.approx(0.21)  # 121 / 100 - 1
    assert found.mae[0] == pytest.approx(-0.15)  # 85 / 100 - 1
    assert np.isnan(found.fwd_return[1:]).all()


def test_the_best_of_a_fall_is_where_it_began() -> None:
    found = label(candles([100, 90, 80]), 2)
    assert (found.mfe[0], found.mae[0]) == (0, pytest.approx(-0.2))


@given(st.integers(0, 2**31), st.sampled_from(HORIZONS))
def test_it_agrees_with_a_plain_loop(seed: int, horizon: int) -> None:
    found, data = label(walk(seed), horizon), walk(seed)
    for m in range(3):
        for t in range(data.close.shape[1]):
            after = slice(t + 1, t + 1 + horizon)
            if t + horizon >= data.close.shape[1]:
                assert np.isnan([found.fwd_return[m, t], found.mfe[m, t], found.mae[m, t]]).all()
                continue
            now = data.close[m, t]
            assert found.fwd_return[m, t] == data.close[m, t + horizon] / now - 1
            assert found.mfe[m, t] == max(now, *data.high[m, after]) / now - 1
            assert found.mae[m, t] == min(now, *data.low[m, after]) / now - 1


@given(st.integers(0, 2**31), st.sampled_from(HORIZONS), st.integers(1, 59))
def test_what_comes_after_the_horizon_changes_nothing(seed: int, horizon: int, cut: int) -> None:
    """Cut at any time, labels whose horizon had passed are what they are later; the others are missing."""
    whole, early = label(walk(seed), horizon), label(walk(seed).rows((slice(None), slice(cut))), horizon)
    passed = max(cut - horizon, 0)
    for name in ("fwd_return", "mfe", "mae"):
        np.testing.assert_array_equal(getattr(early, name)[:, :passed], getattr(whole, name)[:, :passed])
        assert np.isnan(getattr(early, name)[:, passed:]).all()


@given(st.integers(0, 2**31), st.sampled_from(HORIZONS), st.integers(0, 59))
def test_an_unknown_candle_spoils_just_the_labels_that_need_it(seed: int, horizon: int, hole: int) -> None:
    data = walk(seed)
    for column in (data.open, data.high, data.low, data.close, data.volume):
        column[1, hole] = np.nan
    whole, holed = label(walk(seed), horizon), label(data, horizon)
    needs = np.arange(60)
    spoilt = (needs <= hole) & (hole <= needs + horizon)
    for name in ("fwd_return", "mfe", "mae"):
        assert np.isnan(getattr(holed, name)[1, spoilt]).all()
        np.testing.assert_array_equal(getattr(holed, name)[1, ~spoilt], getattr(whole, name)[1, ~spoilt])
        np.testing.assert_array_equal(getattr(holed, name)[[0, 2]], getattr(whole, name)[[0, 2]])


def test_too_short_a_history_has_no_labels() -> None:
    assert np.isnan(label(candles([1.0, 2.0]), 24).fwd_return).all()
    assert label(candles([]), 1).fwd_return.shape == (0,)


@pytest.mark.parametrize("horizon", [0, -1])
def test_a_horizon_that_does_not_look_ahead_is_refused(horizon: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        label(candles([1.0]), horizon)
