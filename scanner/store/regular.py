"""Only a regular file can be ours: what else lies under one of our names is neither read nor written nor removed.

A folder, a link, a pipe or a socket there is somebody else's. Opening a pipe would wait for ever, and following a link
would lead out of the data folder. A reader passes over it (`NOTHING`); a writer is refused until it is gone (`Foreign`
is an OSError like that of a full disk). The data folder itself and the folders in it may be links.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LARGEST = 1 << 30  # bytes; a day of signals has some 20 MB, and a head of candles less
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


class Foreign(OSError):
    """Under one of our names lies what cannot be a file of ours."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, f"{path.name} is {what}", str(path))


NOTHING = (FileNotFoundError, NotADirectoryError, Foreign)  # what a reader takes for no file


def kind_of(mode: int) -> str | None:
    """What a file of this mode is in place of a regular one: ``a folder``; None for a regular one."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "a device")


def refuse_foreign(path: Path) -> bool:
    """Whether there is a regular file; raises Foreign where there is anything else, OSError where that is unknown."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    _refuse(path, status)
    return True


def opened(path: Path) -> BinaryIO:
    """A regular file, opened for reading; raises Foreign or OSError."""
    try:
        status = path.lstat()  # before it is opened; O_NONBLOCK would not do, it fails while `is_being_read` asks
    except OSError as error:
        if error.errno == errno.ELOOP:  # a folder that is a link to itself is none
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error
        raise
    _refuse(path, status)
    file = os.fdopen(os.open(path, _FLAGS), "rb")
    try:
        _refuse(path, os.fstat(file.fileno()))
    except Foreign:
        file.close()
        raise
    return file


def content(path: Path) -> bytes:
    """The bytes of a regular file; raises Foreign or OSError."""
    with opened(path) as file:
        return file.read()


def remove(path: Path) -> None:
    """Remove a regular file, if there is one; raises Foreign or OSError."""
    if refuse_foreign(path):
        path.unlink(missing_ok=True)


def names_in(folder: Path) -> list[str]:
    """The names of the regular files of a folder, sorted; none where there is no folder. Raises OSError."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_regular(entry))
    except OSError as error:
        if is_no_folder(error):
            return []
        raise


def bytes_behind_links(folder: Path) -> int:
    """The size of all regular files elsewhere that links in a folder lead to."""
    found = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                found += entry.stat().st_size if entry.is_symlink() and entry.is_file() else 0
    return found


def is_no_folder(error: OSError) -> bool:
    """Whether an error says that there is no folder: nothing, a file, or a link that leads nowhere."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def _is_regular(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_file(follow_symlinks=False)
    return False


def _refuse(path: Path, status: os.stat_result) -> None:
    kind = kind_of(status.st_mode)
    if kind is not None:
        raise Foreign(path, kind)
    if status.st_size > LARGEST:
        raise Foreign(path, f"larger than any file of the scanner's ({status.st_size} bytes)")
