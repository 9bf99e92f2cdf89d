"""How writing goes: what fails at present and why, and what was lost."""

from __future__ import annotations

import errno
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyarrow import fs

from scanner.errors import StoreFailure
from scanner.markets import Market
from scanner.store import names

logger = logging.getLogger(__name__)

MEASURE_S = 30.0  # how old the size of the folder may be
EVERYWHERE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE}  # what no file alone is the cause of


class Health:
    """The failures of a store by file; a file that can be written again is healthy again."""

    def __init__(self, base: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.not_kept = 0
        self._base, self._clock = base, clock
        self._lock = threading.Lock()
        self._failing: dict[str, Exception] = {}
        self._size, self._measured_at = {"files": 0, "bytes": 0}, -math.inf
        self._measuring = threading.Lock()

    def note(self, what: str, error: Exception | None) -> None:
        """Remember how the last attempt on `what` went; the log hears of changes only."""
        with self._lock:
            before = self._failing.pop(what, None)
            if error is not None:
                self._failing[what] = error
        if error is not None and before is None:
            logger.error("%s cannot be written: %s", what, _cause(error))
        elif error is None and before is not None:
            logger.warning("%s can be written again", what)

    def lose(self, records: int) -> None:
        with self._lock:
            self.not_kept += records

    def raise_failures(self, names: Iterable[str], refused: Mapping[Market, int] | None = None) -> None:
        """Raise StoreFailure, with what was `refused`, if one of `names` fails; ``ohlcv/`` names all in that folder."""
        wanted = set(names)
        with self._lock:
            failing = {what: error for what, error in self._failing.items() if wanted & {what, _folder_of(what)}}
        if failing:
            raise StoreFailure(_message(failing), refused)

    def raise_general(self) -> None:
        """Raise StoreFailure for a failure that no file alone is the cause of: the next file will fare no better."""
        for what, error in self._now().items():
            if isinstance(error, OSError) and error.errno in EVERYWHERE:
                raise StoreFailure(_message({what: error}))

    def failing(self) -> dict[str, str]:
        """What cannot be written at present, and why."""
        return {what: _cause(error) for what, error in self._now().items()}

    def report(self) -> dict[str, Any]:
        failing = self._now()
        whole = str(self._base)
        if whole in failing:  # which explains the others
            failing = {whole: failing[whole]} | failing
        state = "degraded" if failing else "ok"
        return {"state": state, "cause": _message(failing) if failing else None} | self._measured()

    def _now(self) -> dict[str, Exception]:
        with self._lock:
            return dict(self._failing)

    def _measured(self) -> dict[str, int]:
        """The size of the folder; one caller at a time measures it, and only the first of all is waited for."""
        never = self._measured_at == -math.inf
        if self._is_measured() or not self._measuring.acquire(blocking=never):
            return self._size
        try:
            if not self._is_measured():
                with suppress(OSError):  # a folder that cannot be read keeps the size it had
                    self._size = size_of(self._base)
                self._measured_at = self._clock()
        finally:
            self._measuring.release()
        return self._size

    def _is_measured(self) -> bool:
        return self._clock() - self._measured_at < MEASURE_S


def _folder_of(what: str) -> str:
    return what.partition("/")[0] + "/"


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _message(failing: dict[str, Exception]) -> str:
    what, error = next(iter(failing.items()))
    others = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
    return f"{what} cannot be written: {_cause(error)}{others}"


def size_of(base: Path) -> dict[str, int]:
    """How many files a data folder holds, and their bytes; what vanishes while we look is not counted.

    Other folders in it are not looked into: links may lead round in a circle. The walk is pyarrow's: Python's would
    wait for the interpreter again at each of thousands of files.
    """
    look = fs.LocalFileSystem().get_file_info
    folders = [base, *(path for name in names.FOLDERS if (path := base / name).is_dir())]
    found = [each for folder in folders for each in look(_in(folder)) if each.is_file]
    return {"files": len(found), "bytes": sum(each.size for each in found)}


def _in(folder: Path) -> fs.FileSelector:
    return fs.FileSelector(str(folder), recursive=False, allow_not_found=True)
