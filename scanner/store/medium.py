"""What was written reaches the medium soon: a power cut may take what the last cycle wrote, nothing older.

A thread of its own flushes what was written, a second after it was, so that the many files of a cycle go together.
Linux can be asked to flush a whole file system, which costs 2,000 files little more than one; elsewhere they are
flushed one by one.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from scanner.store import files

GATHER_S = 1.0  # from a write to its flush, so that those of one cycle are flushed together
RETRY_S = 2.0  # after a flush that failed


class Medium:
    """Flushes written files in the background. Every method may be called from any thread.

    Parameters
    ----------
    on_result : callable
        Called with the error of each flush, None when it succeeded.
    """

    def __init__(self, on_result: Callable[[OSError | None], object]) -> None:
        self._on_result = on_result
        self._changed = threading.Condition()
        self._flushing = threading.Lock()
        self._written: set[Path] = set()
        self._flushed: set[Path] = set()  # at this moment
        self._thread: threading.Thread | None = None

    @property
    def unflushed(self) -> int:
        """How many files have content that a power cut may take."""
        with self._changed:
            return len(self._written | self._flushed)

    def wrote(self, path: Path) -> None:
        """A file has new content; it is flushed within moments."""
        with self._changed:
            self._written.add(path)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_again_and_again, name="flush", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Have everything on the medium that was written before.

        Raises
        ------
        OSError
            It is not.
        """
        with self._flushing:
            with self._changed:
                self._flushed, self._written = self._written, set()
            try:
                if self._flushed:
                    flush_files(self._flushed)
            except OSError:
                with self._changed:
                    self._written |= self._flushed
                raise
            finally:
                self._flushed = set()

    def finish(self, within_s: float) -> int:
        """Flush without waiting for more, as long as `within_s` lasts, and end; how many files are left."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None:
            thread.join(min(within_s, threading.TIMEOUT_MAX))
        return self.unflushed

    def _flush_again_and_again(self) -> None:
        """Flush what is written, until told to end."""
        pause_s = GATHER_S
        while not self._is_over():
            with self._changed:
                self._changed.wait_for(lambda: self._written or self._is_over())
                self._changed.wait_for(self._is_over, pause_s)
            failure = self._try_to_flush()
            self._on_result(failure)
            pause_s = GATHER_S if failure is None else RETRY_S

    def _is_over(self) -> bool:
        return self._thread is not threading.current_thread()

    def _try_to_flush(self) -> OSError | None:
        try:
            self.flush()
        except OSError as error:
            return error
        return None


def flush_files(paths: set[Path]) -> None:
    """Have the content and the names of some files on the medium; those that are gone need nothing.

    Raises
    ------
    OSError
        Some are not, and nobody knows which.
    """
    for folder in {path.parent for path in paths}:
        if not _flush_file_system(folder):
            for path in paths:
                if path.parent == folder:
                    files.sync(path)
            files.sync(folder)


def flushes_file_systems() -> bool:
    """Whether a whole file system can be flushed here by one call that waits for it."""
    return hasattr(_C, "syncfs")


def _flush_file_system(folder: Path) -> bool:
    """Flush the file system that a folder is on; False where that cannot be asked for."""
    if _C is None or not flushes_file_systems():
        return False
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        if _C.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(descriptor)
    return True


_C = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
