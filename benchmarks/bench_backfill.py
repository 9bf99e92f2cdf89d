"""What a backfill costs beside a scan: ``python -m benchmarks.bench_backfill``.

One loopback exchange with Binance's limits in real time, in this process, is scanned by one child and, a little later,
backfilled from by another; both share one state folder. Weights are the exchange's own count.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scanner.clock import WallClock
from scanner.gateway.budget import KNOWN
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.backfill.backfill import Backfill
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import SimulatedExchange, binance_urls, generated
from scanner.store.store import TrainingStore

LIMIT = KNOWN["binance"].limit
SETTLE_S = 45.0  # until the scan has its histories


def main() -> None:
    logging.basicConfig(level="ERROR")
    options = _options()
    if options.child:
        return backfill(*options.child)
    with tempfile.TemporaryDirectory() as state, SimulatedExchange(generated(7, 400), WallClock()) as exchange:
        module = [sys.executable, "-m"]
        scan = [*module, "benchmarks.scanning", exchange.url, str(options.scanned), str(options.seconds), state, "0"]
        fill = [*module, "benchmarks.bench_backfill", "--child", exchange.url, str(options.markets), str(options.days)]
        children = []
        try:
            if options.scanned:
                children.append(subprocess.Popen(scan, stdout=subprocess.PIPE, text=True))
                time.sleep(min(SETTLE_S, options.seconds))
            children.append(subprocess.Popen([*fill, state], stdout=subprocess.PIPE, text=True))
            for child in reversed(children):
                print(json.loads(child.communicate()[0]), flush=True)
            for minute, weight in sorted(exchange.weights.items()):
                at = time.strftime("%H:%M", time.gmtime(minute * 60))
                print(f"minute from {at}: weight {weight} = {weight / LIMIT:.0%} of {LIMIT}")
            print(f"refused: {dict(exchange.refused)}")
        finally:
            for child in children:
                child.kill()
                child.wait()


def backfill(url: str, markets: str, days: str, state: str) -> None:
    """Run one, in this process; prints what it took."""
    spec = ExchangeSpec("simulated", "binance", binance_urls(url), simulated=True, state_dir=Path(state))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, TrainingStore(folder) as store:
        names = [listing.symbol for listing in generated(7, 400).listings() if ":" not in listing.symbol]
        order = ScannerService(Settings(data_dir=folder)).order(names[: int(markets)], ["simulated"])
        work = Backfill(order, int(days), Venue((spec,), WallClock()), store)
        work.run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts = {
        "whole": work.is_whole,
        "seconds": round(time.monotonic() - began, 1),
        "requests": work.report.requests,
        "signals": sum(work.report.signals.values()),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "memory_mb": used.ru_maxrss // 1024,
    }
    print(json.dumps(facts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a backfill costs beside a scan.")
    parser.add_argument("--markets", type=int, default=10, help="to backfill (default %(default)s)")
    parser.add_argument("--days", type=int, default=30, help="to backfill (default %(default)s)")
    parser.add_argument("--scanned", type=int, default=0, help="markets scanned meanwhile (default: no scan)")
    parser.add_argument("--seconds", type=float, default=100, help="the scan is watched (default %(default)s)")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
