"""Scanning processes to be killed, one after the other, that start at once: forks of a process that has all in memory.

``python -m tests.store.nursery FOLDER URL START SPEED SYMBOL ...``: each line of standard input begins one, which says
its pid, and the port of its API once there is one; ``gone`` follows when it has ended, however that was.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from werkzeug.serving import make_server

from scanner.api.app import create_app
from scanner.config import StreamConfig
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import binance_urls
from tests.runtime.resuming import SharedClock

CONFIG = StreamConfig(timeframes={"scalp": "5m", "swing": "1h"}, live_record="all", price_update_interval=1)


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def live(folder: str, url: str, start_ms: str, speed: str, symbols: list[str]) -> None:
    """Scan and serve until killed."""
    say(os.getpid())
    logging.disable(logging.CRITICAL)
    clock = SharedClock(int(start_ms), float(speed))
    spec = ExchangeSpec("simulated", "binance", binance_urls(url), simulated=True, pace=50.0)
    settings = Settings(data_dir=folder, state_dir=f"{folder}/state", simulated=True, resume=True)
    service = ScannerService(settings, venues=lambda *_, **__: Venue((spec,), clock))
    server = make_server("127.0.0.1", 0, create_app(service), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if service.resume() is None:
        service.start(service.order(tuple(symbols), ["simulated"], CONFIG))
    say(server.server_port)
    threading.Event().wait()


def main(folder: str, url: str, start_ms: str, speed: str, *symbols: str) -> None:
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                live(folder, url, start_ms, speed, list(symbols))
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        say("gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
