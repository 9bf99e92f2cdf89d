"""One session of the standalone program: start, show, stop, sum up."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from scanner.errors import ScannerError
from scanner.logs import set_up_logging, stop_on_signals
from scanner.records import iso
from scanner.runtime.query import SignalQuery
from scanner.runtime.run import Run
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.terminal.options import Options, parse
from scanner.terminal.summary import summary
from scanner.terminal.table import screen

log = logging.getLogger(__name__)

REFRESH_S = 0.5
TOLD_EVERY_S = 30.0  # a log line about the state, where there is no terminal
PATIENCE_S = 60.0  # a replay whose last candles cannot be settled ends this long after its recording


def main(arguments: Sequence[str], environ: dict[str, str], console: Console | None = None) -> int:
    """Run the program; the exit status, 2 for wrong input."""
    try:
        options = parse(arguments, Settings.from_env(environ))
        service = ScannerService(options.settings)
        order = service.order(options.symbols, options.exchanges, options.config)
        set_up_logging(options.settings.log_level)
        stopping = stop_on_signals()
        run = service.start(order)
    except ScannerError as error:
        print(f"continuous_scanner: {error}", file=sys.stderr)  # noqa: T201
        return 2
    assert run is not None
    console = console or Console()
    try:
        watch(service, run, options, stopping, console)
    finally:
        service.stop()
    status, speed = service.status(), run.venue.clock.speed
    console.print(
        summary(status, run.recorder.tally, speed, Path(options.settings.data_dir)), highlight=False, soft_wrap=True
    )
    return 0


def watch(service: ScannerService, run: Run, options: Options, stopping: threading.Event, console: Console) -> None:
    """Show how it goes until the duration is over, the recording is exhausted, or a signal arrives."""
    ends = time.monotonic() + (options.duration_s if options.duration_s is not None else float("inf"))
    over = _Over(run)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2, transient=True) as live:
            while not over() and time.monotonic() < ends and not stopping.wait(REFRESH_S):
                live.update(screen(*_facts(service, run)))
    else:
        told = 0.0
        while not over() and time.monotonic() < ends and not stopping.wait(min(REFRESH_S, ends - time.monotonic())):
            if time.monotonic() - told >= TOLD_EVERY_S:
                told = time.monotonic()
                _tell(*_facts(service, run))


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


def _facts(service: ScannerService, run: Run) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    return service.status(), service.signals(SignalQuery(limit=12)), iso(run.venue.clock.now_ms())[:19]


def _tell(status: dict[str, Any], signals: list[dict[str, Any]], market_time: str) -> None:
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
