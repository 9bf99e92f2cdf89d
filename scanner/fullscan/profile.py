"""Volume by price: at which prices most was traded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float

BINS = 50  # edges
AROUND = 0.10  # of the whole range, on both sides of the last close


@dataclass(frozen=True)
class VolumeProfile:
    """Volume between equally spaced prices: `volume` float64[edges - 1]; `poc` is the middle of the heaviest bin."""

    edges: Float
    volume: Float
    poc: float | None  # None where nothing was traded

    @property
    def heaviest_share(self) -> float:
        """Share of the heaviest bin in all volume, 0..1; 0 where nothing was traded."""
        total = float(self.volume.sum())
        return float(self.volume.max()) / total if total > 0 else 0.0


def volume_profile(close: Float, volume: Float, edges: int = BINS) -> VolumeProfile:
    """Closes float64[n], weighted by volume, from the lowest to the highest; of equal bins the lowest is the POC."""
    bounds = np.linspace(close.min(), close.max(), edges)
    weights, _ = np.histogram(close, bins=bounds, weights=volume)
    if not weights.sum() > 0:
        return VolumeProfile(bounds, weights.astype(np.float64), None)
    heaviest = int(weights.argmax())
    return VolumeProfile(bounds, weights.astype(np.float64), float((bounds[heaviest] + bounds[heaviest + 1]) / 2))


def anchored_poc(high: Float, close: Float, volume: Float, edges: int = BINS) -> float | None:
    """The price most traded since the highest high (its first row, when there are several)."""
    anchor = int(high.argmax())
    return volume_profile(close[anchor:], volume[anchor:], edges).poc


def fixed_range_poc(high: Float, low: Float, close: Float, volume: Float, edges: int = BINS) -> float | None:
    """The price most traded near the last close; None when fewer than two closes lie there."""
    reach = AROUND * (high.max() - low.min())
    near = np.abs(close - close[-1]) <= reach
    return volume_profile(close[near], volume[near], edges).poc if near.sum() >= 2 else None
