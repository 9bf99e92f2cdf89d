"""Fibonacci levels of the last swing, and how many things meet at the price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from scanner.core.candles import Float

LOOK_BACK = 55  # candles
RETRACEMENTS = (0.0, 0.236, 0.382, 0.5, 0.618, 0.786, 1.0)
EXTENSIONS = (1.272, 1.618, 2.0)
NEAR = 0.005  # of the price


@dataclass(frozen=True)
class Fibonacci:
    """Levels by ratio; `direction` is bull when the swing's high came after its low, else bear. Empty: no swing."""

    direction: str | None = None
    retracements: dict[float, float] = field(default_factory=dict)
    extensions: dict[float, float] = field(default_factory=dict)

    @property
    def levels(self) -> list[float]:
        return [*self.retracements.values(), *self.extensions.values()]


def fibonacci(high: Float, low: Float) -> Fibonacci:
    """Levels of the swing in the newest 55 candles; empty where there are fewer.

    A bull swing retraces down from its high and extends above it; a bear swing retraces up from its low and extends
    below it.
    """
    if len(high) < LOOK_BACK:
        return Fibonacci()
    high, low = high[-LOOK_BACK:], low[-LOOK_BACK:]
    top, bottom = float(high.max()), float(low.min())
    bull = int(high.argmax()) > int(low.argmin())
    start, sign = (top, -1) if bull else (bottom, 1)
    span = top - bottom
    return Fibonacci(
        "bull" if bull else "bear",
        {ratio: start + sign * ratio * span for ratio in RETRACEMENTS},
        {ratio: start - sign * (ratio - 1) * span for ratio in EXTENSIONS},
    )


def nearest(levels: Iterable[float], price: float) -> float | None:
    """The level closest to the price; None without levels."""
    return min(levels, key=lambda level: abs(level - price), default=None)


def confluence(price: float, swing: Fibonacci, poc: float | None, vwap: float | None) -> float:
    """20 for each level, POC and VWAP within half a percent of the price, at most 100."""
    lines = [*swing.levels, *(line for line in (poc, vwap) if line is not None)]
    return float(min(100, 20 * sum(abs(line - price) <= NEAR * price for line in lines)))
