"""One soak: a service scans two exchanges that fail as a seed has it; all it leaves is compared with the truth."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scanner.clock import ScaledClock
from scanner.config import StreamConfig
from scanner.gateway.relisting import RELIST_SOON_S
from scanner.markets import Market
from scanner.records import utc
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.store.gaps import UNEXPLAINED
from scanner.store.moments import moment_ms
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, HOUR_MS, MINUTE_MS, length_ms
from tests.soak.schedule import EXCHANGES, VICTIM, Spell, schedule
from tests.soak.truth import Truth, truth
from tests.soak.watching import Resources, Watcher
from tests.soak.world import World
from tests.waiting import wait_for

BEGIN_MS = 1_767_571_830_000  # 2026-01-05 00:10:30 UTC
SYMBOLS = ("BTC/USDT", "ETH/USDT", VICTIM, "JUV/USDT", "VIDT/USDT")  # in the last two some candles are not traded
CONFIG = StreamConfig(live_record="none", scan_interval=1800)
SPEED = 120.0  # market seconds per second: what the deadlines of requests, which are real, leave room for
INTERVAL_S = 3.0  # real seconds one run of a stream may take at that speed: the shortest deadline of its requests
LOOK_S = 0.1
CLOSE_TO = 1e-6


@dataclass
class Report:
    """What a soak has found; it is good when there are no `violations`.

    `started_ms` is when the scan began, `began_ms` when it was ready and the first minute of the schedule began.
    """

    seed: int
    hours: float
    speed: float
    spells: tuple[Spell, ...] = ()
    started_ms: int = BEGIN_MS
    began_ms: int = BEGIN_MS
    violations: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def text(self) -> str:
        kinds = Counter(spell.kind for spell in self.spells)
        lines = [
            f"soak: seed {self.seed}, {self.hours:g} h of market time at {self.speed:g} times its speed",
            f"faults: {len(self.spells)} ({', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))})",
            *(f"{name}: {value}" for name, value in self.figures.items()),
            *(f"VIOLATION {violation}" for violation in self.violations),
            f"violations: {len(self.violations)}",
        ]
        if self.violations:
            lines.append(f"repeat with: python -m tests.soak --seed {self.seed} --hours {self.hours:g}")
        return "\n".join(lines)


def soak(seed: int, hours: float, folder: Path, *, speed: float = SPEED, tell: Callable[[str], None] = print) -> Report:
    """Scan for `hours` of market time and judge; files go to `folder`."""
    spells = schedule(seed, hours)
    report = Report(seed, hours, speed, spells)
    before, began = Resources.now(), time.monotonic()
    with _faults_of_ours() as logged:
        world = World(ScaledClock(BEGIN_MS, speed), seed, spells)
        service = ScannerService(Settings(simulated=True, data_dir=str(folder), speed=speed), venues=world.venue)
        try:
            with world.names:
                until_ms = _scan(service, world, hours, report, tell)
        finally:
            service.close()
            world.stop()
    report.violations += [f"log: {line}" for line in logged]
    _same(report, "after the end", before, Resources.now())
    report.figures["real time"] = f"{time.monotonic() - began:.0f} s"
    due_ms = until_ms - int(CONFIG.finality_grace_s * 1000 + 2 * INTERVAL_S * speed * 1000)
    _compare(report, folder, truth(seed, SYMBOLS, CONFIG, report.started_ms, until_ms), due_ms)
    _punctual(report, folder)
    return report


def _scan(service: ScannerService, world: World, hours: float, report: Report, tell: Callable[[str], None]) -> int:
    """Until the last fault has passed and healed; returns the market time of the end."""
    run = service.start(service.order(SYMBOLS, EXCHANGES, CONFIG))
    assert run is not None
    watcher = Watcher(
        run, world.spells, 2 * INTERVAL_S + 1, int((RELIST_SOON_S + 2 * INTERVAL_S) * report.speed * 1000)
    )
    wait_for(lambda: service.unready() == [], 60)
    report.started_ms = min(book.started_ms for book in run.books.by_exchange.values())
    report.began_ms = world.began_ms = world.clock.now_ms()
    settled, told_h = Resources.now(), 0
    while (at_ms := world.clock.now_ms() - world.began_ms) < hours * HOUR_MS:
        world.follow()
        watcher.look(at_ms)
        time.sleep(LOOK_S)  # faults begin and end by the clock: there is nothing to wait for
        if at_ms // HOUR_MS > told_h:
            told_h = at_ms // HOUR_MS
            tell(f"hour {told_h}: {len(watcher.violations)} violations")
    _same(report, "while it scans", settled, Resources.now(), slack=32)
    report.violations += [*watcher.violations, *watcher.untold()]
    status = service.status()
    for name, figures in status["streams"].items():
        if figures["last_error"]:
            report.violations.append(f"stream {name}: {figures['last_error']}")
    healed = [seconds for each in watcher.healed_s.values() for seconds in each]
    if healed:
        p50, worst = np.quantile(healed, [0.5, 1.0])
        report.figures["live again"] = f"{len(healed)} times, after {p50:.1f} s (median), {worst:.1f} s (longest)"
    return world.clock.now_ms()


def _same(report: Report, when: str, before: Resources, after: Resources, slack: int = 0) -> None:
    """Nothing has grown; connections kept open for the next request may come and go, up to `slack`."""
    report.figures[f"resources {when}"] = (
        f"{len(after.threads)} threads, {after.tasks} tasks, {after.sockets} sockets, {after.files} files; "
        f"before: {len(before.threads)}, {before.tasks}, {before.sockets}, {before.files}"
    )
    new = Counter(_kind(name) for name in after.threads) - Counter(_kind(name) for name in before.threads)
    if any(name != "asyncio" or not slack for name in new):
        report.violations.append(f"{when}: threads {sorted(new)} are left")
    for what in ("tasks", "sockets", "files"):
        if getattr(after, what) > getattr(before, what) + slack:
            report.violations.append(f"{when}: {what} {getattr(before, what)} -> {getattr(after, what)}")


def _kind(thread: str) -> str:
    """A thread's name without the number of its pool: a pool of resolvers grows to what it needs."""
    return "asyncio" if thread.startswith("asyncio_") else thread


def _compare(report: Report, folder: Path, true: Truth, due_ms: int) -> None:
    """Every candle that closed by `due_ms` and its final signal are there, once, and as if there had been no faults."""
    kept = _final_signals(folder)
    twice = [key for key, found in kept.items() if len(found) > 1]
    due = {key for key in true.finals if key[2] + length_ms(key[1]) <= _due(report, key[0], due_ms)}
    missing = [key for key in due if key not in kept]
    wrong = [
        key
        for key, (kind, score) in true.finals.items()
        if key in kept and (kept[key][0][0] != kind or abs(kept[key][0][1] - score) > CLOSE_TO)
    ]
    report.figures["final signals"] = f"{len(due)} due, {len(kept)} kept"
    for name, keys in (("missing", missing), ("twice", twice), ("not what they should be", wrong)):
        if keys:
            report.violations.append(f"final signals {name}: {len(keys)}, such as {_shown(keys)}")
    _compare_candles(report, TrainingStore(folder), true, due_ms)


def _due(report: Report, market: Market, due_ms: int) -> int:
    """Up to when everything of a market must be there: not beyond its delisting."""
    gone = [spell.from_ms for spell in report.spells if spell.kind == "delisted" and spell.exchange == market.exchange]
    limit_ms = int(CONFIG.finality_grace_s * 1000 + 2 * INTERVAL_S * report.speed * 1000)
    return min(due_ms, report.began_ms + gone[0] - limit_ms) if gone and market.symbol == VICTIM else due_ms


def _punctual(report: Report, folder: Path) -> None:
    """An exchange without faults gets its final signals in time, whatever the other one suffers from."""
    limit_ms = int(CONFIG.finality_grace_s * 1000 + 2 * INTERVAL_S * report.speed * 1000)
    delays, late = [], []
    for key, made_ms in _final_times(folder).items():
        close_ms = key[2] + length_ms(key[1])
        since_ms, until_ms = close_ms - report.began_ms - limit_ms, close_ms - report.began_ms + limit_ms
        suffered = any(
            spell.exchange == key[0].exchange
            and spell.kind != "delisted"
            and spell.from_ms < until_ms
            and spell.to_ms > since_ms
            for spell in report.spells
        )
        if close_ms >= report.began_ms and not suffered:
            delays.append((made_ms - close_ms) / 1000)
            if made_ms - close_ms > limit_ms:
                late.append(key)
    if delays:
        p50, p95, worst = np.quantile(delays, [0.5, 0.95, 1.0])
        report.figures["close to final signal, without a fault"] = (
            f"{p50:.0f} s (median), {p95:.0f} s (95 %), {worst:.0f} s (longest) of market time, {len(delays)} signals"
        )
    if late:
        report.violations.append(f"final signals late without a fault: {len(late)}, such as {_shown(late)}")


def _compare_candles(report: Report, store: TrainingStore, true: Truth, due_ms: int) -> None:
    count, causes = 0, Counter[str]()
    for (market, timeframe), (times, values) in true.candles.items():
        mine = store.candles(market, timeframe)
        times, values = times[times >= BEGIN_MS - DAY_MS], values[times >= BEGIN_MS - DAY_MS]
        due = times + length_ms(timeframe) <= _due(report, market, due_ms)
        count += int(due.sum())
        lacking = np.setdiff1d(times[due], mine.open_time)
        extra = np.setdiff1d(mine.open_time[mine.open_time >= BEGIN_MS - DAY_MS], times)
        common, at, there = np.intersect1d(times, mine.open_time, return_indices=True)
        differ = common[~np.isclose(values[at], mine.values[there], rtol=1e-9).all(axis=1)]
        for name, found in (("missing", lacking), ("invented", extra), ("wrong", differ)):
            if len(found):
                keys = [(market, timeframe, int(open_ms)) for open_ms in found]
                report.violations.append(f"candles {name}: {len(found)}, such as {_shown(keys)}")
        for hole in store.holes(market, timeframe):
            causes[hole.cause] += 1
            if hole.cause == UNEXPLAINED:
                report.violations.append(f"{market} {timeframe}: no cause for the gap from {utc(hole.from_ms)}")
    report.figures["candles"] = f"{count} due; gaps by cause: {dict(causes) or 'none'}"
    outages = [gap for gap in store.gaps.read() if gap.cause == "outage"]
    unfilled = [gap for gap in outages if gap.backfilled is False]
    report.figures["outages noted"] = f"{len(outages)}, not backfilled: {len(unfilled)}"
    report.violations += [f"not backfilled: {gap.as_record()}" for gap in unfilled]


def _finals(folder: Path) -> Iterator[tuple[tuple[Market, str, int], dict[str, Any]]]:
    """Every final signal on disk, by market, timeframe and open time."""
    for path in (folder / "signals").glob("*.json"):
        for record in json.loads(path.read_text()):
            if record["candle_closed"]:
                market = Market(record["exchange"], record["symbol"])
                yield (market, record["timeframe"], moment_ms(record["candle_time"]) or 0), record


def _final_signals(folder: Path) -> dict[tuple[Market, str, int], list[tuple[str, float]]]:
    found: dict[tuple[Market, str, int], list[tuple[str, float]]] = {}
    for key, record in _finals(folder):
        found.setdefault(key, []).append((record["signal_type"], record["combined_score"]))
    return found


def _final_times(folder: Path) -> dict[tuple[Market, str, int], int]:
    return {key: moment_ms(record["timestamp"]) or 0 for key, record in _finals(folder)}


def _shown(keys: list[tuple[Market, str, int]]) -> str:
    return ", ".join(
        f"{market} {timeframe} {utc(open_ms):%d %H:%M} (minute {(open_ms - BEGIN_MS) / MINUTE_MS:.0f})"
        for market, timeframe, open_ms in sorted(keys, key=lambda key: key[2])[:4]
    )


@contextmanager
def _faults_of_ours() -> Iterator[list[str]]:
    """Errors logged meanwhile: an exchange's failures are warnings at most."""
    logged: list[str] = []

    class Catcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(self.format(record))

    catcher = Catcher(logging.ERROR)
    logging.getLogger("scanner").addHandler(catcher)
    logging.getLogger("asyncio").addHandler(catcher)
    try:
        yield logged
    finally:
        logging.getLogger("scanner").removeHandler(catcher)
        logging.getLogger("asyncio").removeHandler(catcher)
