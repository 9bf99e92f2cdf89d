"""The scanner as one object: start, stop and everything that can be asked of it.

One instance serves a process. Reads never wait for a scan and go on after a stop.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scanner.config import StreamConfig
from scanner.errors import NotRunning
from scanner.fullscan.panel import PanelScanner
from scanner.fullscan.settings import interval_of
from scanner.fullscan.standalone import scan_timeframes
from scanner.gateway.push import check_transport
from scanner.markets import parse_symbol
from scanner.order import StartOrder
from scanner.records import utc
from scanner.renames import KNOWN
from scanner.runtime.base.connecting import try_exchange
from scanner.runtime.base.orders import Orders
from scanner.runtime.base.scans import BaseScans, Scan
from scanner.runtime.columns import Record
from scanner.runtime.confluence import confluence_record, newest_by_style
from scanner.runtime.cycles.full_scan import FullScan
from scanner.runtime.freshness_report import FreshnessQuery, rows, summary, unready
from scanner.runtime.kept import Kept
from scanner.runtime.latest import Latest
from scanner.runtime.orders import StartOrders
from scanner.runtime.query import SignalQuery, market_of, select_records, select_signals
from scanner.runtime.run import Run
from scanner.runtime.standing import StandingWish
from scanner.runtime.venue import Venue, load_recording, open_venue
from scanner.settings import Settings, variable
from scanner.simulated import Recording
from scanner.store.losses import Losses
from scanner.store.reader import StoreReader
from scanner.store.retention import Limits
from scanner.store.store import TrainingStore
from scanner.store.wish import WishFile
from scanner.universe import Universe

FRESH_CYCLES = 3  # a signal older than this many intervals is not fresh

log = logging.getLogger(__name__)


class ScannerService:
    """Starts and stops runs, at most one at a time, and answers from the current or the last one.

    Parameters
    ----------
    settings : Settings
        Where files go and what is scanned when a start names nothing.
    full_scan : FullScan, optional
        What the 90 s stream does; by default a `PanelScanner` of its own.
    venues : callable
        Makes the venue of a run from exchange ids, settings and a recording.
    base_scan : Scan
        Scans one whole exchange on demand.

    Attributes
    ----------
    orders : StartOrders
        Checks what a start asks for; `order` also looks at what runs.
    kept : Kept
        What can be read of markets in the data folder, scanned now or not.
    base : BaseScans
        Scans on demand; they neither need a run nor touch it.
    wish : StandingWish
        What the process after this one is to scan, where the settings ask for that.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        full_scan: FullScan | None = None,
        venues: Callable[[Sequence[str], Settings, Recording | None], Venue] = open_venue,
        base_scan: Scan = scan_timeframes,
    ) -> None:
        self.settings = settings or Settings()
        self.renames = KNOWN.extended(self.settings.renames, variable("renames"))
        self.full_scan: FullScan = full_scan or PanelScanner()
        self._open_venue = venues
        self._lock = threading.Lock()  # held while a run starts or stops, never while one scans
        self._latest = Latest()
        self._recording: Recording | None = None
        self.orders = StartOrders(self.settings, self.recording)
        self.kept = Kept(StoreReader(self.settings.data_dir), lambda: self._latest, self.renames)
        self._losses = Losses()  # of all runs, until they are stated
        self.wish = StandingWish(WishFile(Path(self.settings.data_dir)), wanted=self.settings.resume)
        self.base = BaseScans(
            Orders(self.settings, interval_of, self.recording),
            base_scan,
            try_exchange,
            open_venue=lambda exchanges: self._open_venue(exchanges, self.settings, self.recording()),
            running=lambda: run.venue if (run := self._latest.running) is not None else None,
        )

    # --- start and stop --------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._latest.is_running

    @property
    def run(self) -> Run | None:
        """The current run, or the last one after a stop."""
        return self._latest.run

    def order(
        self,
        symbols: object = None,
        exchanges: object = None,
        config: StreamConfig | None = None,
        universe: Universe | None = None,
    ) -> StartOrder:
        """A checked start order; None stands for the defaults, and a universe stands in place of symbols.

        Raises
        ------
        InvalidInput
            A value is wrong, none of the exchanges can be scanned, or there is no memory for so many markets.
        UnknownExchange
        """
        return self._possible(self.orders.order(symbols, exchanges, config, universe))

    def _possible(self, order: StartOrder) -> StartOrder:
        """What of the order can be scanned; while a scan runs its memory is taken, and a start changes nothing."""
        order = self.orders.servable(order)
        return order if self.running else self.orders.fitting(order)

    def resume(self) -> Run | None:
        """Start again what was being scanned when a process before this one ended without a stop.

        None where the settings do not ask for it, where nothing was being scanned, and where that cannot be scanned
        any more: the log and `status` then say why, and nothing has been started.

        Raises
        ------
        FolderInUse
            Another process owns the data folder; nothing has been started.
        """
        return self.wish.resume(lambda values: self.start(self._possible(StartOrder.from_dict(values))))

    def start(self, order: StartOrder) -> Run | None:
        """Start scanning; answers at once. None when a scan is already running.

        Raises
        ------
        InvalidInput
            An exchange is unknown; nothing has been started.
        FolderInUse
            Another process owns the data folder; nothing has been started.
        """
        with self._lock:
            if self.running:
                return None
            venue = self._open_venue(order.exchanges, self.settings, self._recording)
            store = TrainingStore(self.settings.data_dir, limits=_limits(self.settings), losses=self._losses)
            try:
                check_transport(venue.specs, order.config.transport)
                store.open()
                run = Run(order, venue, store, self.full_scan, self.renames, self.orders.room(order))
            except BaseException:  # nothing stays open whatever went wrong; the caller hears of it
                venue.close()
                store.close()
                raise
            try:
                run.start()
            except BaseException:  # the same, with a run to end
                run.stop()
                raise
            self._latest = Latest(run, is_running=True)
            self.wish.keep(order, store)
        log.info(
            "scanning %s on %s, timeframes %s",
            f"{len(order.symbols)} symbols" if order.universe is None else "a universe",
            ", ".join(order.exchanges),
            ", ".join(order.config.styles.values()),
        )
        return run

    def stop(self) -> bool:
        """Stop scanning and wait until it has ended; False when nothing was running. Nothing is resumed after that."""
        return self._end(wish_too=True)

    def _end(self, *, wish_too: bool) -> bool:
        with self._lock:
            if wish_too:
                self.wish.clear()
            run = self._latest.running
            if run is None:
                return False
            began = time.monotonic()
            try:
                run.stop()
            finally:
                self._latest = Latest(run)
                gc.unfreeze()  # a serving process may have kept the run's objects from the collector
        log.info("stopped after %.2f s", time.monotonic() - began)
        return True

    def close(self) -> None:
        """End with the process: the continuous scan, and scans on demand, within 8 s. The wish to run outlives it."""
        self.base.end()
        self._end(wish_too=False)
        self.base.close()

    def recording(self) -> Recording | None:
        """The recording that a replay scans, loaded once."""
        if self._recording is None:
            self._recording = load_recording(self.settings)
        return self._recording

    # --- reads -----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        latest = self._latest
        if latest.run is None:
            problem = f" {self.wish.problem}" if self.wish.problem else ""
            return {"running": False, "message": f"The scanner has not been started.{problem}"}
        return {"running": latest.is_running, **self.wish.status(), **latest.run.status()}

    def signals(self, query: SignalQuery) -> list[Record]:
        """The newest signal of every market and timeframe that `query` selects, best score first.

        Raises
        ------
        NotRunning
            Nothing was ever scanned here and nothing is on disk.
        """
        query, latest = replace(query, renames=self.renames), self._latest
        if latest.run is not None:
            return select_signals(latest.run.state.current().signals, query, latest.styles)
        return select_records(self.kept.newest_signals(), query, latest.styles)

    def confluence(self, symbol: str, min_score: float = 60.0) -> Record:
        """How the timeframes of one symbol agree.

        A bare symbol is answered from the first requested exchange with fresh signals for it; the answer says which.

        Raises
        ------
        InvalidInput, NotRunning
        """
        wanted, latest = parse_symbol(symbol, renames=self.renames), self._latest
        if latest.run is not None:
            newest = latest.run.state.current().signals
            records = newest.records(newest.meant(wanted))
        else:
            records = [record for record in self.kept.newest_signals() if wanted.matches(market_of(record))]
        fresh_from = utc(latest.now_ms() - FRESH_CYCLES * latest.config.signal_generation_interval * 1000)
        return confluence_record(wanted, newest_by_style(records, latest.exchanges, fresh_from), min_score)

    def market_state(self) -> dict[str, Any]:
        """Breadth, volatility regime and active signals; empty before the first evaluation. Raises NotRunning."""
        if self.run is None:
            self.kept.require_data()
            return {}
        return dict(self.run.state.current().market_state)

    def freshness(self, query: FreshnessQuery) -> dict[str, Any]:
        """How fresh the data of the current or last run are: a summary, and the rows that `query` selects.

        Raises
        ------
        InvalidInput
        NotRunning
            Nothing was started yet.
        """
        latest = self._latest
        if latest.run is None:
            raise NotRunning("The scanner has not been started.")
        found = latest.run.freshness()
        return {"summary": summary(found), "markets": rows(found, query, latest.styles)}

    def unready(self) -> list[str]:
        """Why what is shown cannot be relied on now; nothing when it can."""
        run = self._latest.running
        return unready(False, {}, []) if run is None else unready(True, run.exchange_states(), run.freshness())

    def full_scan_results(self) -> dict[str, Any] | None:
        """What the last full scan found; None before the first."""
        scan = self.run.state.current().full_scan if self.run is not None else None
        return dict(scan) if scan is not None else None


def _limits(settings: Settings) -> Limits:
    return Limits(settings.keep_days, settings.keep_mb * 1_000_000, settings.keep_free_mb * 1_000_000)
