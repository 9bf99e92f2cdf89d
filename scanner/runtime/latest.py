"""The current run, or the last one after a stop; before any, what would hold by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scanner.clock import WallClock
from scanner.config import StreamConfig
from scanner.markets import DEFAULT_EXCHANGES
from scanner.runtime.run import Run

DEFAULT_CONFIG = StreamConfig()


@dataclass(frozen=True)
class Latest:
    """What reads are answered from; replaced whole by a start and a stop.

    Attributes
    ----------
    run : Run or None
        None before the first start.
    is_running : bool
        Whether it goes on.
    """

    run: Run | None = None
    is_running: bool = False

    @property
    def running(self) -> Run | None:
        """The run, if it goes on."""
        return self.run if self.is_running else None

    @property
    def config(self) -> StreamConfig:
        return self.run.order.config if self.run is not None else DEFAULT_CONFIG

    @property
    def styles(self) -> Mapping[str, str]:
        """Style -> timeframe."""
        return self.config.styles

    @property
    def exchanges(self) -> Sequence[str]:
        """As they were asked for."""
        return self.run.order.exchanges if self.run is not None else DEFAULT_EXCHANGES

    def passed_ms(self) -> int:
        """What has passed by our clock and by those of all exchanges: what becomes known from now on is later."""
        return self.now_ms() if self.running is None else min(self.now_ms(), self.running.now_ms())

    def now_ms(self) -> int:
        """Market time of the run; real time before any."""
        return (self.run.venue.clock if self.run is not None else WallClock()).now_ms()
