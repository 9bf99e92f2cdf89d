"""Waiting for a condition, with a deadline; never for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

AT_ONCE_S = 20.0  # what waits for nothing is over by then, also on a machine that stands still for seconds


def wait_for(condition: Callable[[], T], deadline_s: float = 60.0, what: str = "") -> T:
    """The first true value of `condition`; fails at the deadline."""
    ends = time.monotonic() + deadline_s
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise AssertionError(f"not within {deadline_s:g} s: {what or condition}")
        pause.wait(0.02)
