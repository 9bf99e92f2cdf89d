"""What the signal stream costs at full size: ``python -m benchmarks.bench_cycle --markets 2000``.

Whole signal cycles without a network: generated candles in, panels, signals, history, files in a temporary folder.
What answering from arrays costs is taken off; a real exchange's answers cost the gateway's loop, not this thread.
Printed is CPU time, that of the whole process, for three kinds of cycle:

forming   nothing has closed: live signals of every market and timeframe
close     a 5m candle has closed for every market: 2,000 final signals and candles
midnight  all four timeframes have closed together: 8,000 final signals and candles
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.generated import EXCHANGE, GeneratedGateway, markets_of
from scanner.clock import ManualClock
from scanner.config import WINDOW, StreamConfig
from scanner.core.analysis import analyse
from scanner.runtime import signals
from scanner.runtime.book.book import Book
from scanner.runtime.book.books import Books
from scanner.runtime.cycles import signals as signal_cycle
from scanner.runtime.cycles.signals import SignalCycle
from scanner.runtime.freshness import Intervals
from scanner.runtime.holding import Holdings
from scanner.runtime.recorder import Recorder
from scanner.runtime.state import State
from scanner.runtime.ticks import TickTable
from scanner.runtime.watch import GapWatch
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, MINUTE_MS

MIDNIGHT = 1_767_225_600_000 // DAY_MS * DAY_MS
START = MIDNIGHT - 9 * MINUTE_MS
# kind of cycle -> its moments, from midnight in seconds
MOMENTS = {"forming": (-510, -480, -450), "close": (-280,), "midnight": (20,), "close again": (320, 620)}  # s
LIMIT_CYCLE_S, LIMIT_ANALYSIS_US, LIMIT_MB = 1.0, 3.0, 600
STAGES: dict[str, tuple[Any, str]] = {  # what a cycle consists of: label -> where it is called from, and its name
    "choosing requests": (signal_cycle, "wanted"),
    "candles into panels": (Book, "take"),
    "scoring history": (signals, "score_history"),
    "final signals": (signals, "finals"),
    "live signals": (signals, "live"),
    "keeping signals": (Recorder, "keep"),
    "closed candles out of panels": (Book, "newly_closed"),
    "keeping candles": (Recorder, "keep_candles"),
    "newest of each": (signal_cycle, "newest_of"),
    "publishing": (State, "publish_signals"),
}


class Stages:
    """CPU seconds spent in each of `STAGES`, by wrapping them."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.spent: Counter[str] = Counter()
        self._clock = clock
        for label, (owner, name) in STAGES.items():
            setattr(owner, name, self._timed(label, getattr(owner, name)))

    def _timed(self, label: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            began_s = self._clock()
            try:
                return work(*arguments, **options)
            finally:
                self.spent[label] += self._clock() - began_s

        return timed


class Scan:
    """A scan of generated markets, cycle by cycle at moments of our choosing."""

    def __init__(self, markets: int, folder: str, config: StreamConfig | None = None, hours: float = 1) -> None:
        config = config or StreamConfig()
        self.clock, self.markets = ManualClock(START), markets_of(markets)
        timeframes = tuple(config.styles.values())
        self.gateway = GeneratedGateway(self.markets, timeframes, START, MIDNIGHT + int(60 * hours) * MINUTE_MS, seed=1)
        self.state, self.store = State(config.max_signals_per_market), TrainingStore(folder)
        self.store.open()
        self.books = Books(config, START, {}, self.store)
        self.recorder = Recorder(self.store, config)
        self.cycle = SignalCycle(
            self.gateway,  # type: ignore[arg-type]
            self.books,
            self.state,
            self.recorder,
            GapWatch(self.store.gaps),
            self.clock,
            20.0,
            evaluate=lambda: None,
            holdings=Holdings(self.state, Intervals(5_000, 30_000, 15_000)),
        )
        self._draw = np.random.default_rng(2)
        self._table = TickTable.empty(self.markets)

    def at(self, now_ms: int) -> float:
        """One cycle at a moment; CPU seconds it took."""
        self.clock.advance(now_ms - self.clock.now_ms())
        self.gateway.clock_ms, self.gateway.spent_s = now_ms, 0.0
        self._tick(now_ms)
        began_s = time.process_time()
        self.cycle()
        return time.process_time() - began_s - self.gateway.spent_s

    def settle(self) -> None:
        """Have all histories on the disk, as they are minutes after a start."""
        for book in self.books.by_exchange.values():
            self.store.flush()
            while closed := book.newly_closed(self.recorder.room):
                self.recorder.keep_candles(closed, START)
                self.store.flush()

    def _tick(self, now_ms: int) -> None:
        book = self.books.by_exchange.get(EXCHANGE)
        if book is None:
            return
        price = book.closed_base()[:, -1] * (1 + 0.002 * self._draw.standard_normal(len(self.markets)))
        nothing = np.full(len(price), np.nan)
        self._table = self._table.with_sweep(now_ms, self.markets, (price, nothing, nothing, nothing), 100)
        self.state.publish_ticks(EXCHANGE, self._table)


def main() -> None:
    options = _options()
    logging.basicConfig(level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        scan, stages = Scan(options.markets, folder), Stages()
        print(f"{options.markets:,} markets, 4 timeframes; first cycle, all histories: {scan.at(START):.1f} s of CPU\n")
        scan.settle()
        print(f"{'':<34}{'measured':>22}{'limit':>10}  dominated by")
        for kind, moments in MOMENTS.items():
            print(kind_line(kind, [cost(scan, stages, moment) for moment in moments]))
        print(line("analysis, each market-timeframe", f"{analysis_us(scan):.2f} us", f"{LIMIT_ANALYSIS_US:.0f} us"))
        print(line("memory at most", f"{peak_mb():,.0f} MB", f"{LIMIT_MB} MB"))
        print(f"\n{scan.state.current().kept_signals:,} signals in memory, store: {scan.store.health()}")
        scan.store.close(within_s=0)


def cost(scan: Scan, stages: Stages, after_s: int) -> tuple[float, Counter[str]]:
    """CPU seconds of the cycle at a moment, and what each stage had of it."""
    stages.spent = Counter()
    return scan.at(MIDNIGHT + after_s * 1000), stages.spent


def kind_line(kind: str, costs: list[tuple[float, Counter[str]]]) -> str:
    total = sum((spent for _, spent in costs), Counter[str]())
    whole_s = sum(spent_s for spent_s, _ in costs)
    largest = ", ".join(f"{label} {part / whole_s:.0%}" for label, part in total.most_common(4))
    times = [round(spent_s * 1000) for spent_s, _ in costs]
    return line(
        f"{kind} cycle, CPU", f"{min(times):,} to {max(times):,} ms", f"{LIMIT_CYCLE_S * 1000:,.0f} ms", largest
    )


def line(what: str, measured: str, limit: str, dominated_by: str = "") -> str:
    return f"{what:<34}{measured:>22}{limit:>10}  {dominated_by}".rstrip()


def analysis_us(scan: Scan) -> float:
    """Microseconds per market-timeframe of analysing every closed window of the scan, the best of seven."""
    book = scan.books.by_exchange[EXCHANGE]
    windows = [panel.window(slice(None), panel.end_ms - panel.timeframe_ms, WINDOW) for panel in book.panels.values()]
    times = []
    for _ in range(7):
        began_s = time.process_time()
        for window in windows:
            analyse(window, book.config)
        times.append(time.process_time() - began_s)
    return 1e6 * min(times) / sum(len(window.close) for window in windows)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cost of whole signal cycles, without a network.")
    parser.add_argument("--markets", type=int, default=2000, help="how many (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
