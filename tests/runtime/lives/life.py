"""The life of a data folder: scans, backfills, kills and damages, one after the other, by a clock turned by hand.

After each step everything is looked at that must hold whatever has happened to the folder before.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from scanner.clock import ManualClock
from scanner.config import WINDOW, StreamConfig
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.errors import ScannerError
from scanner.fullscan.panel import PanelScanner
from scanner.gateway.specs import ExchangeSpec
from scanner.markets import Market, parse_symbol
from scanner.order import StartOrder
from scanner.records import SIGNAL_TYPES, iso
from scanner.renames import KNOWN
from scanner.runtime.backfill.backfill import Backfill
from scanner.runtime.kept import Kept
from scanner.runtime.latest import Latest
from scanner.runtime.run import Run
from scanner.runtime.venue import Venue
from scanner.store.dataset import Query
from scanner.store.reader import StoreReader
from scanner.store.store import TrainingStore
from scanner.timeframes import length_ms
from tests.runtime.lives.exchange import BEGIN_MS, STEP, WHOLE, Exchange, Line

Record = dict[str, Any]


class Faults(logging.Handler):
    """What was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage() + (f": {record.exc_info[1]!r}" if record.exc_info else ""))


@contextmanager
def without_errors() -> Iterator[None]:
    """Nothing is logged as an error meanwhile."""
    faults = Faults()
    logging.getLogger("scanner").addHandler(faults)
    try:
        yield
    finally:
        logging.getLogger("scanner").removeHandler(faults)
    assert not faults.said


class Life:
    """One data folder, its exchange, and the time."""

    def __init__(self, base: Path, now_ms: int) -> None:
        self._base, self._lives = base, 0
        self.folder = base / "0"
        self.exchange, self.clock = Exchange("binance"), ManualClock(now_ms)
        self.shown: dict[tuple[str, str, str], Record] = {}  # final signals, as they were first shown
        self.run: Run | None = None

    # --- what happens to it ----------------------------------------------------------------------------------------

    def backfill(self, markets: Sequence[Market], config: StreamConfig, days: int) -> None:
        line = Line(self.exchange, markets, self.clock)
        with without_errors(), TrainingStore(self.folder) as store, self._through(line, "backfill.backfill"):
            backfill = Backfill(self._order(markets, config), days, self._venue(), store)
            backfill.run()
        self.look(config)

    def begin(self, markets: Sequence[Market], config: StreamConfig, ahead_ms: int = 0) -> None:
        """Start to scan; the exchange's clock is ahead of ours from here on."""
        self.line = Line(self.exchange, markets, self.clock, ahead_ms)
        self.clock.advance(-ahead_ms)
        store = TrainingStore(self.folder)
        store.open()
        with self._through(self.line, "run"):
            self.run = Run(self._order(markets, config), self._venue(), store, PanelScanner())
        self.config = config

    def cycle(self, mode: str = WHOLE) -> None:
        """All streams once."""
        self.line.mode = mode
        jobs: Mapping[str, Any] = self.running.streams._jobs
        with without_errors():
            for name in ("prices", "signals", "market_state"):
                jobs[name][1]()

    def full_scan(self) -> None:
        with without_errors():
            self.running.streams._jobs["full_scan"][1]()

    def stop(self) -> None:
        self.note_shown()
        self.running.stop()
        self._over()

    def kill(self) -> None:
        """The next run finds the folder as it is now."""
        self.note_shown()
        self._lives += 1
        later = self._base / str(self._lives)
        shutil.copytree(self.folder, later)
        self.running.stop()
        shutil.rmtree(self.folder)
        self.folder = later
        self._over()

    def end(self) -> None:
        """Leave nothing behind."""
        if self.run is not None:
            self.run.stop()

    def _over(self) -> None:
        self.clock.advance(self.line.ahead_ms)
        self.run = None

    @property
    def running(self) -> Run:
        assert self.run is not None
        return self.run

    def _venue(self) -> Venue:
        return Venue((ExchangeSpec("binance", "binance"),), self.clock)

    def _order(self, markets: Sequence[Market], config: StreamConfig) -> StartOrder:
        return StartOrder.checked([market.symbol for market in markets], ["binance"], config)

    def _through(self, line: Line, module: str) -> Any:
        return patch(f"scanner.runtime.{module}.Gateway", lambda *args, **options: line)

    def harmed(self, path: Path) -> None:
        """A file or folder has been damaged by hand."""
        if "signals" in path.parts:
            self.shown.clear()

    # --- what must hold --------------------------------------------------------------------------------------------

    def note_shown(self) -> None:
        """Remember what was shown; each final signal is shown once, and is on disk as it was shown."""
        disk = finals(self.folder)
        for records in self.running.state.history().values():
            for record in records:
                if record["candle_closed"]:
                    key = key_of(record)
                    assert self.shown.setdefault(key, record) == record, f"{key} was shown twice, and differs"
                    assert key in disk, f"{key} was shown and is not kept; {self.running.store.health()}"
                    same = {name: disk[key][name] for name in ("timestamp", "combined_score", "candle_time")}
                    assert same == {name: json_like(record[name]) for name in same}

    def everybody_is_fresh(self) -> None:
        """After a cycle in which the exchange has answered everything."""
        now_ms, snapshot = self.line.true_ms(), self.running.state.current()
        for timeframe in self.config.styles.values():
            batches = snapshot.newest.get(("binance", timeframe), ())
            made = {market: batch.at_ms for batch in batches for market in batch.markets}
            assert made == dict.fromkeys(self.line.markets()["binance"], now_ms), timeframe
        status = self.running.status()
        assert status["freshness"]
        assert status["exchanges"]["binance"]["markets"] == len(made)
        json.dumps(status, default=str)

    def all_candles_are_kept(self) -> None:
        """Of what a run covers, the store has what the exchange has."""
        run = self.running
        book = run.books.by_exchange["binance"]
        run.recorder.keep_candles(book.newly_closed())
        for row, market in enumerate(book.markets):
            for timeframe in book.timeframes:
                panel, step = book.panels[timeframe], length_ms(timeframe)
                until = int(book.marks[timeframe].final_through_ms[row]) + step
                known = ~np.isnan(panel.close[row]) & ~panel.filled[row] & (panel.open_time < until)
                since = int(max(book.coverage.complete_from_ms[row], panel.open_time[0]))
                since += -since % step
                opens, _ = self.exchange.candles(market, timeframe, since, until, self.line.true_ms())
                kept = run.store.candles(market, timeframe)
                missing = np.setdiff1d(np.union1d(opens, panel.open_time[known]), kept.open_time)
                assert not len(missing), f"{market} {timeframe} lacks {[iso(int(each)) for each in missing[:5]]}"

    def look(self, config: StreamConfig) -> None:
        """At the folder and the answers made of it, when nothing writes to it."""
        now_ms = self.clock.now_ms()
        reader = StoreReader(self.folder)
        finals(self.folder)
        for market in reader.markets():
            for timeframe in ("5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d"):
                self._look_at_candles(reader, market, timeframe, now_ms)
        kept = Kept(reader, lambda: Latest(), KNOWN)
        for symbol in ("BTC", "binance:ETH/USDT", "NEW/USDT"):
            for timeframe in (None, config.base_timeframe, "2h"):
                with suppress(ScannerError):  # named, as nothing is stored or a file is damaged
                    answer = kept.training_data(symbol, 30, timeframe=timeframe)
                    reader.dataset(Query(parse_symbol(symbol), 30, timeframe), config.styles.values(), now_ms)
                    kept.features(symbol, 30, timeframe=timeframe, timeframes=tuple(config.styles.values()))
                    kept.features(symbol, 30, timeframe=timeframe, as_of_ms=now_ms - 3 * STEP)
                    json.dumps(answer.as_dict())

    def _look_at_candles(self, reader: StoreReader, market: Market, timeframe: str, now_ms: int) -> None:
        rows, step = reader.candles(market, timeframe), length_ms(timeframe)
        if not len(rows) or market not in self.exchange.walks:
            return
        reader.holes(market, timeframe)
        assert (np.diff(rows.open_time) > 0).all()
        assert int(rows.open_time[-1]) + step <= now_ms
        first = int(rows.open_time[0])
        opens, values = self.exchange.candles(market, timeframe, first, now_ms, now_ms)
        parts = step // STEP
        at = (rows.open_time - BEGIN_MS) // STEP
        changed = self.exchange.walks[market].changed
        sure = np.array([not changed[i : i + parts].any() for i in at])
        stray = rows.open_time[sure & ~np.isin(rows.open_time, opens)]
        assert not len(stray), f"{market} {timeframe}: nobody traded at {[iso(int(each)) for each in stray[:5]]}"
        place = np.searchsorted(opens, rows.open_time[sure])
        wrong = ~np.isclose(rows.values[sure], values[place], rtol=1e-9).all(axis=1)
        told = [iso(int(each)) for each in rows.open_time[sure][wrong][:5]]
        assert not wrong.any(), f"{market} {timeframe}: other candles at {told}"

    def signals_are_those_of_the_exchange(self, config: StreamConfig, most: int = 60) -> None:
        """Final signals are what their candles say, whatever way these have come."""
        found = finals(self.folder)
        for (name, timeframe, _), record in list(found.items())[:: max(len(found) // most, 1)]:
            if record["params_id"] == config.params_id and timeframe in config.styles.values():
                self._compare(Market.parse(name), timeframe, record, config)

    def _compare(self, market: Market, timeframe: str, record: Record, config: StreamConfig) -> None:
        step, parts = length_ms(timeframe), length_ms(timeframe) // STEP
        open_ms = int(np.datetime64(record["candle_time"][:19], "ms").astype(np.int64))
        first_ms = open_ms - (WINDOW - 1) * step
        at = (first_ms - 20 * step - BEGIN_MS) // STEP
        if at < 0 or self.exchange.walks[market].changed[at : at + (WINDOW + 20) * parts].any():
            return
        since = first_ms - 20 * step
        opens, values = self.exchange.candles(market, timeframe, since, open_ms + step, self.clock.now_ms())
        window = np.full((WINDOW + 20, 5), np.nan)
        window[(opens - since) // step] = values
        silent = np.isnan(window[:, 3])
        for i in np.flatnonzero(silent):
            if i and not np.isnan(window[i - 1, 3]):
                window[i] = [*[window[i - 1, 3]] * 4, 0.0]
        window, silent = window[20:], silent[20:]
        expected = analyse(Candles(*window.T[:, None]), config)
        key = (str(market), timeframe, record["candle_time"])
        assert record["gaps"] == int(silent.sum()), key
        assert record["signal_type"] == SIGNAL_TYPES[int(expected.signal_type[0])], key
        np.testing.assert_allclose(record["combined_score"], expected.combined_score[0], rtol=1e-6, err_msg=str(key))


def json_like(value: Any) -> Any:
    return value if not hasattr(value, "isoformat") else value.isoformat()


def key_of(record: Record) -> tuple[str, str, str]:
    return f"{record['exchange']}:{record['symbol']}", record["timeframe"], str(record["candle_time"])


def finals(folder: Path) -> dict[tuple[str, str, str], Record]:
    """The final signals on disk, each of them once."""
    found: dict[tuple[str, str, str], Record] = {}
    for path in sorted((folder / "signals").glob("[!.]*.json")):
        try:
            records = json.loads(path.read_text())
        except ValueError:  # damaged by hand, and nobody has written to it since
            continue
        for record in records:
            if record["candle_closed"]:
                assert key_of(record) not in found, f"{key_of(record)} is on disk twice"
                found[key_of(record)] = record
    return found
