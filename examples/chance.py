"""How sure a mean is, when neighbours in time are not independent: a bootstrap of whole stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
DRAWS, LEAST_BLOCKS = 2000, 10


@dataclass(frozen=True)
class Estimate:
    """A mean with the interval that holds 95 % of its bootstrap; NaN where the time is too short to tell."""

    mean: float
    low: float
    high: float

    def of(self, unit: float, form: str) -> str:
        """``0.0021 (-0.0010 to 0.0052)``, in a unit."""
        if np.isnan(self.low):
            return f"{format(self.mean / unit, form)} (too little time to tell how sure)"
        return " ".join(
            (format(self.mean / unit, form), f"({format(self.low / unit, form)} to {format(self.high / unit, form)})")
        )


def block_bootstrap(values: Float, block: NDArray[np.int64], seed: int = 0) -> Estimate:
    """The mean of `values` and how far it would vary.

    Parameters
    ----------
    values : float64[n]
    block : int64[n]
        The stretch of time each belongs to. Stretches are drawn whole, so what hangs together within one (labels that
        overlap, markets that move together) is not counted as many independent findings.
    """
    _, row = np.unique(block, return_inverse=True)
    sums, counts = np.bincount(row, weights=values), np.bincount(row)  # [blocks]
    if len(sums) < LEAST_BLOCKS:
        return Estimate(float(values.mean()), np.nan, np.nan)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(DRAWS, len(sums)))  # [draws, blocks]
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(float(values.mean()), float(low), float(high))
