"""Scans on demand: one whole exchange, or several at once, in the background; what they found stays readable.

Scans run one after another. The continuous scanner goes on beside them and is not touched.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import pandas as pd

from scanner.errors import Busy, ExchangeFailure, NotRunning, ScannerError
from scanner.gateway.specs import ExchangeSpec
from scanner.markets import parse_symbol
from scanner.runtime.base.agreement import agreement
from scanner.runtime.base.jobs import JobQueue, Ticket
from scanner.runtime.base.orders import Orders
from scanner.runtime.base.parallel import in_parallel
from scanner.runtime.base.places import VenueOpener, specs_of
from scanner.runtime.base.table import ExchangeOutcome, Row, ScanOrder, ScanReport, Table
from scanner.runtime.base.waiting import LOOK_S, seat, turn
from scanner.runtime.venue import Venue

log = logging.getLogger(__name__)

SCAN_S = 110.0  # longest scan of one exchange; clients that wait for it give up after 120 s
CONNECT_S = 30.0
AGREEMENT_S = 25.0  # all timeframes of one symbol, and the wait for a turn; the proxy gives up after 30 s
TURN_S = 10.0  # of it at most before a turn: what is left has to do
MOST_WAITING = 16  # scans
SCANS_WAITED_FOR = 4  # by requests; with those for agreements half of gunicorn's threads
AGREEMENTS_WAITED_FOR, AGREEMENTS_AT_ONCE = 4, 2
TOP = 50  # rows kept of one exchange
LEAST_VOLUME_USD = 100_000.0  # mean turnover of a candle


T = TypeVar("T")
Connect = Callable[[ExchangeSpec, float], None]


class Scan(Protocol):
    """A full scan of one exchange: by timeframe a frame of result columns, best row first."""

    def __call__(
        self,
        exchange: ExchangeSpec,
        timeframes: Sequence[str],
        full_analysis: bool,
        *,
        symbols: Sequence[str] | None = None,
        top_n: int = TOP,
        min_volume_usd: float = LEAST_VOLUME_USD,
        deadline_s: float,
        on_progress: Callable[[int, int], None],
    ) -> Mapping[str, pd.DataFrame]: ...


class BaseScans:
    """Takes orders, runs them, and answers from what they found.

    Parameters
    ----------
    orders : Orders
        What may be ordered, and the exchange that is meant when nobody names one.
    scan : Scan
        Scans one exchange.
    connect : callable
        Tries an exchange for some seconds; raises ExchangeFailure.
    open_venue : callable
        Makes the venue of embedded exchanges.
    running : callable
        The venue of the continuous scan, None when there is none.
    """

    def __init__(
        self,
        orders: Orders,
        scan: Scan,
        connect: Connect,
        open_venue: VenueOpener,
        running: Callable[[], Venue | None] = lambda: None,
    ) -> None:
        self.orders = orders
        self._scan, self._connect, self._open_venue, self._running = scan, connect, open_venue, running
        self._jobs = JobQueue("base-scan", MOST_WAITING)
        self._stopping = threading.Event()
        self._scan_seats = threading.BoundedSemaphore(SCANS_WAITED_FOR)
        self._seats = threading.BoundedSemaphore(AGREEMENTS_WAITED_FOR)
        self._turns = threading.BoundedSemaphore(AGREEMENTS_AT_ONCE)
        self._lock = threading.Lock()
        self._table = Table()
        self._resets = 0

    # --- scans -----------------------------------------------------------------------------------------------------

    def submit(self, order: ScanOrder) -> Ticket:
        """Scan in the background; the same order is never there twice, unless a reset lies between. Raises Busy."""
        with self._lock:
            resets = self._resets
            return self._jobs.submit((order, resets), lambda: self._run(order, resets))

    def wait_for(self, order: ScanOrder, timeout_s: float = SCAN_S + 5) -> tuple[Ticket, ScanReport | None]:
        """`submit`, and wait for the scan; no report when it has not ended after `timeout_s`.

        Raises
        ------
        ExchangeFailure
            No exchange gave anything.
        Busy
            Too many wait already and nothing was submitted; or it was dropped before its turn, or everything is to end.
        """
        full = f"{SCANS_WAITED_FOR} requests wait for scans already; leave 'sync' out, or try again in a moment"
        with seat(self._scan_seats, full):
            ticket = self.submit(order)
            return ticket, self._report(ticket.outcome, timeout_s)

    def _report(self, outcome: Future[ScanReport], timeout_s: float) -> ScanReport | None:
        ends = time.monotonic() + timeout_s
        while not outcome.done() and time.monotonic() < ends and not self._stopping.is_set():
            wait([outcome], timeout=LOOK_S)
        if self._stopping.is_set() or outcome.cancelled():
            raise Busy("the scan was dropped by a reset, or because the process ends")
        if not outcome.done():
            return None
        report = outcome.result()
        if len(report.failures) == len(report.outcomes):
            raise ExchangeFailure(report.error)
        return report

    def _run(self, order: ScanOrder, resets: int) -> ScanReport:
        """Carry an order out; publish what its exchanges gave."""
        names, began = ", ".join(order.exchanges), time.monotonic()
        log.info("scanning %s, %s", names, order.timeframe)
        found, error = self._attempt(names, lambda: self._scan_all(order))
        unopened = tuple(ExchangeOutcome(name, error=error) for name in order.exchanges)
        outcomes, opening_s = found or (unopened, 0.0)
        report = ScanReport(order, outcomes, datetime.now(UTC), opening_s, time.monotonic() - began)
        self._publish(resets, lambda table: table.after(report))
        log.info("scanned %s: %d rows in %.1f s", names, len(report.rows), report.duration_s)
        return report

    def _scan_all(self, order: ScanOrder) -> tuple[tuple[ExchangeOutcome, ...], float]:
        """What every exchange gave, each scanned on a thread of its own, and the seconds it took to open them."""
        began = time.monotonic()
        with specs_of(order.exchanges, self._running(), self._open_venue) as specs:
            opening_s = time.monotonic() - began
            work = {exchange: partial(self._scan_one, spec, order) for exchange, spec in specs.items()}
            return in_parallel(work, SCAN_S + 2), opening_s

    def _scan_one(self, spec: ExchangeSpec, order: ScanOrder) -> ExchangeOutcome:
        began, asked = time.monotonic(), [order.timeframe]
        found, error = self._attempt(
            spec.id, lambda: self._frames(spec, asked, order.full_analysis, deadline_s=SCAN_S)[order.timeframe]
        )
        frame = pd.DataFrame() if found is None else found
        scanned = int(frame.attrs.get("total_scanned", len(frame)))
        return ExchangeOutcome(spec.id, _rows(spec, frame), scanned, error, time.monotonic() - began)

    def _attempt(self, exchange: str, work: Callable[[], T]) -> tuple[T | None, str | None]:
        """What `work` gives, or what went wrong, with the exchange in front; the job boundary."""
        try:
            return work(), None
        except ScannerError as failure:
            error = _naming(exchange, failure)
            log.warning("scan failed: %s", error)
        except Exception:  # the job boundary: one exchange's fault costs no other; its cause is in the log
            error = f"{exchange}: a fault of the scanner; the cause is in its log"
            if self._stopping.is_set():
                error = f"{exchange}: the scan was ended"
                log.info("scan of %s was ended", exchange, exc_info=True)
            else:
                log.exception("scan of %s failed unforeseen", exchange)
        return None, error

    def _frames(
        self, spec: ExchangeSpec, timeframes: Sequence[str], full: bool, **options: Any
    ) -> Mapping[str, pd.DataFrame]:
        return self._scan(spec, timeframes, full, on_progress=self._go_on, **options)

    def _go_on(self, done: int, total: int) -> None:
        """Told of every market that was read; ends the scan when all is to end."""
        if self._stopping.is_set():
            raise NotRunning("the scan was ended")

    def _publish(self, resets: int, change: Callable[[Table], Table]) -> None:
        """Swap in a changed table, unless there was a reset since `resets` was read."""
        with self._lock:
            if resets == self._resets:
                self._table = change(self._table)

    # --- one symbol on several timeframes --------------------------------------------------------------------------

    def agreement(self, symbol: object, timeframes: object, min_opportunity: float) -> dict[str, Any]:
        """How timeframes of one symbol agree; waits for the exchange.

        Without an exchange in front of the symbol it is the one that answered last, else the default one.

        Raises
        ------
        InvalidInput, UnknownExchange
            The symbol or a timeframe is none; nothing was asked.
        ExchangeFailure
            The exchange could not answer.
        Busy
            Too many wait for such answers already.
        """
        wanted = parse_symbol(symbol)
        assert wanted.symbol is not None  # a base alone is not allowed here
        asked = self.orders.timeframes(timeframes)
        exchange = self.orders.exchange(wanted.exchange or next(reversed(self._table.initialized), None))
        began = time.monotonic()
        full = f"{AGREEMENTS_WAITED_FOR} requests wait for this already; try again in a moment"
        with seat(self._seats, full), turn(self._turns, began + TURN_S, self._stopping):
            found = self._analyses(exchange, wanted.symbol, asked, began + AGREEMENT_S)
        return agreement(wanted.symbol, asked, found, min_opportunity)

    def _analyses(self, exchange: str, symbol: str, timeframes: Sequence[str], until: float) -> dict[str, Row]:
        """The full analysis of a symbol on each timeframe; those without enough candles are left out."""
        options: dict[str, Any] = {"symbols": [symbol], "top_n": 1, "min_volume_usd": 0.0}
        with specs_of([exchange], self._running(), self._open_venue) as specs:
            left_s = until - time.monotonic()
            frames = self._frames(specs[exchange], timeframes, True, deadline_s=left_s, **options)
        rows = {timeframe: _rows(specs[exchange], frames[timeframe]) for timeframe in timeframes}
        return {timeframe: found[0] for timeframe, found in rows.items() if found}

    # --- initialize, reset, status ---------------------------------------------------------------------------------

    def initialize(self, exchange: str) -> bool:
        """Try an exchange in the background; False when some exchange has answered before."""
        if self._table.initialized:
            return False
        with self._lock:
            resets = self._resets
            self._jobs.submit(("connect", exchange, resets), lambda: self._try(exchange, resets))
        return True

    def _try(self, exchange: str, resets: int) -> None:
        _, error = self._attempt(exchange, lambda: self._reach(exchange))
        self._publish(resets, lambda table: table.after_connecting(exchange, error))

    def _reach(self, exchange: str) -> None:
        with specs_of([exchange], self._running(), self._open_venue) as specs:
            self._connect(specs[exchange], CONNECT_S)

    def reset(self) -> None:
        """Forget everything found; scans that wait are dropped, the one that runs will leave nothing."""
        with self._lock:
            self._resets += 1
            self._table = Table()
            self._jobs.drop_waiting()

    @property
    def table(self) -> Table:
        return self._table

    def status(self) -> Mapping[str, Any]:
        """How it is going; never waits for a scan."""
        table = self._table
        return {
            "status": "active" if table.initialized else "inactive",
            "scanner_initialized": bool(table.initialized),
            "last_scan": table.last_scan.isoformat() if table.last_scan else None,
            "results_count": sum(map(len, table.by_exchange.values())),
            "scanning": self._jobs.is_busy,
            "waiting": self._jobs.waiting,
            "last_error": table.last_error,
        }

    def end(self) -> None:
        """Take no more orders; whoever waits for a scan is answered, and scans end at the next market they read."""
        self._stopping.set()
        self._jobs.close(0)

    def close(self, deadline_s: float = 2.5) -> bool:
        """`end`, and wait for it; True when all has ended."""
        self.end()
        return self._jobs.close(deadline_s)


def _rows(spec: ExchangeSpec, frame: pd.DataFrame) -> tuple[Row, ...]:
    rows = cast(list[dict[str, Any]], frame.to_dict("records"))
    return tuple({**row, "exchange": spec.id} for row in rows)


def _naming(exchange: str, failure: ScannerError) -> str:
    """What went wrong, with the exchange in front."""
    text = str(failure) or type(failure).__name__
    return text if text.startswith(f"{exchange}:") else f"{exchange}: {text}"
