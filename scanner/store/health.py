"""How writing goes: what fails at present and why, and what was lost."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scanner.errors import StoreFailure

logger = logging.getLogger(__name__)

MEASURE_S = 30.0  # how old the size of the folder may be


class Health:
    """The failures of a store by file; a file that can be written again is healthy again."""

    def __init__(self, base: Path, clock: Callable[[], float]) -> None:
        self.not_kept = 0
        self._base, self._clock = base, clock
        self._lock = threading.Lock()
        self._failing: dict[str, str] = {}
        self._size, self._measured_at = {"files": 0, "bytes": 0}, float("-inf")

    def note(self, what: str, error: Exception | None) -> None:
        """Remember how the last attempt on `what` went; the log hears of changes only."""
        cause = None if error is None else _cause(error)
        with self._lock:
            before = self._failing.pop(what, None)
            if cause is not None:
                self._failing[what] = cause
        if cause is not None and before is None:
            logger.error("%s cannot be written: %s", what, cause)
        elif cause is None and before is not None:
            logger.warning("%s can be written again", what)

    def lose(self, records: int) -> None:
        with self._lock:
            self.not_kept += records

    def raise_failures(self, prefixes: Sequence[str]) -> None:
        """Raise StoreFailure if something fails whose name starts with one of `prefixes`."""
        wanted = tuple(prefixes)
        with self._lock:
            failing = {what: cause for what, cause in self._failing.items() if what.startswith(wanted)}
        if failing:
            raise StoreFailure(_message(failing))

    def report(self) -> dict[str, Any]:
        with self._lock:
            failing = dict(self._failing)
        state = "degraded" if failing else "ok"
        return {"state": state, "cause": _message(failing) if failing else None} | self._measured()

    def _measured(self) -> dict[str, int]:
        now = self._clock()
        if now - self._measured_at >= MEASURE_S:
            self._size, self._measured_at = _size_of(self._base), now
        return self._size


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _message(failing: dict[str, str]) -> str:
    what, cause = next(iter(failing.items()))
    others = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
    return f"{what} cannot be written: {cause}{others}"


def _size_of(base: Path) -> dict[str, int]:
    """How many files there are below `base`, and their bytes; what vanishes while we look is not counted."""
    sizes = []
    for folder, _, entries in os.walk(base):
        for name in entries:
            with suppress(OSError):
                sizes.append(Path(folder, name).stat().st_size)
    return {"files": len(sizes), "bytes": sum(sizes)}
