"""Backfills to be killed, one after the other, that start at once: forks of a process that has all in memory.

``python -m tests.runtime.backfill.lives URL NOW_MS DAYS SYMBOL ...``: each line of standard input names a data folder
and begins one, which says its pid; what it has fetched follows where it comes to its end, and ``gone`` in any case.
After the folder, tabs between them, may stand the name of a folder in it and a number: as it is to put one more file
there than so many, it kills itself.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from scanner.clock import ManualClock
from scanner.config import StreamConfig
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.backfill.backfill import Backfill
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import binance_urls
from scanner.store.store import TrainingStore


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def die_at(folder: Path, files: int) -> None:
    """Kill this process as it is to give the name of one more file in `folder`, which has so many then."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename":
            new = Path(os.fsdecode(arguments[1]))
            there = {path.name for path in folder.glob("[!.]*")}
            if new.parent == folder and not new.name.startswith(".") and len(there - {new.name}) >= files:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def live(folder: str, url: str, now_ms: str, days: str, symbols: list[str]) -> None:
    """Backfill until it is done, or killed."""
    say(os.getpid())
    logging.disable(logging.CRITICAL)
    order = ScannerService(Settings(data_dir=folder, simulated=True)).order(symbols, ["simulated"], StreamConfig())
    venue = Venue((ExchangeSpec("simulated", "binance", binance_urls(url), True, 50.0),), ManualClock(int(now_ms)))
    with TrainingStore(folder) as store:
        backfill = Backfill(order, int(days), venue, store)
        backfill.run()
    report = backfill.report
    fetched, held = sum(report.candles.values()), sum(report.held.values())
    say(json.dumps({"failed": report.failed, "fetched": fetched, "held": held, "requests": report.requests}))


def main(url: str, now_ms: str, days: str, *symbols: str) -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                folder, *end = line.rstrip("\n").split("\t")
                if end:
                    die_at(Path(folder) / end[0], int(end[1]))
                live(folder, url, now_ms, days, list(symbols))
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        say("gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
