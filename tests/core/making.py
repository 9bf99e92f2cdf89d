"""Candles for the tests of the core: written out by hand, or drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from scanner.config import StreamConfig
from scanner.core.candles import Candles
from scanner.core.results import Batch

ABSOLUTE, CALIBRATED = StreamConfig(), StreamConfig(scoring="calibrated")
BOTH = [ABSOLUTE, CALIBRATED]
POISONS = (np.nan, 0.0, np.inf, -np.inf, -1.0, 1e300)


def candles_of(close: Any, volume: Any, open_: Any = None) -> Candles:
    """Candles float64[..., W] from closes and volumes; each opens at the close before, the first at its own."""
    close, volume = np.array(close, dtype=float), np.array(volume, dtype=float)
    if open_ is None:
        open_ = np.concatenate([close[..., :1], close[..., :-1]], axis=-1)
    open_ = np.array(open_, dtype=float)
    return Candles(open_, np.maximum(open_, close), np.minimum(open_, close), close, volume)


def copied(candles: Candles) -> Candles:
    return Candles(*(column.copy() for column in candles.columns()))


@st.composite
def random_candles(
    draw: st.DrawFn, markets: int | None = None, length: int | None = None, whole: bool = False
) -> Candles:
    """Candles float64[M, T] of markets that differ: wild and quiet, thin, flat, trending, bursting.

    With `whole` numbers, sums are exact in any order, and an oracle that adds up differently still agrees about which
    side of a threshold a market is on.
    """
    rows = markets or draw(st.integers(1, 5))
    count = length or draw(st.integers(100, 130))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = rng.choice([0.0005, 0.004, 0.02, 0.06], (rows, 1))
    still = rng.random((rows, count)) < rng.choice([0.0, 0.3, 0.9, 1.0], (rows, 1), p=[0.4, 0.3, 0.2, 0.1])
    step = np.where(still, 0.0, size * (rng.standard_t(3, (rows, count)).clip(-8, 8) + rng.normal(0, 0.5, (rows, 1))))
    burst = rng.random((rows, 1)) < 0.5
    step[:, -6:] = np.where(burst, np.abs(step[:, -6:]) * rng.choice([-3, 3], (rows, 1)), step[:, -6:])
    close = 1e4 * np.exp(np.cumsum(step, axis=-1)).clip(1e-3, 1e3)
    volume = rng.lognormal(6, 1, (rows, count)) * ~still
    volume[:, -3:] *= np.where(burst, [12, 9, 7], 1)
    return candles_of(np.ceil(close), np.floor(volume)) if whole else candles_of(close, volume)


def bits(result: Any) -> Any:
    """Every array of a result as bytes with its shape and type: equal only where equal to the last bit."""
    if isinstance(result, Batch):
        return {name: bits(value) for name, value in vars(result).items()}
    return result.shape, result.dtype.str, np.ascontiguousarray(result).tobytes()


def values(result: Batch) -> dict[str, Any]:
    """Fields of a result for a single window as Python values."""
    return {name: value.item() for name, value in vars(result).items() if not isinstance(value, Batch)}
