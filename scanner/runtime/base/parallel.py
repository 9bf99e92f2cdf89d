"""Several exchanges at once, each on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from scanner.runtime.base.table import ExchangeOutcome


def in_parallel(work: Mapping[str, Callable[[], ExchangeOutcome]], deadline_s: float) -> tuple[ExchangeOutcome, ...]:
    """All outcomes, in order; one that has not come at the deadline is a failure, and its thread left to end alone."""
    outcomes: dict[str, ExchangeOutcome] = {}

    def run(exchange: str) -> None:
        outcomes[exchange] = work[exchange]()

    threads = [threading.Thread(target=run, args=(name,), name=f"base-scan-{name}", daemon=True) for name in work]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + deadline_s
    for thread in threads:
        thread.join(max(ends - time.monotonic(), 0.0))
    late = f"took longer than {deadline_s:g} s"
    return tuple(
        outcomes.get(name) or ExchangeOutcome(name, error=f"{name}: {late}", duration_s=deadline_s) for name in work
    )
