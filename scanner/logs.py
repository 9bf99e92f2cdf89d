"""Log lines and process signals, set up once by whoever is the program."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from types import FrameType


class StandardError(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what standard error is at the moment: a live table puts itself in its place to scroll under lines."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def set_up_logging(level: str) -> None:
    """Plain lines on standard error, times in UTC."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = StandardError()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it tells of every run; streams tell what matters
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # and it of every request that waits for a thread


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stopping = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGINT, asked)
    signal.signal(signal.SIGTERM, asked)
    return stopping
