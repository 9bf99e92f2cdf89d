"""The scanner as one object: start, stop and everything that can be asked of it.

One instance serves a process. Reads never wait for a scan and go on after a stop.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from scanner.clock import WallClock
from scanner.config import StreamConfig
from scanner.core.confluence import confluence
from scanner.errors import InvalidInput, NotRunning
from scanner.fullscan.panel import PanelScanner
from scanner.fullscan.settings import interval_of
from scanner.fullscan.standalone import scan_timeframes
from scanner.gateway.fitness import shortcomings
from scanner.gateway.push import check_transport
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS, Market, Wanted, parse_symbol
from scanner.order import REPLAYS, SPOT_SIMULATED, Capacity, StartOrder, limited_to, with_room, without_unfit
from scanner.records import MarketTick, iso, utc
from scanner.renames import KNOWN
from scanner.runtime.base.connecting import try_exchange
from scanner.runtime.base.orders import Orders
from scanner.runtime.base.scans import BaseScans, Scan
from scanner.runtime.columns import Record
from scanner.runtime.cycles import FullScan
from scanner.runtime.freshness_report import FreshnessQuery, rows, summary, unready
from scanner.runtime.memory import capacity
from scanner.runtime.query import SignalQuery, market_of, newest_by_style, select_records, select_signals, timeframe_of
from scanner.runtime.run import Run
from scanner.runtime.standing import StandingWish
from scanner.runtime.venue import Venue, load_recording, open_venue, replay_exchanges, spoken
from scanner.settings import Settings, listed, variable
from scanner.simulated import Recording
from scanner.store.dataset import Query, Selection
from scanner.store.gaps import Gap
from scanner.store.past import features_of
from scanner.store.reader import StoreReader
from scanner.store.retention import Limits
from scanner.store.store import TrainingStore
from scanner.store.wish import WishFile
from scanner.timeframes import DAY_MS, LENGTH_MS
from scanner.universe import ALL, Universe

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
        self._run: Run | None = None
        self._running = False
        self._recording: Recording | None = None
        self._reader = StoreReader(self.settings.data_dir)
        self.wish = StandingWish(WishFile(Path(self.settings.data_dir)), wanted=self.settings.resume)
        self.base = BaseScans(
            Orders(self.settings, interval_of, self.recording),
            base_scan,
            try_exchange,
            open_venue=lambda exchanges: self._open_venue(exchanges, self.settings, self.recording()),
            running=lambda: self._run.venue if self._run is not None and self._running else None,
        )

    # --- start and stop --------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._running

    @property
    def run(self) -> Run | None:
        """The current run, or the last one after a stop."""
        return self._run

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
        config = config or StreamConfig()
        ids = self._default_exchanges() if exchanges is None else exchanges
        if symbols is None and universe is None:
            symbols, universe = self._default_symbols()
        return self._servable(StartOrder.checked(symbols, ids, config, universe))

    def _servable(self, order: StartOrder) -> StartOrder:
        """The order without what cannot be scanned, as far as that is known before anything is; see `order`."""
        recording = self.recording()
        if recording is not None and any(exchange in REPLAYS for exchange in order.exchanges):
            order = limited_to(order, recording.timeframes_servable, f"a recording of {recording.resolution} candles")
        lacks = shortcomings(spoken(order.exchanges), order.config.base_timeframe, order.universe)
        order = without_unfit(order, lacks)
        return order if self._running else with_room(order, self._room(order))

    def resume(self) -> Run | None:
        """Start again what was being scanned when a process before this one ended without a stop.

        None where the settings do not ask for it, where nothing was being scanned, and where that cannot be scanned
        any more: the log and `status` then say why, and nothing has been started.

        Raises
        ------
        FolderInUse
            Another process owns the data folder; nothing has been started.
        """
        return self.wish.resume(lambda values: self.start(self._servable(StartOrder.from_dict(values))))

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
            if self._running:
                return None
            venue = self._open_venue(order.exchanges, self.settings, self._recording)
            store = TrainingStore(self.settings.data_dir, limits=_limits(self.settings))
            try:
                check_transport(venue.specs, order.config.transport)
                store.open()
                run = Run(order, venue, store, self.full_scan, self.renames, self._room(order))
            except BaseException:  # nothing stays open whatever went wrong; the caller hears of it
                venue.close()
                store.close()
                raise
            try:
                run.start()
            except BaseException:  # the same, with a run to end
                run.stop()
                raise
            self._run, self._running = run, True
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
            if not self._running or self._run is None:
                return False
            began = time.monotonic()
            try:
                self._run.stop()
            finally:
                self._running = False
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

    def _default_exchanges(self) -> Sequence[str]:
        recording = self.recording()
        if recording is not None:
            return replay_exchanges(recording)
        return (SPOT_SIMULATED,) if self.settings.simulated else DEFAULT_EXCHANGES

    def _default_symbols(self) -> tuple[object, Universe | None]:
        """What is scanned when a start names nothing: symbols, or a universe."""
        settings, recording = self.settings, self.recording()
        if settings.universe.strip():
            return None, Universe.from_text(settings.universe, variable("universe"))
        if settings.symbols.strip().lower() == ALL:
            return ALL, None
        if settings.symbols.strip():
            return listed(settings.symbols, variable("symbols")), None
        return tuple(recording.symbols) if recording is not None else DEFAULT_SYMBOLS, None

    def _room(self, order: StartOrder) -> Capacity | None:
        return capacity(order.config, self.settings.memory_mb)

    # --- reads -----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        if self._run is None:
            problem = f" {self.wish.problem}" if self.wish.problem else ""
            return {"running": False, "message": f"The scanner has not been started.{problem}"}
        return {"running": self._running, **self.wish.status(), **self._run.status()}

    def signals(self, query: SignalQuery) -> list[Record]:
        """The newest signal of every market and timeframe that `query` selects, best score first.

        Raises
        ------
        NotRunning
            Nothing was ever scanned here and nothing is on disk.
        """
        query = replace(query, renames=self.renames)
        if self._run is not None:
            return select_signals(self._run.state.current().signals, query, self._styles())
        return select_records(self._stored_records(), query, self._styles())

    def confluence(self, symbol: str, min_score: float = 60.0) -> Record:
        """How the timeframes of one symbol agree.

        A bare symbol is answered from the first requested exchange with fresh signals for it; the answer says which.

        Raises
        ------
        InvalidInput, NotRunning
        """
        wanted = parse_symbol(symbol, renames=self.renames)
        if self._run is not None:
            newest = self._run.state.current().signals
            records = newest.records(newest.meant(wanted))
        else:
            records = [record for record in self._stored_records() if wanted.matches(market_of(record))]
        fresh_from = utc(self._now_ms() - FRESH_CYCLES * self._signal_interval_ms())
        details = newest_by_style(records, self._exchange_order(), fresh_from)
        return _confluence_record(wanted, details, min_score)

    def market_state(self) -> dict[str, Any]:
        """Breadth, volatility regime and active signals; empty before the first evaluation. Raises NotRunning."""
        if self._run is None:
            self._require_data()
            return {}
        return dict(self._run.state.current().market_state)

    def training_data(
        self,
        symbol: str,
        days: int = 30,
        exchange: str | None = None,
        timeframe: str | None = None,
        *,
        final_only: bool = False,
    ) -> Selection:
        """What was kept of one symbol in the last `days` days; `timeframe` may be a style.

        Raises
        ------
        InvalidInput, NothingStored, StoreFailure
        """
        wanted = parse_symbol(symbol, renames=self.renames).on(exchange)
        query = Query(wanted, days, timeframe_of(timeframe, self._styles()), final_only)
        styles = self._styles().values() if self._run is not None else LENGTH_MS
        return self._store().select(query, tuple(styles), self._now_ms())

    def features(
        self,
        symbol: str,
        days: int = 30,
        exchange: str | None = None,
        timeframe: str | None = None,
        as_of_ms: int | None = None,
    ) -> pa.Table:
        """One row per final signal of one symbol, with features and labels, as known now or at a past moment.

        Raises
        ------
        InvalidInput, NothingStored, StoreFailure
        """
        wanted, now_ms = parse_symbol(symbol, renames=self.renames).on(exchange), self._now_ms()
        if as_of_ms is not None and as_of_ms > now_ms:
            raise InvalidInput("as_of", iso(as_of_ms), f"has not come yet, it is {iso(now_ms)}")
        query = Query(wanted, days, timeframe_of(timeframe, self._styles()), final_only=True)
        at_ms = now_ms if as_of_ms is None else as_of_ms
        return features_of(self._store(), query, at_ms, tuple(self._styles().values()))

    def _store(self) -> StoreReader:
        """Where everything kept can be read: of a run that goes on also what is not in its files yet."""
        return self._run.store if self._run is not None and self._running else self._reader

    def freshness(self, query: FreshnessQuery) -> dict[str, Any]:
        """How fresh the data of the current or last run are: a summary, and the rows that `query` selects.

        Raises
        ------
        InvalidInput
        NotRunning
            Nothing was started yet.
        """
        if self._run is None:
            raise NotRunning("The scanner has not been started.")
        found = self._run.freshness()
        return {"summary": summary(found), "markets": rows(found, query, self._styles())}

    def unready(self) -> list[str]:
        """Why what is shown cannot be relied on now; nothing when it can."""
        run = self._run
        if run is None or not self._running:
            return unready(False, {}, [])
        return unready(True, run.exchange_states(), run.freshness())

    def gaps(
        self, exchange: str | None = None, symbol: str | None = None, cause: str | None = None, days: int = 30
    ) -> list[dict[str, Any]]:
        """What the gap ledger says of the last `days` days, newest first; those that last are first.

        `symbol` selects that market's gaps and those of its whole exchange.

        Raises
        ------
        InvalidInput, StoreFailure
        """
        wanted = None if symbol is None else parse_symbol(symbol, allow_base=True)
        run = self._run
        found = self._reader.gaps.read(self._now_ms() - days * DAY_MS, exchange)
        lasting = run.watch.open_gaps() if run is not None and self._running else []
        return [
            {**gap.as_record(), "backfilled": gap.backfilled}
            for gap in [*lasting, *found]
            if exchange in (None, gap.exchange) and cause in (None, gap.cause) and _concerns(gap, wanted)
        ]

    def full_scan_results(self) -> dict[str, Any] | None:
        scan = self._run.state.current().full_scan if self._run is not None else None
        return dict(scan) if scan is not None else None

    def tick_buffers(self) -> dict[str, deque[MarketTick]]:
        """Kept ticks by market, ``binance:BTC/USDT``."""
        if self._run is None:
            return {}
        tables = self._run.state.current().ticks.values()
        return {str(market): table.buffer(row) for table in tables for row, market in enumerate(table.markets)}

    def candle_buffers(self) -> dict[tuple[str, str], deque[list[float]]]:
        """Kept candles as [open time ms, open, high, low, close, volume] by (market, timeframe)."""
        if self._run is None:
            return {}
        return {
            (str(market), timeframe): _candle_rows(book.candles_of(market, timeframe))
            for book in self._run.books.by_exchange.values()
            for market in book.markets
            for timeframe in book.timeframes
        }

    def signal_history(self) -> dict[str, deque[Record]]:
        """Kept signals by ``binance:BTC/USDT:5m``."""
        return self._run.state.history() if self._run is not None else {}

    def _stored_records(self) -> list[Record]:
        self._require_data()
        return self._reader.newest_signals()

    def _require_data(self) -> None:
        if not self._reader.has_anything():
            raise NotRunning("The scanner has not been started and nothing is stored; POST a start first.")

    def _now_ms(self) -> int:
        """Market time of the current or last run; real time before any."""
        return (self._run.venue.clock if self._run is not None else WallClock()).now_ms()

    def _signal_interval_ms(self) -> int:
        config = self._run.order.config if self._run is not None else StreamConfig()
        return config.signal_generation_interval * 1000

    def _styles(self) -> Mapping[str, str]:
        return self._run.order.config.styles if self._run is not None else StreamConfig().styles

    def _exchange_order(self) -> Sequence[str]:
        return self._run.order.exchanges if self._run is not None else DEFAULT_EXCHANGES


def _concerns(gap: Gap, wanted: Wanted | None) -> bool:
    """Whether a gap is one of a market that is wanted, or of its whole exchange."""
    if wanted is None:
        return True
    if gap.symbol is None:
        return wanted.exchange in (None, gap.exchange)
    return wanted.matches(Market(gap.exchange, gap.symbol))


def _candle_rows(kept: tuple[Any, Any]) -> deque[list[float]]:
    open_time, candles = kept
    return deque(np.column_stack([open_time, *candles.columns()]).tolist())


def _confluence_record(wanted: Wanted, details: Mapping[str, Record], min_score: float) -> Record:
    """The answer for one symbol, with the full set of keys even when there is nothing."""
    scores = [record["combined_score"] or 0.0 for record in details.values()]
    result = confluence(scores, [record["signal_type"] for record in details.values()], min_score)
    first = next(iter(details.values()), None)
    answer: Record = {
        "symbol": first["symbol"] if first else wanted.symbol,
        "exchange": first["exchange"] if first else wanted.exchange,
        "confluence": result.confluence,
        "timeframes_analyzed": result.timeframes_analyzed,
        "average_score": result.average_score,
        "bullish_timeframes": result.bullish_timeframes,
        "bearish_timeframes": result.bearish_timeframes,
        "dominant_bias": result.dominant_bias,
        "timeframe_details": details,
        "recommendation": result.recommendation,
    }
    return answer if details else {**answer, "message": "No signals found"}


def _limits(settings: Settings) -> Limits:
    return Limits(settings.keep_days, settings.keep_mb * 1_000_000, settings.keep_free_mb * 1_000_000)
