"""Requests that wait for an exchange. Each holds a thread of the server, and some must stay free for everybody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from scanner.errors import Busy

LOOK_S = 0.25  # between two looks at whether everything is to end


@contextmanager
def seat(seats: threading.BoundedSemaphore, full: str) -> Iterator[None]:
    """One of the places to wait; raises Busy, saying `full`, where all are taken."""
    if not seats.acquire(blocking=False):
        raise Busy(full)
    try:
        yield
    finally:
        seats.release()


@contextmanager
def turn(turns: threading.BoundedSemaphore, until: float, stopping: threading.Event) -> Iterator[None]:
    """One of the turns, waited for `until` a monotonic time; raises Busy when none comes, or all is to end."""
    while not turns.acquire(timeout=max(min(until - time.monotonic(), LOOK_S), 0.0)):
        if stopping.is_set() or time.monotonic() >= until:
            raise Busy("others are being answered; try again in a moment")
    try:
        yield
    finally:
        turns.release()
