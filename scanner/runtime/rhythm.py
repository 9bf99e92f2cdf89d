"""When the signal stream runs: at a fixed cadence, one run of which begins right after a close can be final.

Pure. Where the cadence lies in a candle decides how long final signals take: with a run just before the grace of a
close is over, they would wait for a whole interval more. A run within the grace is of little use, so there is none
where the interval is longer than the grace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

MARGIN_S = 0.1  # real seconds after the end of the grace: no clock is exact


@dataclass(frozen=True)
class Rhythm:
    """Runs every `interval_s` real seconds or a little oftener, so that they fit into candles.

    Parameters
    ----------
    interval_s : float
        Real seconds between two runs, at most.
    candle_ms, grace_ms : int
        Length of the shortest candle, and after its close until it is final, in market time.
    now_ms : callable
        Market time by the exchanges' clock.
    speed : float
        Market seconds per real second.
    """

    interval_s: float
    candle_ms: int
    grace_ms: int
    now_ms: Callable[[], int]
    speed: float = 1.0

    @property
    def spacing_ms(self) -> float:
        """Market time between two runs: a candle by a whole number, or a whole number of candles."""
        interval_ms = self.interval_s * 1000 * self.speed
        if interval_ms >= self.candle_ms:
            return math.floor(interval_ms / self.candle_ms) * self.candle_ms
        return self.candle_ms / math.ceil(self.candle_ms / interval_ms)

    def wait_s(self) -> float:
        """Real seconds from now, when a run begins, until the next: between a half and one and a half spacings."""
        spacing_ms = self.spacing_ms
        begins_ms = self.grace_ms + MARGIN_S * 1000 * self.speed
        wait_ms = spacing_ms - (self.now_ms() - begins_ms) % max(self.candle_ms, spacing_ms) % spacing_ms
        return (wait_ms if wait_ms >= spacing_ms / 2 else wait_ms + spacing_ms) / 1000 / self.speed
