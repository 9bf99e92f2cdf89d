"""The venue of a run: which exchanges, at which addresses, and whose clock.

Real exchanges run on the wall clock. The embedded ones are loopback servers of this process, started and stopped with
the run; they and the run share one market clock, which may be fast.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scanner.clock import Clock, ScaledClock, WallClock
from scanner.errors import InvalidInput
from scanner.gateway.specs import ExchangeSpec, real_exchange
from scanner.order import EMBEDDED, FUTURES_REPLAY, FUTURES_SIMULATED, REPLAYS, SPOT_REPLAY, SPOT_SIMULATED
from scanner.settings import Settings
from scanner.simulated import Limits, Recording, SimulatedExchange, binance_urls, generated, kucoinfutures_urls
from scanner.timeframes import length_ms

log = logging.getLogger(__name__)

CLOSE_S = 4.0  # for the servers to end
FASTEST = 50.0  # times real request limits, at any speed: what a machine can serve anyway
AFTERMATH_MS = 10 * 60_000  # market time goes on this long after the last recorded candle, to let it become final
WARM_UP = 600  # candles of history a replay starts with, when the recording has that many to spare


@dataclass
class Venue:
    """Exchanges, clock and, for embedded exchanges, the servers behind them, which stop with their last user."""

    specs: tuple[ExchangeSpec, ...]
    clock: Clock
    servers: list[SimulatedExchange] = field(default_factory=list)
    end_ms: int | None = None  # where a recording ends
    notes: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    _users: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self, within_s: float = CLOSE_S) -> None:
        """Give it up; the last user stops the servers, and waits so long for them to end."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            ends = time.monotonic() + within_s
            for server in self.servers:
                if not server.stop(max(ends - time.monotonic(), 0.0)):
                    log.warning("the server at %s has not ended within %.1f s", server.url, within_s)

    def share(self, exchanges: Sequence[str]) -> tuple[ExchangeSpec, ...] | None:
        """Embedded exchanges on the servers that are up here; one more user, who closes too.

        None when this venue has no server for them, or none any more.
        """
        replays = self.end_ms is not None
        with self._lock:
            if not self.servers or not self._users or any((e in REPLAYS) != replays for e in exchanges):
                return None
            self._users += 1
        return _embedded_specs(exchanges, self.servers[0].url, self.settings)

    @property
    def simulated(self) -> dict[str, bool]:
        return {spec.id: spec.simulated for spec in self.specs}


def open_venue(
    exchanges: Sequence[str], settings: Settings, recording: Recording | None = None, *, over: bool = False
) -> Venue:
    """The venue for these exchange ids; starts the embedded servers that it needs.

    A replay begins where its recording has history enough to scan; where `over`, at its end, all of it being history.

    Raises
    ------
    InvalidInput
        An id is unknown, or a replay is asked for and nothing is recorded.
    """
    if not any(exchange in EMBEDDED for exchange in exchanges):
        return Venue(tuple(real_exchange(exchange, settings.state_folder) for exchange in exchanges), WallClock())
    if any(exchange in (SPOT_REPLAY, FUTURES_REPLAY) for exchange in exchanges):
        if recording is None:
            raise InvalidInput("exchanges", list(exchanges), "asks for a replay; name the recording (SCANNER_REPLAY)")
        return _replay_venue(exchanges, replace(settings, speed=FASTEST) if over else settings, recording, over)
    clock = ScaledClock(WallClock().now_ms(), settings.speed)
    source = generated(settings.seed, settings.simulated_markets)
    server = SimulatedExchange(source, clock, limits=_limits(settings.speed))
    server.start()
    return Venue(_embedded_specs(exchanges, server.url, settings), clock, [server], settings=settings)


def spoken(exchanges: Sequence[str]) -> tuple[ExchangeSpec, ...]:
    """The exchanges of these ids, to be looked at only: the embedded ones have no address. Raises UnknownExchange."""
    return tuple(
        _embedded_specs([exchange], "", Settings())[0] if exchange in EMBEDDED else real_exchange(exchange)
        for exchange in exchanges
    )


def _replay_venue(exchanges: Sequence[str], settings: Settings, recording: Recording, over: bool) -> Venue:
    until_ms = recording.end_ms + AFTERMATH_MS
    clock = ScaledClock(until_ms if over else replay_start_ms(recording), settings.speed, until_ms)
    server = SimulatedExchange(recording, clock, limits=_limits(settings.speed))
    server.start()
    specs = _embedded_specs(exchanges, server.url, settings)
    return Venue(specs, clock, [server], recording.end_ms, list(recording.notes), settings)


def _pace(speed: float) -> float:
    """How much faster than a real one an embedded exchange may be asked: its minutes are as short as its market's."""
    return min(max(speed, 1.0), FASTEST)


def _limits(speed: float) -> Limits:
    limits, pace = Limits(), _pace(speed)
    return replace(
        limits, binance_weight=int(limits.binance_weight * pace), kucoin_weight=int(limits.kucoin_weight * pace)
    )


def _embedded_specs(exchanges: Sequence[str], url: str, settings: Settings) -> tuple[ExchangeSpec, ...]:
    protocols = {
        SPOT_SIMULATED: ("binance", binance_urls(url)),
        SPOT_REPLAY: ("binance", binance_urls(url)),
        FUTURES_SIMULATED: ("kucoinfutures", kucoinfutures_urls(url)),
        FUTURES_REPLAY: ("kucoinfutures", kucoinfutures_urls(url)),
    }
    return tuple(
        ExchangeSpec(
            exchange,
            *protocols[exchange],
            simulated=True,
            pace=_pace(settings.speed),
            state_dir=settings.state_folder,
        )
        for exchange in exchanges
    )


def replay_start_ms(recording: Recording) -> int:
    """Where a replay begins: after the warm-up, or a quarter into a recording that is too short for it."""
    step = length_ms(recording.resolution)
    warm_up = min(WARM_UP * step, (recording.end_ms - recording.start_ms) // 4)
    return recording.start_ms + warm_up // step * step


def load_recording(settings: Settings) -> Recording | None:
    """The recording the settings name, None when they name none."""
    return Recording.load(Path(settings.replay)) if settings.replay else None


def replay_exchanges(recording: Recording) -> tuple[str, ...]:
    """The exchange ids that serve what was recorded: spot symbols and swaps speak different protocols."""
    swaps = [":" in symbol for symbol in recording.symbols]
    return tuple(exchange for exchange, used in ((SPOT_REPLAY, not all(swaps)), (FUTURES_REPLAY, any(swaps))) if used)
