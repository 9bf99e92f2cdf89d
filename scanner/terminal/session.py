"""One session of the standalone program: start, show, stop, sum up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from scanner.clock import ScaledClock
from scanner.commandline import refused
from scanner.errors import ScannerError
from scanner.logs import set_up_logging, stop_on_signals
from scanner.records import iso
from scanner.runtime.columns import Record
from scanner.runtime.query import SignalQuery
from scanner.runtime.run import Run
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.terminal import backfill
from scanner.terminal.coverage import closed_candles, coverage
from scanner.terminal.options import Options, parse
from scanner.terminal.summary import summary
from scanner.terminal.table import MOST_SIGNALS, screen

log = logging.getLogger(__name__)

Status = dict[str, Any]
REFRESH_S = 0.5
TOLD_EVERY_S = 30.0  # a log line about the state, where there is no terminal
PATIENCE_S = 60.0  # a replay whose last candles cannot be settled ends this long after its recording


def main(arguments: Sequence[str], environ: dict[str, str], console: Console | None = None) -> int:
    """Run the program; the exit status, 2 for wrong input, even where only the exchanges can tell that it is."""
    if list(arguments[:1]) == [backfill.NAME]:
        return backfill.main(arguments[1:], environ, console)
    stopping = stop_on_signals()  # first: loading a recording takes a moment
    try:
        options = parse(arguments, Settings.from_env(environ))
        set_up_logging(options.settings.log_level)
        service = ScannerService(replace(options.settings, resume=False))  # its command line says what is scanned
        order = service.order(options.symbols, options.exchanges, options.config, options.universe)
        for warning in order.warnings:
            log.warning("%s", warning)
        run = service.start(order)
    except ScannerError as error:
        return refused("continuous_scanner", error)
    assert run is not None
    console = console or Console()
    try:
        watch(service, run, options, stopping, console)
        idle = run.nothing_to_scan()
    finally:
        service.stop()
    status, speed = service.status(), run.venue.clock.speed
    text = summary(status, run.recorder.tally, speed, Path(options.settings.data_dir), _replayed(service, run))
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    return 0 if idle is None else refused("continuous_scanner", ScannerError(f"nothing can be scanned: {idle}"))


def watch(service: ScannerService, run: Run, options: Options, stopping: threading.Event, console: Console) -> None:
    """Show how it goes until the duration or the recording is over, nothing can be scanned, or a signal comes."""
    ends = time.monotonic() + (options.duration_s if options.duration_s is not None else float("inf"))
    over = _Over(run)

    def going_on() -> bool:
        left_s = ends - time.monotonic()
        return not over() and run.nothing_to_scan() is None and left_s > 0 and not stopping.wait(min(REFRESH_S, left_s))

    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while going_on():
                live.update(screen(*_facts(service, run), console.height), refresh=True)
    else:
        teller = _Teller()
        while going_on():
            teller(*_facts(service, run))


class _Over:
    """Whether a replay has come to its end: settled to the last candle, or out of patience."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ended_at: float | None = None

    def __call__(self) -> bool:
        end_ms = self._run.venue.end_ms
        if end_ms is None or self._run.venue.clock.now_ms() <= end_ms:
            return False
        self._ended_at = self._ended_at or time.monotonic()
        return self._run.exhausted or time.monotonic() - self._ended_at > PATIENCE_S


class _Teller:
    """Log lines about the state: as soon as there are signals, and every half minute."""

    def __init__(self) -> None:
        self._told_at = float("-inf")
        self._told_signals = False

    def __call__(self, status: Status, signals: list[Record], market_time: str) -> None:
        now = time.monotonic()
        if now - self._told_at < TOLD_EVERY_S and (self._told_signals or not signals):
            return
        self._told_at, self._told_signals = now, bool(signals)
        _tell(status, signals, market_time)


def _facts(service: ScannerService, run: Run) -> tuple[Status, list[Record], str]:
    shown = service.signals(SignalQuery(limit=MOST_SIGNALS))
    return service.status(), shown, iso(run.venue.clock.now_ms())[:19]


def _tell(status: Status, signals: list[Record], market_time: str) -> None:
    states = ", ".join(f"{name} {facts['state']} ({facts['markets']})" for name, facts in status["exchanges"].items())
    log.info("market time %s; exchanges: %s; signals kept %d", market_time, states, status["buffer_stats"]["signals"])
    for record in signals[:5]:
        log.info(
            "%s:%s %s %s score %.1f",
            record["exchange"],
            record["symbol"],
            record["timeframe"],
            record["signal_type"],
            record["combined_score"] or 0.0,
        )


def _replayed(service: ScannerService, run: Run) -> list[str]:
    """A line about how much of a recording has been scanned; none without a recording."""
    recording, clock = service.recording(), run.venue.clock
    if recording is None or not isinstance(clock, ScaledClock) or run.venue.end_ms is None:
        return []
    base = run.order.config.base_timeframe
    span = clock.start_ms, min(clock.now_ms(), run.venue.end_ms)
    symbols = {market.symbol for markets in run.gateway.markets().values() for market in markets}
    signals = sum(count for (timeframe, _), count in run.recorder.tally.finals.items() if timeframe == base)
    return [coverage(signals, closed_candles(recording.listings(), symbols, base, span), base, span)]
