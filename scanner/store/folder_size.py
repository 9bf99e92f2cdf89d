"""How large a data folder is."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pyarrow import fs

from scanner.store import names

MEASURE_S = 30.0  # how old the size of the folder may be


class FolderSize:
    """The size of one data folder, at most `MEASURE_S` old. May be asked from any thread."""

    def __init__(self, base: Path, clock: Callable[[], float]) -> None:
        self._base, self._clock = base, clock
        self._size, self._measured_at = {"files": 0, "bytes": 0}, -math.inf
        self._measuring = threading.Lock()

    def now(self) -> dict[str, int]:
        """As `size_of`; one caller at a time measures it, and only the first of all is waited for."""
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
