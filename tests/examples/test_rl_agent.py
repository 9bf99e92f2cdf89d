from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples.chance import Estimate
from examples.rl_agent import NAIVE, RLAgent, calculate_sharpe, play, report, verdict
from examples.rl_environment import TradingEnv
from examples.rows import NoData
from tests.examples.made import rows


@pytest.fixture(scope="module")
def foretold() -> pd.DataFrame:
    """Rows whose breadth tells the return that a decision earns: from the next close to the one after."""
    made = rows(3000)
    move = made["price"].shift(-2) > made["price"].shift(-1)
    return made.assign(market_breadth=np.where(move, 0.9, 0.1))


def test_policies_earn_what_their_actions_do(foretold):
    env = TradingEnv(foretold, cost=0)
    played = {name: play(env, policy) for name, policy in NAIVE.items()}
    assert not played["stay out"].rewards.any()
    assert played["stay out"].changes == 0
    np.testing.assert_allclose(played["hold"].rewards, env.returns)
    assert played["hold"].changes == 1
    np.testing.assert_allclose(played["follow breadth"].rewards, abs(env.returns))
    assert 0.6 < played["at random"].changes / len(env.returns) < 0.73  # 2 of 3 draws are another action


def test_the_table_learns_what_can_be_learned(foretold):
    agent = RLAgent(cost=0)
    scores = agent.train(foretold[:2000], state_features=["market_breadth", "momentum_score"])
    assert len(scores) == agent.passes
    env = TradingEnv(foretold[2000:], cost=0, state_features=["market_breadth", "momentum_score"])
    assert play(env, agent).rewards.sum() > 0.6 * abs(env.returns).sum()


def test_the_pass_that_the_reward_function_likes_best_is_kept(foretold):
    asked = []

    def liking_the_second(rewards):
        asked.append(rewards)
        return float(len(asked) == 2)

    agent = RLAgent(cost=0)
    agent.train(foretold, reward_function=liking_the_second)
    cut = int(len(foretold) * 0.7)
    np.testing.assert_array_equal(play(TradingEnv(foretold[cut:], cost=0), agent).rewards, asked[1])


def test_an_agent_that_knows_nothing_stays_out():
    agent = RLAgent()
    env = TradingEnv(rows(50))
    agent._edges = np.zeros((5, 2))
    assert not play(env, agent).rewards.any()


def test_training_repeats_itself():
    made = rows(400)
    first, second = RLAgent(), RLAgent()
    assert first.train(made) == second.train(made)


def test_sharpe_by_hand():
    assert calculate_sharpe(np.array([0.01, 0.03])) == pytest.approx(2.0)
    assert calculate_sharpe(np.zeros(9)) == 0
    assert calculate_sharpe(np.empty(0)) == 0


def test_a_report_of_a_random_walk_says_that_nothing_was_learned():
    text = report(rows(14 * 288), "5m", 10)
    assert "Real candles of binance." in text
    assert text.splitlines()[-1].startswith("The table does NOT beat: stay out")
    assert all(name in text for name in (*NAIVE, "table"))


def test_verdicts():
    sure, unsure, unknown = Estimate(1, 0.5, 2), Estimate(1, -0.5, 2), Estimate(1, np.nan, np.nan)
    assert verdict({"hold": sure}, "Careful.") == "The table beats staying out and holding here. Careful."
    assert verdict({"hold": unsure, "stay out": sure}, "").startswith("The table does NOT beat: hold. ")
    assert verdict({"hold": unknown}, "") == "Too little time to tell: the judged part needs 5 days."


def test_too_few_signals_are_refused():
    with pytest.raises(NoData, match="150 final signals, 200 are needed"):
        report(rows(150), "5m", 10)
