"""A trading environment over final signals, for agents that learn a policy; `examples.rl_agent` runs some in it.

A step is one final signal. The agent sees its features, known by then, and the position it has; it says short, flat or
long; it is paid the return from the fill of this step to that of the next, less costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from examples.commandline import NEEDED
from examples.rows import LENGTHS, STATE, numeric

try:
    import gymnasium
except ModuleNotFoundError as error:
    raise SystemExit(NEEDED.format("gymnasium")) from error

SHORT, FLAT, LONG = range(3)
LARGEST = {"momentum_score": 100.0, "reversion_score": 100.0, "rsi": 100.0, "percentile": 100.0}  # others: 1
NEUTRAL = 0.5  # what an unknown feature is taken for
LEAST_STEPS = 2

Observation = NDArray[np.float32]


class TradingEnv(gymnasium.Env[Observation, np.int64]):
    """One market, one timeframe, one position of -1, 0 or 1.

    Observation: the features, each from 0 to 1, and the position, from -1 to 1. Action: 0 short, 1 flat, 2 long.

    A decision is filled at the close of the first candle that closes after its signal could be acted on: nothing is
    traded at a price that had gone by. The reward is the position times the return from this fill to the next, less
    the cost of the change. It is known only then, a candle after the next observation: learn from it, but let no policy
    decide by it.

    Parameters
    ----------
    rows : DataFrame
        Rows of one market, as `examples.rows` gives them.
    cost : float
        Basis points of a change of position by one, fee and slippage together.
    state_features : sequence of str
        Columns that make the state; each lies between 0 and its largest value.
    steps : int, optional
        Length of an episode, which then begins anywhere; by default all rows from the first.

    Raises
    ------
    ValueError
        The rows are of several markets, a feature is not there or not within bounds, or they are fewer than an episode.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as gymnasium declares it

    def __init__(
        self,
        rows: pd.DataFrame,
        timeframe: str = "5m",
        cost: float = 10.0,
        state_features: Sequence[str] = STATE,
        steps: int | None = None,
    ) -> None:
        markets = [":".join(pair) for pair in rows[["exchange", "symbol"]].drop_duplicates().to_numpy()]
        if len(markets) > 1:
            raise ValueError(f"rows of {', '.join(markets)}; an environment is of one market")
        rows = rows.sort_values(["usable_at", "candle_time"], ignore_index=True)
        rows, price = filled(rows, pd.Timedelta(seconds=LENGTHS[timeframe]))
        self.cost, self.usable_at = cost * 1e-4, rows["usable_at"].dt.tz_localize(None).to_numpy()
        self.returns = price[1:] / price[:-1] - 1  # [steps]: of step i, from its fill to the next
        self.features = scaled(rows, state_features)  # [steps + 1, features]
        self.steps = len(self.returns) if steps is None else steps
        if not LEAST_STEPS <= self.steps <= len(self.returns):
            raise ValueError(f"{len(self.returns)} steps can be made of these rows, {max(self.steps, 2)} are wanted")
        low, high = np.zeros(self.features.shape[1] + 1), np.ones(self.features.shape[1] + 1)
        low[-1] = -1
        self.observation_space = gymnasium.spaces.Box(low.astype(np.float32), high.astype(np.float32))
        self.action_space = gymnasium.spaces.Discrete(3)
        self._at, self._end, self._position = 0, self.steps, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self._at = int(self.np_random.integers(len(self.returns) - self.steps + 1))
        self._end, self._position = self._at + self.steps, 0
        return self._seen()

    def step(self, action: int | np.integer[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        if self._at >= self._end:
            raise RuntimeError("the episode is over; reset() begins another")
        position = int(action) - 1
        reward = position * self.returns[self._at] - self.cost * abs(position - self._position)
        self._at, self._position = self._at + 1, position
        observation, info = self._seen()
        return observation, float(reward), False, self._at == self._end, info

    def _seen(self) -> tuple[Observation, dict[str, Any]]:
        observation = np.append(self.features[self._at], np.float32(self._position))
        return observation, {"usable_at": self.usable_at[self._at], "position": self._position}


def filled(rows: pd.DataFrame, length: pd.Timedelta) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """The rows whose decision is filled within them, and at which price: the first close after `usable_at`."""
    prices = rows.sort_values("candle_time")
    closed = (prices["candle_time"] + length).to_numpy()
    index = np.searchsorted(closed, rows["usable_at"].to_numpy(), side="right")
    inside = index < len(closed)
    return rows[inside].reset_index(drop=True), prices["price"].to_numpy(np.float64)[index[inside]]


def scaled(rows: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """Features from 0 to 1, float32[n, features]; unknown ones are `NEUTRAL`."""
    table = numeric(rows, names)
    values = (table / [LARGEST.get(name, 1.0) for name in names]).fillna(NEUTRAL)
    outside = [name for name in names if not values[name].between(0, 1).all()]
    if outside:
        raise ValueError(f"{', '.join(outside)}: not from 0 to {LARGEST.get(outside[0], 1.0):g}; scale before use")
    return values.to_numpy(np.float32)
