"""How a backfill goes, as a bar on a terminal and as lines elsewhere, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from scanner.records import SIGNAL_TYPES, utc
from scanner.runtime.backfill.backfill import Backfill
from scanner.runtime.backfill.progress import CANDLES, LISTING, SIGNALS
from scanner.runtime.backfill.progress import Progress as Now
from scanner.terminal.summary import files_in
from scanner.timeframes import LENGTH_MS

WIDE = 70  # columns of a terminal in which a bar has room beside the numbers
TOLD_EVERY_S = 5.0  # a line about the state, where there is no terminal
COUNTED = {LISTING: "exchanges", CANDLES: "candles", SIGNALS: "parts of markets"}


class Shown:
    """Shows each `Progress` it is called with; a context, whose end clears the bars away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = _bars(console) if console.is_terminal else None
        self._task: dict[str, TaskID] = {}
        self._stage, self._began, self._told_at = "", 0.0, float("-inf")

    def __enter__(self) -> Shown:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, now: Now) -> None:
        if self._bars is None:
            self._tell(now)
            return
        if now.stage not in self._task:
            self._task[now.stage] = self._bars.add_task(now.stage, total=None)
        self._bars.update(self._task[now.stage], completed=now.done, total=now.total or None)

    def _tell(self, now: Now) -> None:
        moment = time.monotonic()
        if now.stage != self._stage:
            self._stage, self._began, self._told_at = now.stage, moment, float("-inf")
        if moment - self._told_at < TOLD_EVERY_S or not now.total:
            return
        self._told_at = moment
        self._console.print(line(now, moment - self._began), highlight=False, markup=False, soft_wrap=True)


def line(now: Now, took_s: float) -> str:
    """``candles: 12000 of 36000 candles, 33 %, about 14 s left``."""
    text = f"{now.stage}: {now.done} of {now.total} {COUNTED[now.stage]}, {100 * now.done // now.total} %"
    if not now.done or now.done >= now.total:
        return text
    return f"{text}, about {took_s / now.done * (now.total - now.done):.0f} s left"


def _bars(console: Console) -> Progress:
    """Bars with numbers beside them; in a narrow terminal how much is done and how long it takes, which come first."""
    beside: list[ProgressColumn] = [BarColumn(), MofNCompleteColumn(separator=" of "), TimeElapsedColumn()]
    return Progress(
        TextColumn("{task.description:8}"),
        TextColumn("{task.percentage:>3.0f} %"),
        *(beside if console.width >= WIDE else []),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
    )


def summary(backfill: Backfill, interrupted: bool, days: int, took_s: float, data_dir: Path, simulated: bool) -> str:
    """Candles, signals by type, files and time, and what is missing."""
    report = backfill.report
    how = "interrupted; the same command goes on from here" if interrupted else f"{days} days and today so far"
    finals = sum(report.signals.values())
    parts = [
        f"Backfill{' (simulated data)' if simulated else ''}: {how}, in {took_s:.1f} s",
        f"  candles fetched: {_by_timeframe(report.candles)}; in {report.requests} requests",
        *(
            f"  request weight on {name}: at most {used} in {window_s:.0f} s, {allowance} allowed"
            for name, (used, allowance, window_s) in report.weight.items()
        ),
        f"  candles there before: {_by_timeframe(report.held)}",
        f"  final signals made: {finals}",
        *_by_type(report.signals),
        f"  final signals there before: {_by_timeframe(report.known)}",
        f"  cluster findings: {_by_timeframe(report.clusters)}",
        *(f"  begins late {name}: {utc(at):%Y-%m-%d %H:%M}" for name, at in sorted(report.begins_ms.items())),
        *(f"  skipped {market}: {reason}" for market, reason in report.skipped.items()),
        *(f"  missing {name}: {reason}" for name, reason in sorted(report.failed.items())),
        *files_in(data_dir),
    ]
    return "\n".join(parts)


def _by_type(counts: Counter[tuple[str, str]]) -> list[str]:
    lines = []
    for timeframe in sorted({timeframe for timeframe, _ in counts}, key=LENGTH_MS.__getitem__):
        found = {name: counts[timeframe, name] for name in SIGNAL_TYPES if counts[timeframe, name]}
        lines.append(f"    {timeframe:>4}  " + ", ".join(f"{name} {count}" for name, count in found.items()))
    return lines


def _by_timeframe(counts: Counter[str]) -> str:
    known = sorted((name for name in counts if counts[name]), key=LENGTH_MS.__getitem__)
    return ", ".join(f"{name} {counts[name]}" for name in known) or "none"
