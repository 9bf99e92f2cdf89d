"""One real scanner against a loopback exchange that another process runs, for `bench_budget`."""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import requests

from scanner.clock import WallClock
from scanner.config import StreamConfig
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.book.book import Book
from scanner.runtime.run import Run
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import binance_urls

START_S = 45.0  # for histories
STEP_MS = 300_000
TIMEFRAMES = {
    "scalp": "5m",
    "swing": "1h",
}  # longer histories cost the loopback exchange minutes to make, and no weight later


def main() -> None:
    url, markets, seconds, state, _ = sys.argv[1:]
    logging.basicConfig(level="ERROR")
    spec = ExchangeSpec("simulated", "binance", binance_urls(url), simulated=True, state_dir=Path(state))
    with tempfile.TemporaryDirectory() as folder:
        service = ScannerService(Settings(data_dir=folder), venues=lambda *_: Venue((spec,), WallClock()))
        listed = requests.get(f"{url}/api/v3/ticker/price", timeout=30).json()
        names = [f"{entry['symbol'].removesuffix('USDT')}/USDT" for entry in listed][: int(markets)]
        try:
            run = service.start(service.order(names, ["simulated"], StreamConfig(timeframes=TIMEFRAMES)))
            assert run is not None
            _wait_for_book(run)
            time.sleep(min(START_S, float(seconds)))
            print(json.dumps(watched(run, float(seconds))))
        finally:
            service.close()


def watched(run: Run, seconds: float) -> dict[str, object]:
    """What can be seen of a run in so many seconds."""
    began, used = time.monotonic(), _cpu_s()
    age_s, close_s, deferred = 0.0, 0.0, 0
    while time.monotonic() - began < seconds:
        time.sleep(0.2)
        now_ms = time.time_ns() // 1_000_000
        state = run.exchange_states()["simulated"]
        age_s = max(age_s, (now_ms - (state.last_data_ms or 0)) / 1000)
        deferred = max(deferred, sum(waiting.count for waiting in state.deferred.values()))
        if _is_behind(run.books.by_exchange["simulated"], now_ms):
            close_s = max(close_s, now_ms % STEP_MS / 1000)
    book = run.books.by_exchange["simulated"]
    streams = run.streams.figures()
    return {
        "oldest_prices_s": round(age_s, 1),
        "final_p95_s": round(close_s, 1),
        "deferred_most": deferred,
        "loaded": {timeframe: int(marks.loaded.sum()) for timeframe, marks in book.marks.items()},
        "prices_missed": streams["prices"]["missed"],
        "signal_cycle_s": streams["signals"]["last_duration_s"],
        "signals_missed": streams["signals"]["missed"],
        "state": run.exchange_states()["simulated"].state,
        "processes": run.exchange_states()["simulated"].weight.processes,
        "cpu_of_a_core": round((_cpu_s() - used) / (time.monotonic() - began), 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _is_behind(book: Book, now_ms: int) -> bool:
    """Whether more than 5 % of the markets lack the final signal of the candle that closed last."""
    final, loaded = book.marks["5m"].told_through_ms, book.marks["5m"].loaded
    behind = loaded & (final < now_ms // STEP_MS * STEP_MS - STEP_MS) & (final > 0)
    return bool(np.count_nonzero(behind) > 0.05 * np.count_nonzero(loaded))


def _wait_for_book(run: Run, deadline_s: float = 30.0) -> None:
    ends = time.monotonic() + deadline_s
    while "simulated" not in run.books.by_exchange and time.monotonic() < ends:
        time.sleep(0.1)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
