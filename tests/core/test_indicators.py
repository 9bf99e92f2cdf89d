import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ta.momentum import RSIIndicator

from scanner.core.indicators import change, consecutive_moves, rsi, volume_ratio, volume_trend
from tests.core.making import POISONS, random_candles


@given(random_candles())
def test_rsi_is_what_ta_says_of_the_same_window(candles):
    window = candles.close[:, -100:]
    ours = rsi(window)
    for close, value in zip(window, ours, strict=True):
        if close.min() < close.max():
            assert value == pytest.approx(RSIIndicator(pd.Series(close)).rsi().iloc[-1], abs=1e-9)
        else:
            assert value == 50


@given(random_candles(markets=1, length=100), st.integers(14, 99), st.integers(2, 30))
def test_rsi_of_a_young_market_is_what_ta_says_of_its_own_candles(candles, age, period):
    window = candles.close[0].copy()
    window[:-age] = np.nan
    own = pd.Series(window[-age:])
    if own.nunique() > 1 and age >= period:
        assert rsi(window, period) == pytest.approx(RSIIndicator(own, period).rsi().iloc[-1], abs=1e-9)


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (np.full(100, 7.0), 50),
        (np.arange(1.0, 101.0), 100),
        (np.arange(100.0, 0.0, -1.0), 0),
        (np.arange(1.0, 14.0), 50),  # 13 candles are too few
        (np.arange(1.0, 15.0), 100),  # 14 are enough
        ([], 50),
    ],
)
def test_rsi_at_its_ends(close, expected):
    assert rsi(np.asarray(close)) == expected


def test_rsi_of_one_gain_and_one_loss_by_hand():
    # gains 14 one candle ago and losses 13 now, weighted 13/14 and 1: 13 against 13
    assert rsi(np.array([100.0] * 20 + [114, 101])) == pytest.approx(50, abs=1e-12)


@pytest.mark.parametrize("poison", POISONS)
def test_rsi_of_an_unusable_price_is_neutral(poison):
    close = np.arange(1.0, 101.0)
    close[50] = poison
    assert rsi(close) == 50


def test_rsi_refuses_a_single_number():
    with pytest.raises(ValueError, match="no window"):
        rsi(np.float64(3))


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ([np.nan, 0.01, 0.02, 0.0005, 0.03], 3),
        ([0.01, -0.02, 0.03], 1),
        ([0.01, 0.001, 0.02], 2),  # a change of exactly 0.1 % is left out
        ([0.01, -0.001, 0.02], 2),
        ([-0.01, -0.02, 0.0001], 2),
        ([0.0, 0.0005], 0),
        ([], 0),
        ([0.01] * 200, 200),
    ],
)
def test_consecutive_moves(changes, length):
    assert consecutive_moves(np.asarray(changes, dtype=float)) == length


@given(st.lists(st.sampled_from([-0.02, -0.001, 0.0, 0.0004, 0.002, 0.5]), max_size=12))
def test_consecutive_moves_counts_like_a_person(changes):
    kept = [move > 0 for move in changes if abs(move) > 0.001]
    run = 0
    while run < len(kept) and kept[-1 - run] == kept[-1]:
        run += 1
    assert consecutive_moves(np.asarray(changes, dtype=float)) == run


def test_change_hits_a_round_percentage_exactly():
    assert change(np.float64(115), np.float64(100)) == 0.15


def test_volume_ratio_by_hand():
    volume = np.array([1.0] * 15 + [2.0] * 5)  # 2 over (15 + 10) / 20
    assert volume_ratio(volume) == 1.6
    assert volume_ratio(np.array([0.0] * 15 + [1.0] * 5)) == 4
    assert volume_ratio(np.zeros(20)) == 1


def test_volume_ratio_needs_the_recent_candles():
    with pytest.raises(ValueError, match="window has 4 candles, needs 5"):
        volume_ratio(np.ones((2, 4)))


@pytest.mark.parametrize(
    ("volume", "trend"),
    [
        ([400, 350, 280], -0.1625),
        ([100, 90, 81], -0.1),
        ([7, 0, 0], -0.5),
        ([0, 0, 0], 0),
        ([0, 5, 5], np.inf),
        ([5, 0, 5], np.inf),
        ([5e-324, 1e50, 1], np.inf),
    ],
)
def test_volume_trend(volume, trend):
    assert volume_trend(np.array(volume, dtype=float)) == trend
