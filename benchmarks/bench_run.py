"""What a whole run costs: ``python -m benchmarks.bench_run --seconds 180``.

Scans the embedded simulated exchange at real speed, into a folder that is deleted afterwards. Exchange and scanner
share the process, so that CPU and memory are those of both together. Requests and weight are the exchange's own count.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from collections.abc import Iterator

import requests

from scanner.runtime.run import Run
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.simulated.market import COINS

WEIGHT_HEADER = "x-mbx-used-weight-1m"
BEFORE_THE_MINUTE_ENDS_S = 0.5


def main() -> None:
    options = _options()
    logging.basicConfig(level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        service = ScannerService(Settings(simulated=True, data_dir=folder))
        try:
            run = service.start(service.order([f"{coin.base}/USDT" for coin in COINS[: options.markets]]))
            assert run is not None
            report(run, options.seconds)
        finally:
            service.close()


def report(run: Run, seconds: float) -> None:
    """Let it run for so many seconds, and print what that took."""
    exchange, began, used = run.venue.servers[0], time.monotonic(), cpu_s()
    for minute in minutes(seconds):
        print(f"minute to {minute}: weight {weight(exchange.url)} of 6000", flush=True)
    took = time.monotonic() - began
    for path, count in exchange.requests.most_common():
        if not path.endswith("/ping"):  # that was us
            print(f"  {count:5} requests of {path}")
    print(f"CPU {100 * (cpu_s() - used) / took:.1f} % of one core over {took:.0f} s")
    print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")
    signals = run.streams.figures()["signals"]
    print(f"newest signal cycle {1000 * (signals['last_duration_s'] or 0):.0f} ms")


def minutes(seconds: float) -> Iterator[str]:
    """Waits until shortly before each minute of the clock is over, which is when weights start at 0, and at the end."""
    ends = time.time() + seconds
    while (now := time.time()) < ends:
        until = min(ends, now - now % 60 + 60 - BEFORE_THE_MINUTE_ENDS_S)
        time.sleep(max(0.0, until - now))
        yield time.strftime("%H:%M:%S", time.gmtime())
        time.sleep(2 * BEFORE_THE_MINUTE_ENDS_S)


def weight(url: str) -> int:
    """What the exchange says it has counted in this minute, without this question."""
    return int(requests.get(f"{url}/api/v3/ping", timeout=10).headers[WEIGHT_HEADER]) - 1


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cost of a whole run on the embedded simulated exchange.")
    parser.add_argument("--seconds", type=float, default=180, help="how long to scan (default %(default)s)")
    parser.add_argument("--markets", type=int, default=10, help=f"1 to {len(COINS)} (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
