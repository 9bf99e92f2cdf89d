"""Time as an argument: the clock is injected once, at the top.

Market time is what the exchange's own clock says. On a live exchange it is the wall clock; on a simulated or replayed
one it starts anywhere and may run faster.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a run reads market time; `speed` is market seconds per real second."""

    @property
    def speed(self) -> float: ...

    def now_ms(self) -> int: ...


class WallClock:
    """Real time."""

    speed = 1.0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ScaledClock:
    """Market time that starts at `start_ms` and runs `speed` times as fast as real time.

    It stands still at `until_ms`, when given: beyond the end of a recording there is nothing to see.
    """

    def __init__(self, start_ms: int, speed: float = 1.0, until_ms: int | None = None) -> None:
        self.start_ms, self.speed, self.until_ms = start_ms, speed, until_ms
        self._origin_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        now_ms = self.start_ms + int((time.monotonic_ns() - self._origin_ns) * self.speed / 1e6)
        return now_ms if self.until_ms is None else min(now_ms, self.until_ms)


class ManualClock:
    """Market time that moves only when told to."""

    speed = 1.0

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, ms: int) -> None:
        self._now_ms += ms
