"""Policies in the trading environment: naive ones, and one that learns a table.

    python -m examples.rl_agent --data-dir training_data --symbol BTC/USDT

A policy is a function from an observation and a random generator to an action. They learn from the first part of the
rows and are judged by the rest. Costs are real and most policies do not earn them; the report says so.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from examples.chance import LEAST_BLOCKS, Estimate, Float, block_bootstrap
from examples.commandline import parser, run
from examples.rl_environment import FLAT, LONG, SHORT, Observation, TradingEnv
from examples.rows import STATE, TooFew, caution, enough, from_training_data, origin, stored

Policy = Callable[[Observation, np.random.Generator], int]
ACTIONS = 3
LEARNING_RATE, EXPLORATION, DISCOUNT = 0.05, 0.2, 0.9
LEARNED = 0.6  # part of the rows that is learned from; the rest is for the judgement
CHOOSING = 0.3  # part of those that chooses between passes
LEAST_ROWS = 200
BLOCK_S = 12 * 3600  # of the bootstrap
BASIS_POINT = 1e-4


def stay_out(observation: Observation, rng: np.random.Generator) -> int:
    return FLAT


def hold(observation: Observation, rng: np.random.Generator) -> int:
    return LONG


def at_random(observation: Observation, rng: np.random.Generator) -> int:
    return int(rng.integers(ACTIONS))


def follow_breadth(observation: Observation, rng: np.random.Generator) -> int:
    """With the market: long while most coins rise, short while most fall."""
    breadth = observation[STATE.index("market_breadth")]
    return LONG if breadth > 0.6 else SHORT if breadth < 0.4 else FLAT


NAIVE: dict[str, Policy] = {
    "stay out": stay_out,
    "hold": hold,
    "at random": at_random,
    "follow breadth": follow_breadth,
}


@dataclass(frozen=True)
class Episode:
    """The rewards of its steps, and how often the position changed."""

    rewards: Float
    changes: int


def play(env: TradingEnv, policy: Policy, seed: int = 0) -> Episode:
    """One episode under a policy."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    rewards, positions, over = [], [info["position"]], False
    while not over:
        observation, reward, _, over, info = env.step(policy(observation, rng))
        rewards.append(reward)
        positions.append(info["position"])
    return Episode(np.array(rewards), int(np.count_nonzero(np.diff(positions))))


def calculate_sharpe(rewards: Float) -> float:
    """Mean over standard deviation of the rewards of the steps; 0 where nothing varies."""
    spread = float(np.std(rewards)) if len(rewards) else 0.0
    return float(np.mean(rewards)) / spread if spread > 0 else 0.0


class RLAgent:
    """Tabular Q-learning: features fall into thirds of what was seen in training, and each cell learns its actions.

    Parameters
    ----------
    passes : int
        Episodes of training; the table of the one that does best on rows it did not learn from is kept.
    cost : float
        Basis points of a change of position by one.
    """

    def __init__(self, timeframe: str = "5m", passes: int = 6, cost: float = 10.0, seed: int = 0) -> None:
        self.timeframe, self.passes, self.cost, self.seed = timeframe, passes, cost, seed
        self._edges: Float = np.empty((0, 2))
        self._table: dict[tuple[int, ...], Float] = {}

    def train(
        self,
        dataset: Mapping[str, Any] | pd.DataFrame,
        reward_function: Callable[[Float], float] = calculate_sharpe,
        state_features: Sequence[str] = STATE,
    ) -> list[float]:
        """Learn; how each pass did on the last rows, by `reward_function` of the rewards of its steps.

        Parameters
        ----------
        dataset : dict or DataFrame
            What `get_training_dataset` gave, or rows.

        Raises
        ------
        NoData
            There is nothing of the timeframe in it.
        ValueError
            A feature is not known, or there are too few rows.
        """
        if isinstance(dataset, pd.DataFrame):
            rows = dataset
        else:
            rows = from_training_data(dataset["signals"], dataset["ohlcv"], self.timeframe)
        cut = int(len(rows) * (1 - CHOOSING))
        own, other = (TradingEnv(part, self.timeframe, self.cost, state_features) for part in (rows[:cut], rows[cut:]))
        self._edges = np.quantile(own.features, (1 / 3, 2 / 3), axis=0).T.astype(np.float64)  # [features, 2]
        values: defaultdict[tuple[int, ...], Float] = defaultdict(lambda: np.zeros(ACTIONS))
        scores, rng = [], np.random.default_rng(self.seed)
        for number in range(self.passes):
            self._learn(own, values, rng, number)
            before, self._table = self._table, {cell: each.copy() for cell, each in values.items()}
            scores.append(reward_function(play(other, self).rewards))
            if number and scores[-1] <= max(scores[:-1]):
                self._table = before
        return scores

    def __call__(self, observation: Observation, rng: np.random.Generator) -> int:
        """The best action known; where nothing is, none."""
        values = self._table.get(self._cell(observation))
        return FLAT if values is None or not values.any() else int(values.argmax())

    def _learn(self, env: TradingEnv, table: defaultdict[Any, Float], rng: np.random.Generator, number: int) -> None:
        observation, _ = env.reset(seed=number)
        cell, over = self._cell(observation), False
        while not over:
            action = int(rng.integers(ACTIONS)) if rng.random() < EXPLORATION else int(table[cell].argmax())
            observation, reward, _, over, _ = env.step(action)
            following = self._cell(observation)
            target = reward + DISCOUNT * table[following].max()
            table[cell][action] += LEARNING_RATE * (target - table[cell][action])
            cell = following

    def _cell(self, observation: Observation) -> tuple[int, ...]:
        thirds = (observation[:-1, None] > self._edges).sum(axis=1)
        return (*thirds.tolist(), round(float(observation[-1])))


def report(rows: pd.DataFrame, timeframe: str, cost: float) -> str:
    """Train on the first rows, judge all policies by the rest: what the program prints.

    Raises
    ------
    NoData
        They are too few.
    """
    if len(rows) < LEAST_ROWS:
        raise TooFew(f"{len(rows)} final signals, {LEAST_ROWS} are needed", LEAST_ROWS + 1)
    cut = int(len(rows) * LEARNED)
    agent = RLAgent(timeframe, cost=cost)
    scores = agent.train(rows[:cut])
    env = TradingEnv(rows[cut:], timeframe, cost)
    block = ((env.usable_at[:-1] - env.usable_at[0]) / np.timedelta64(BLOCK_S, "s")).astype(np.int64)
    policies: dict[str, Policy] = {**NAIVE, "table": agent}
    episodes = {name: play(env, policy) for name, policy in policies.items()}
    table = {name: block_bootstrap(each.rewards, block) for name, each in episodes.items()}
    judged = {
        name: block_bootstrap(episodes["table"].rewards - episodes[name].rewards, block)
        for name in ("stay out", "hold")
    }
    return "\n".join(
        (
            f"RL environment: {len(rows)} final {timeframe} signals, {cost:g} basis points a change of position.",
            origin(rows),
            f"The table learned from {cut}, in {len(scores)} passes; judged by {len(env.returns)} steps from"
            f" {pd.Timestamp(env.usable_at[0]):%Y-%m-%d %H:%M} on, which it had not seen.",
            "",
            "Per step, basis points: mean and what 95 % of a bootstrap of blocks of 12 h gives; sum; changes",
            *(
                f"  {name:16} {table[name].of(BASIS_POINT, '.2f'):28} sum {each.rewards.sum():+8.1%} {each.changes:6}"
                for name, each in episodes.items()
            ),
            "",
            verdict(judged, caution(rows)),
        )
    )


def verdict(judged: Mapping[str, Estimate], caution: str) -> str:
    """What the table is worth, by how much better than each naive policy it was."""
    if any(np.isnan(gain.low) for gain in judged.values()):
        return f"Too little time to tell: the judged part needs {LEAST_BLOCKS * BLOCK_S / 86400:.0f} days."
    lost = [name for name, gain in judged.items() if gain.low <= 0]
    if lost:
        return f"The table does NOT beat: {', '.join(lost)}. This is no evidence that it learned anything of use."
    return f"The table beats staying out and holding here. {caution}"


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status."""
    build = parser("rl_agent", "Run policies in a trading environment over final signals.")
    build.add_argument("--symbol", default="BTC/USDT", help="binance:BTC/USDT where several exchanges have it")
    given = build.parse_args(arguments)

    def program() -> str:
        rows = stored(given.symbol, given.timeframe, given.data_dir, given.days)
        try:
            return report(rows, given.timeframe, given.cost)
        except TooFew as error:
            raise enough(error, given.symbol, given.timeframe, given.data_dir) from error

    return run("rl_agent", program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
