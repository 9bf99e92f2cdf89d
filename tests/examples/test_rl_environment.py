from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env

from examples.rl_environment import FLAT, LONG, SHORT, TradingEnv
from examples.rows import STATE
from tests.examples.made import STEP, rows


@pytest.mark.parametrize("steps", [None, 50])
def test_gymnasium_has_no_complaint(steps):
    check_env(TradingEnv(rows(200), steps=steps), skip_render_check=True)


def test_an_episode_by_hand():
    made = rows(5).assign(price=[100.0, 110.0, 99.0, 198.0, 198.0])
    env = TradingEnv(made, cost=10)
    env.reset(seed=0)
    # usable 9 s after the close, so filled at the next close: 110, 99, 198, 198 for the first four rows
    rewards = [env.step(action)[1] for action in (LONG, SHORT, FLAT)]
    assert rewards == pytest.approx([99 / 110 - 1 - 0.001, -(198 / 99 - 1) - 0.002, -0.001])
    with pytest.raises(RuntimeError, match="the episode is over"):
        env.step(FLAT)


def test_the_observation_is_the_state_of_the_row_and_the_position():
    made = rows(10).assign(volatility_regime="high", momentum_score=40.0, market_breadth=np.nan)
    env = TradingEnv(made)
    observation, info = env.reset()
    assert observation[[0, 3, 4, 5]] == pytest.approx([0.4, 0.5, 1.0, 0.0])  # unknown breadth is neutral
    assert info["usable_at"] == made["usable_at"][0].tz_localize(None)
    observation, _, terminated, truncated, info = env.step(SHORT)
    assert (observation[5], info["position"], terminated, truncated) == (-1, -1, False, False)


def test_nothing_is_traded_at_a_price_that_had_gone_by():
    made = rows(50)
    made.loc[20, "usable_at"] += pd.Timedelta(minutes=30)  # a late signal
    env = TradingEnv(made)
    closes = dict(zip(made["candle_time"] + STEP, made["price"], strict=True))
    order = made.sort_values("usable_at", ignore_index=True)
    fills = [next(close for close in closes if close > moment) for moment in order["usable_at"][:-1]]
    price = np.array([closes[fill] for fill in fills])
    np.testing.assert_allclose(env.returns, price[1:] / price[:-1] - 1)


def test_what_is_seen_does_not_change_with_what_comes_later():
    made = rows(100)
    cut, changed = made[:60], made.copy()
    changed.loc[60:, ["price", "momentum_score", "market_breadth"]] = 0.9

    def seen(part):
        env = TradingEnv(part)
        return [env.reset()[0], *(env.step(LONG)[0] for _ in range(50))]

    np.testing.assert_array_equal(seen(made), seen(cut))
    np.testing.assert_array_equal(seen(made), seen(changed))


def test_short_episodes_begin_anywhere_and_a_seed_repeats_them():
    env = TradingEnv(rows(200), steps=20)
    begins = [env.reset(seed=seed)[1]["usable_at"] for seed in (1, 1, 2, 3)]
    assert begins[0] == begins[1]
    assert len(set(begins)) == 3
    taken = 0
    while not env.step(FLAT)[3]:
        taken += 1
    assert taken == 19


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TradingEnv(pd.concat([rows(9), rows(9, symbol="ETH/USDT")])), "an environment is of one market"),
        (lambda: TradingEnv(rows(3)), "1 steps can be made of these rows, 2 are wanted"),
        (lambda: TradingEnv(rows(20), steps=19), "18 steps can be made of these rows, 19 are wanted"),
        (lambda: TradingEnv(rows(20).assign(rsi=250.0), state_features=("rsi",)), "rsi: not from 0 to 100"),
        (lambda: TradingEnv(rows(20), state_features=(*STATE, "mood")), "no column mood; there are "),
    ],
)
def test_wrong_input_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
