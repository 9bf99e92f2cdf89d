"""Stops and targets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.fullscan.classes import BUYS, SELLS, SIGNALS
from scanner.fullscan.levels import levels


def test_a_buy_stops_at_the_nearest_sensible_level_and_takes_profit_before_resistance():
    # stop: 98.5 (1.5 ATR), 98.0075 (support), 97 (3 %); target: 100 + 2.5 * 1.5 = 103.75, but .995 * 103 = 102.485
    found = levels("Buy", 100, 1, 98.5, 103)
    assert (found.stop_loss, found.take_profit, found.risk_reward_ratio) == (98.5, 102.485, 1.66)
    assert (found.stop_loss_pct, found.take_profit_pct) == (-1.5, 2.48)
    assert (found.entry_price, found.risk_amount, found.reward_amount) == (100, 1.5, 2.485)
    assert (found.support_level, found.resistance_level) == (98.5, 103)


def test_a_sell_is_the_mirror():
    found = levels("Strong Sell", 100, 1, 90, 101)
    assert (found.stop_loss, found.take_profit, found.risk_reward_ratio) == (101.5, 96.25, 2.5)
    assert (found.stop_loss_pct, found.take_profit_pct) == (1.5, -3.75)
    assert levels("Sell", 100, 1, 97, 101).take_profit == pytest.approx(97.485)


def test_neutral_is_three_percent_on_both_sides():
    found = levels("Neutral", 200, 50, None, None)
    assert (found.stop_loss, found.take_profit, found.risk_reward_ratio) == (194, 206, 1.0)


def test_tiny_prices_keep_six_digits():
    found = levels("Buy", 3.994e-9, None, None, None)
    assert found.stop_loss == pytest.approx(3.994e-9 * 0.97, rel=1e-5)
    assert found.take_profit > found.entry_price > found.stop_loss > 0


positive = st.floats(1e-10, 1e10)
share = st.floats(0.001, 3)


@given(st.sampled_from(SIGNALS), positive, st.none() | share, st.none() | share, st.none() | share)
def test_the_stop_is_at_most_three_percent_away_and_on_the_losing_side(signal, price, atr, support, resistance):
    def scaled(factor):
        return None if factor is None else factor * price

    found = levels(signal, price, scaled(atr), scaled(support), scaled(resistance))
    side = 1 if signal in BUYS else -1 if signal in SELLS else 0
    distance = side * (price - found.stop_loss) / price if side else abs(price - found.stop_loss) / price
    assert 0.0049 < distance < 0.0301
    assert side * (found.take_profit - price) >= 0
    numbers = [value for value in vars(found).values() if value is not None]
    assert all(math.isfinite(value) for value in numbers)
    assert found.risk_amount > 0
    assert found.reward_amount >= 0
