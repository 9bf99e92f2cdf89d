"""A scanning process on an exchange outside of it.

``python -m tests.runtime.resuming FOLDER URL START SPEED SYMBOL ...`` resumes what it finds, else scans the symbols; it
says ``resumed`` or ``started``, and scans until it is killed or its standard input ends.
"""

from __future__ import annotations

import sys
import time

from scanner.config import StreamConfig
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import binance_urls

CONFIG = StreamConfig(timeframes={"scalp": "5m", "swing": "1h"})


class SharedClock:
    """Market time that all processes of this machine agree on: `start_ms` at its start, `speed` times real time."""

    def __init__(self, start_ms: int, speed: float) -> None:
        self.start_ms, self.speed = start_ms, speed

    def now_ms(self) -> int:
        return int(self.start_ms + time.monotonic_ns() * self.speed / 1e6)


def main(folder: str, url: str, start_ms: str, speed: str, *symbols: str) -> None:
    clock = SharedClock(int(start_ms), float(speed))
    spec = ExchangeSpec("simulated", "binance", binance_urls(url), simulated=True, pace=50.0)
    settings = Settings(data_dir=folder, simulated=True, resume=True)
    service = ScannerService(settings, venues=lambda exchanges, settings, recording: Venue((spec,), clock))
    resumed = service.resume()
    if resumed is None:
        service.start(service.order(symbols, ["simulated"], CONFIG))
    sys.stdout.write("started\n" if resumed is None else "resumed\n")
    sys.stdout.flush()
    sys.stdin.read()
    service.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
