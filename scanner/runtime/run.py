"""One run of the scanner: from a start to its stop, owning everything it opened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from scanner.config import StreamConfig
from scanner.gateway.answers import ExchangeState
from scanner.gateway.gateway import Gateway
from scanner.gateway.relisting import RELIST_S
from scanner.order import Capacity, StartOrder
from scanner.renames import KNOWN, Renames
from scanner.runtime.book.books import Books
from scanner.runtime.cycles.full_scan import FullScan, FullScanCycle
from scanner.runtime.cycles.market_state import MarketStateCycle
from scanner.runtime.cycles.prices import PriceCycle
from scanner.runtime.cycles.signals import SignalCycle
from scanner.runtime.freshness import Freshness, Intervals, judge, with_delisted
from scanner.runtime.freshness_report import summary
from scanner.runtime.holding import Holdings
from scanner.runtime.leavers import without
from scanner.runtime.recorder import Recorder
from scanner.runtime.rhythm import Rhythm
from scanner.runtime.state import Snapshot, State
from scanner.runtime.streams import SHORTEST_S, Streams
from scanner.runtime.universe_report import remembered, renamed, universe_status
from scanner.runtime.venue import Venue
from scanner.runtime.watch import GapWatch
from scanner.store.gaps import Gap
from scanner.store.store import TrainingStore
from scanner.timeframes import length_ms

log = logging.getLogger(__name__)

SHORTEST_REFRESH_S = 1.0  # between two lists of markets, however fast market time runs
STOP_S = 4.5  # everything of a run has ended within this
JUDGED_EVERY_S = 1.0  # freshness: readers between two judgements get the same one
SHORTEST_JUDGED_S = 2.0  # real seconds within which data may be expected where market time runs fast
FULL_SCAN_SHARE = 0.25  # of its interval: signals and prices need the processor too
FULL_SCAN_S = 2.0  # and never longer: a stop waits for it


class Run:
    """Gateway, streams and books of one start; `stop` ends them all, and its state stays readable."""

    def __init__(
        self,
        order: StartOrder,
        venue: Venue,
        store: TrainingStore,
        full_scan: FullScan,
        renames: Renames = KNOWN,
        room: Capacity | None = None,
    ) -> None:
        self.order, self.venue, self.store, self.renames = order, venue, store, renames
        self.started_at = datetime.now(UTC)
        config, clock = order.config, venue.clock
        self.state = State(config.max_signals_per_market)
        self.books = Books(config, clock.now_ms(), venue.simulated, store, venue.end_ms)
        self.recorder = Recorder(store, config, clock.now_ms())
        self.watch = GapWatch(store.gaps)
        intervals = {
            "prices": config.price_update_interval,
            "signals": config.signal_generation_interval,
            "market_state": config.market_state_interval,
            "full_scan": config.scan_interval,
            "universe": config.universe_refresh_interval,
        }
        cadence = {name: seconds / clock.speed for name, seconds in intervals.items()}
        self.gateway = Gateway(
            venue.specs,
            order.symbols,
            clock,
            timeframes=tuple(config.styles.values()),
            weight_share=config.weight_share,
            price_interval_s=max(cadence["prices"], SHORTEST_S),
            transport=config.transport,
            universe=order.universe,
            renames=renames,
            relist_s=RELIST_S if order.universe is None else max(cadence["universe"], SHORTEST_REFRESH_S),
            capacity=room,
            remembered=remembered(order.universe, store, [spec.id for spec in venue.specs]),
        )
        self.intervals = _intervals(config, clock.speed)
        self._judged: tuple[float, list[Freshness]] = (float("-inf"), [])
        holdings = Holdings(self.state, self.intervals)
        market_state = MarketStateCycle(self.books, self.state, config, clock)
        self._signals = SignalCycle(
            self.gateway,
            self.books,
            self.state,
            self.recorder,
            self.watch,
            clock,
            _deadline_s(cadence["signals"]),
            evaluate=market_state,
            holdings=holdings,
        )
        jobs: dict[str, Callable[[], None]] = {
            "prices": PriceCycle(self.gateway, self.state, holdings, config, _deadline_s(cadence["prices"])),
            "signals": self._signals,
            "market_state": market_state,
            "full_scan": FullScanCycle(
                self.books, self.state, clock, full_scan, _full_scan_deadline_s(cadence["full_scan"])
            ),
        }
        self._last_states: dict[str, ExchangeState] | None = None  # as they were when the run ended
        rhythm = Rhythm(
            max(cadence["signals"], SHORTEST_S),
            length_ms(config.base_timeframe),
            int(config.finality_grace_s * 1000),
            self.now_ms,
            clock.speed,
        )
        self.streams = Streams(
            {name: (cadence[name], job) for name, job in jobs.items()}, waits={"signals": rhythm.wait_s}
        )

    def start(self) -> None:
        self.gateway.start()
        self.streams.start()

    def stop(self) -> None:
        """End everything within `STOP_S`; waits of the streams end because the gateway has gone."""
        ends = time.monotonic() + STOP_S
        self._last_states = self._last_states or self.gateway.states()
        try:
            self.streams.pause()
            self._signals.end()
            self.gateway.stop(deadline_s=STOP_S / 2)
            self.streams.stop(max(ends - time.monotonic(), 0.5))
            self.recorder.keep_universes(self.gateway.new_universes())
        finally:
            self.store.state_losses()
            self.watch.end(self.gateway.now_ms)
            self.venue.close(max(ends - time.monotonic(), 0.5))
            self.store.close(within_s=max(ends - time.monotonic(), 0.5))

    def now_ms(self) -> int:
        """Market time by the exchanges' clocks; where they differ, by the one that closes its candles last."""
        return min(self.gateway.now_ms(spec.id) for spec in self.venue.specs)

    def exchange_states(self) -> dict[str, ExchangeState]:
        """How every exchange is doing, or was when the run ended."""
        return self._last_states or self.gateway.states()

    def freshness(self) -> list[Freshness]:
        """How fresh everything held of each exchange is, judged at most once a second."""
        judged_at, judged = self._judged
        if time.monotonic() - judged_at >= JUDGED_EVERY_S:
            judged = self._judge(self.state.current())
            self._judged = (time.monotonic(), judged)
        return judged

    def _judge(self, snapshot: Snapshot) -> list[Freshness]:
        states, found = self.exchange_states(), []
        for name, held in snapshot.held.items():
            table = snapshot.ticks.get(name)
            price_ms = table.newest(held.markets)[1] if table else np.zeros(len(held.markets), dtype=np.int64)
            word, cause = states[name].state, states[name].cause
            delisted = frozenset(self.gateway.delisted(name))
            stir, now_ms = snapshot.prices.get(name), self.gateway.now_ms(name)
            judged = judge(name, held, price_ms, stir, self.intervals, now_ms, word, cause, delisted)
            judged = without(judged, frozenset(held.markets) - delisted - frozenset(self.gateway.markets()[name]))
            found.append(with_delisted(judged, tuple(sorted(delisted))))
        return found

    def open_gaps(self) -> list[Gap]:
        """Outages that last, and what the disk still refuses."""
        return [*self.watch.open_gaps(), *self.store.losses()]

    def nothing_to_scan(self) -> str | None:
        """Why no exchange can be scanned as things stand; None while one can, or may turn out to."""
        states = self.exchange_states().values()
        if self.state.current().ticks or not all(state.is_idle for state in states):
            return None
        return "; ".join(str(state.cause) for state in states)

    @property
    def exhausted(self) -> bool:
        """Whether a recording has been scanned to its last candle."""
        end_ms = self.venue.end_ms
        return end_ms is not None and self._signals.settled_ms >= end_ms + self.order.config.finality_grace_s * 1000

    def status(self) -> dict[str, Any]:
        """Everything `status` says of this run besides whether it is running."""
        snapshot = self.state.current()
        return {
            "market_state": dict(snapshot.market_state),
            "buffer_stats": {
                "ticks": sum(len(table.markets) for table in snapshot.ticks.values()),
                "candles": snapshot.candle_buffers,
                "signals": snapshot.kept_signals,
            },
            "exchanges": {
                name: _exchange_status(state) | {"candles": asdict(self.books.tally(name))}
                for name, state in self.exchange_states().items()
            },
            "freshness": summary(self.freshness()),
            "streams": self.streams.figures(),
            "skipped": {**self.order.skipped, **self.gateway.skipped()},
            "renamed": renamed(self.gateway.renamed(), self.renames),
            "universe": universe_status(self.order.universe, self.gateway.universes()),
            "started_at": self.started_at.isoformat(),
            "config": self.order.config.as_dict(),
            "store": self.store.health(),
            "simulated": any(self.venue.simulated.values()),
            "notes": [*self.venue.notes, *self.books.notes],
        }


def _exchange_status(state: ExchangeState) -> dict[str, Any]:
    return {
        "state": state.state,
        "cause": state.cause,
        "listing_cause": state.listing_cause,
        "markets": state.markets,
        "clock_ahead_s": state.ahead_ms / 1000,
        "last_data": datetime.fromtimestamp(state.last_data_ms / 1000, UTC).isoformat() if state.last_data_ms else None,
        "weight": asdict(state.weight),
        "deferred": {
            purpose: {"count": waiting.count, "oldest_s": waiting.oldest_s and round(waiting.oldest_s, 1)}
            for purpose, waiting in state.deferred.items()
        },
        "transport": state.transport,
        "push": None if state.push is None else asdict(state.push),
    }


def _intervals(config: StreamConfig, speed: float) -> Intervals:
    """How often data come in, in market ms; where market time runs fast, no stream keeps up with its own interval."""
    shortest_s = SHORTEST_JUDGED_S * speed if speed > 1 else 0.0
    prices_s, signals_s = (
        max(config.price_update_interval, shortest_s),
        max(config.signal_generation_interval, shortest_s),
    )
    return Intervals(int(prices_s * 1000), int(signals_s * 1000), int(config.finality_grace_s * 1000))


def _full_scan_deadline_s(cadence_s: float) -> float:
    """How long a full scan may compute."""
    return min(max(cadence_s, SHORTEST_S) * FULL_SCAN_SHARE, FULL_SCAN_S)


def _deadline_s(cadence_s: float) -> float:
    """How long a stream waits for answers: most of its interval, and never so short that nothing can land."""
    return max(0.8 * cadence_s, 3.0)
