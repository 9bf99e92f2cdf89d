"""One process owns a data folder: a lock that dies with its process, in a file that names it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import filelock

from scanner.errors import FolderInUse
from scanner.store import names, regular

LOCK_NAME = names.LOCK
_LONGEST = 100  # bytes of the file that are looked at


class Ownership:
    """The lock of one data folder; the operating system gives it back when its process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._lock = filelock.FileLock(self._path, timeout=0, thread_local=False)
        self._inode: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether we own the folder: not with the lock of a file that was deleted since, which keeps nobody out."""
        if not self._lock.is_locked:
            return False
        try:
            return self._path.lstat().st_ino == self._inode
        except OSError as error:
            return not regular.is_no_folder(error)

    def take(self) -> None:
        """Own the folder; does nothing when we do already.

        Raises
        ------
        FolderInUse
            Another process does, or another store of this one; the message has its pid.
        OSError
            The folder takes no lock file, or a file of somebody else has its name.
        """
        if self.is_held:
            return
        self._lock.release()
        self._refuse_foreign()
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise FolderInUse(
                f"{self._path.parent}: the data folder is in use by {self._owner()}; "
                "stop that scanner or choose another folder"
            ) from None
        self._inode = self._path.lstat().st_ino
        with suppress(OSError):  # a full disk; the lock holds without the pid
            self._path.write_text(f"{os.getpid()}\n")

    def give_back(self) -> None:
        if self.is_held:
            with suppress(OSError):
                self._path.write_text("")
        self._lock.release()

    def _refuse_foreign(self) -> None:
        """Ours holds a pid, or nothing, or the zeros of a power cut; we write to no other."""
        with suppress(FileNotFoundError), regular.opened(self._path) as file:
            if file.read(_LONGEST).strip(b"0123456789\r\n\0"):
                raise regular.Foreign(self._path, "not a lock file of the scanner's")

    def _owner(self) -> str:
        try:
            pid = int(regular.content(self._path))
        except (OSError, ValueError):
            return "another process"
        return f"this process ({pid})" if pid == os.getpid() else f"process {pid}"
