"""How a serving process shares its interpreter between scanning and answering: requests must not wait long.

For processes that serve; a program that uses the scanner as a library keeps its interpreter as it is.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from scanner.runtime.allocator import bound_heaps

SWITCH_S = 0.001  # at p99 half the wait of Python's 0.005; at 0.0002 switching itself made it worse again
LONG_S = 0.02  # a collection that stops every thread longer than this has walked too much
WHOLE = 2  # the generation whose collection walks everything

Note = Callable[[str, dict[str, Any]], None]


def share_interpreter() -> None:
    """Let requests have the interpreter soon while a scan computes, and never for long wait for the collector.

    Who computes keeps it for a switch interval whenever another thread asks, and one request asks several times.
    """
    bound_heaps()
    sys.setswitchinterval(SWITCH_S)
    gc.callbacks.append(collections_kept_short())


def collections_kept_short(long_s: float = LONG_S, steady: Callable[[], float] = time.perf_counter) -> Note:
    """A callback for `gc.callbacks`: after a long whole collection, what survived it is not walked again.

    What survives are the market lists of the exchanges, hundreds of thousands of objects that live as long as the scan.
    `ScannerService.stop` gives them back to the collector.
    """
    began_s = 0.0

    def note(phase: str, about: dict[str, Any]) -> None:
        nonlocal began_s
        if about["generation"] != WHOLE:
            return
        if phase == "start":
            began_s = steady()
        elif steady() - began_s > long_s:
            gc.freeze()

    return note
