"""A backfill from its start to its end: list markets, fetch what is missing, make the signals of all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from scanner.config import StreamConfig
from scanner.errors import StoreFailure
from scanner.gateway.gateway import Gateway
from scanner.markets import Market
from scanner.order import Capacity, StartOrder
from scanner.renames import KNOWN, Renames
from scanner.runtime.backfill.fetching import Fetching, Part
from scanner.runtime.backfill.healing import heal
from scanner.runtime.backfill.keeping import Keeping
from scanner.runtime.backfill.making import Made, make
from scanner.runtime.backfill.panels import read_panel
from scanner.runtime.backfill.progress import CANDLES, LISTING, SIGNALS, Meter, Report
from scanner.runtime.backfill.reach import Reach, panel_lengths, reaches
from scanner.runtime.backfill.surroundings import surroundings
from scanner.runtime.venue import Venue
from scanner.store.intervals import Span
from scanner.store.names import GAPS, LATE
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS

SHARE = 0.75  # of the weight that may be used: a scan beside this finds the rest
LISTING_S = 60.0  # within which an exchange has to list its markets
LOOK_S = 0.05
PRICE_INTERVAL_S = 60.0  # no prices are asked for; little weight is kept back for them
LEDGERS = (f"{GAPS}/", f"{LATE}/")
CELLS = 400_000  # candles of the base timeframe worked on together: some 200 MB


class Backfill:
    """Brings the last `days` days of what `order` names into an open `store`. `run` once; `stop` from any thread.

    Attributes
    ----------
    meter : Meter
        How far it is.
    report : Report
        What has come of it, complete when `run` has returned.
    """

    def __init__(
        self,
        order: StartOrder,
        days: int,
        venue: Venue,
        store: TrainingStore,
        renames: Renames = KNOWN,
        room: Capacity | None = None,
    ) -> None:
        self._order, self._days, self._venue, self._store = order, days, venue, store
        self._stopping = threading.Event()
        self.meter, self.report = Meter(), Report()
        self._incomplete: set[Part] = set()
        self._gateway = Gateway(
            venue.specs,
            order.symbols,
            venue.clock,
            timeframes=tuple(order.config.styles.values()),
            weight_share=SHARE * order.config.weight_share,
            price_interval_s=PRICE_INTERVAL_S,
            universe=order.universe,
            renames=renames,
            capacity=room,
        )

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing that could be had."""
        return not self._stopping.is_set() and not self.report.failed

    def stop(self) -> None:
        """End soon; what is done is kept."""
        self._stopping.set()
        self._gateway.stop()

    def run(self) -> None:
        """Do all of it.

        Raises
        ------
        StoreFailure
            The folder cannot be read or written to; what was kept before is kept. A file that fails costs its market
            alone, and is in `report.failed`.
        """
        try:
            self._gateway.start()
            markets = self._listed()
            self._fetch(markets)
        finally:
            self._gateway.stop()
        if not self._stopping.is_set():
            self._make(markets)
        for name, why in self._store.failing().items():
            if name.startswith(LEDGERS):
                self.report.failed[name] = f"cannot be written: {why}"

    def _listed(self) -> dict[str, tuple[Market, ...]]:
        """The markets of every exchange that has listed them in time."""
        self.meter.begin(LISTING, len(self._venue.specs))
        until, done = time.monotonic() + LISTING_S, 0
        while not self._stopping.is_set() and time.monotonic() < until:
            states, markets = self._gateway.states(), self._gateway.markets()
            over = sum(bool(markets[name]) or state.is_idle for name, state in states.items())
            self.meter.add(over - done)
            done = over
            if over == len(states):
                break
            self._stopping.wait(LOOK_S)
        self.report.skipped.update({**self._order.skipped, **self._gateway.skipped()})
        listed = {name: markets for name, markets in self._gateway.markets().items() if markets}
        for name, state in self._gateway.states().items():
            if name not in listed:
                self.report.failed[name] = f"{state.state}: {state.cause or 'has not listed its markets'}"
        return listed

    def _fetch(self, markets: Mapping[str, Sequence[Market]]) -> None:
        """Fetch on a thread per exchange, so that none delays another."""
        self.meter.begin(CANDLES)
        self._reaches = {name: self._reach(name) for name in markets}
        works = [
            Fetching(name, own, self._reaches[name], self._gateway, self._store, self.meter, self._stopping)
            for name, own in markets.items()
        ]
        if works:
            with ThreadPoolExecutor(len(works), thread_name_prefix="backfill") as pool:
                for outcome in [pool.submit(work) for work in works]:
                    outcome.result()
        for work in works:
            self.report.add(work.report)
            for part, why in work.incomplete.items():
                self._lack(part, why)
        for name in markets:
            heal(self._store, name, self._order.config.base_timeframe)

    def _lack(self, part: Part, why: str) -> None:
        """Candles of a market and timeframe are missing, and so it gets no signals this time."""
        self._incomplete.add(part)
        self.report.failed.setdefault(f"{part[0]} {part[1]}", why)

    def _unreadable(self, timeframe: str, market: Market, failure: StoreFailure) -> None:
        self._store.require_writable()
        self._lack((market, timeframe), str(failure))

    def _reach(self, exchange: str) -> dict[str, Reach]:
        return reaches(self._order.config, self._days, self._gateway.now_ms(exchange))

    def _make(self, markets: Mapping[str, Sequence[Market]]) -> None:
        """The signals of all days, some days at a time, of all markets together: breadth and regime are of them all."""
        everyone = [market for own in markets.values() for market in own]
        if not everyone:
            return
        config = self._order.config
        keeping = Keeping(self._store, config, self._venue.simulated, self.report)
        reach = _common(self._reaches)
        stretches = list(_stretches(reach, len(everyone), config))
        self.meter.begin(SIGNALS, len(everyone) * len(stretches))
        for stretch in stretches:
            made = self._made(everyone, stretch, reach)
            for row, market in enumerate(everyone):
                own = [each[row] for each in made if (market, each[row].timeframe) not in self._incomplete]
                if own:
                    keeping.keep(market, own, lambda: not self._stopping.is_set())
                self.meter.add(1)
                if self._stopping.is_set():
                    return

    def _made(self, markets: Sequence[Market], stretch: Span, reach: Mapping[str, Reach]) -> list[list[Made]]:
        """Per timeframe, the signals of every market for the candles that close in a stretch of whole days."""
        config, lengths, at_ms = self._order.config, panel_lengths(self._order.config), self._venue.clock.now_ms()
        base = config.base_timeframe
        made, around = [], None
        for timeframe in sorted(config.styles.values(), key=lambda name: name != base):
            step = reach[timeframe].step_ms
            first, last = stretch[0] - step, min(stretch[1] - 2 * step, reach[timeframe].last_ms)
            if last < first:
                continue
            since = max(first - (lengths[timeframe] - 1) * step, 0)
            unreadable = partial(self._unreadable, timeframe)
            panel = read_panel(self._store, markets, timeframe, since, last, unreadable)
            if around is None:
                around = surroundings(panel, first, lengths[base] - 1, config)
            made.append(make(panel, timeframe, first, around, config, at_ms))
        return made


def _common(reaches_of: Mapping[str, Mapping[str, Reach]]) -> dict[str, Reach]:
    """What all exchanges reach, whose clocks may differ by a little."""
    timeframes = next(iter(reaches_of.values()))
    return {name: min((of[name] for of in reaches_of.values()), key=lambda reach: reach.last_ms) for name in timeframes}


def _stretches(reach: Mapping[str, Reach], markets: int, config: StreamConfig) -> Iterator[Span]:
    """Whole days of closes from the first to today, as many together as memory allows."""
    base = reach[config.base_timeframe]
    lookback = (base.first_ms - base.since_ms) // base.step_ms
    span = max((CELLS // markets - lookback) * base.step_ms // DAY_MS, 1) * DAY_MS
    end = base.last_ms + 2 * base.step_ms
    for begins in range(base.first_ms + base.step_ms, end, span):
        yield begins, min(begins + span, end + -end % DAY_MS)
