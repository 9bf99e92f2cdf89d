"""The few ways a file is put on disk here: each leaves the old content or the new one, never a mixture."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from scanner.store import regular

if sys.platform == "linux":
    import fcntl

logger = logging.getLogger(__name__)

LEFTOVERS = ("twin", "spare", "tmp")  # endings of the hidden files a killed writer may leave


class Stamp(NamedTuple):
    """What tells one content of a file from another without reading it."""

    inode: int
    size: int
    mtime_ns: int


def hidden(path: Path, ending: str) -> Path:
    """A hidden neighbour of `path`, for work in progress."""
    return path.with_name(f".{path.name}.{ending}")


def hidden_from(name: str) -> str | None:
    """The name that `hidden` has made this one of, with one of the `LEFTOVERS`; None for any other."""
    body, _, ending = name.rpartition(".")
    return body[1:] if body.startswith(".") and ending in LEFTOVERS else None


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of what has this name, a link's own too; None where nothing has it."""
    try:
        return as_stamp(path.lstat())
    except FileNotFoundError:
        return None


def as_stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns)


class Change(NamedTuple):
    """New content for a file; with `keep_old` the old file is set aside."""

    path: Path
    data: bytes
    keep_old: bool = False


def replace(path: Path, data: bytes, *, keep_old: bool = False) -> None:
    """Put `data` under the name `path`; see `replace_all`."""
    replace_all([Change(path, data, keep_old)])


def replace_all(changes: Sequence[Change]) -> None:
    """Give files new content: write it beside all of them, sync, then rename one right after the other, in order.

    Raises
    ------
    OSError
        It could not be written, or something else than a file has one of the names; every file is as it was and nothing
        is left beside it. Only a rename that is refused leaves those before it done.
    """
    for change in changes:
        regular.refuse_foreign(change.path)
    try:
        for change in changes:
            _write_beside(change)
        for change in changes:
            if change.keep_old:
                set_aside(change.path)
            rename(hidden(change.path, "tmp"), change.path)
    except OSError:
        for change in changes:
            with suppress(OSError):
                regular.remove(hidden(change.path, "tmp"))
        raise


def rename(old: Path, new: Path) -> None:
    """Give `new`'s name to `old`; what had it is gone."""
    os.replace(old, new)  # noqa: PTH105 - Path.replace also makes a Path of the target, as dear as the call itself


def _write_beside(change: Change) -> None:
    beside = hidden(change.path, "tmp")
    regular.remove(beside)  # a leftover; it may have a second name elsewhere
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        write_all(descriptor, change.data, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write `data` at `offset`, by one call unless the medium is all but full; then the next call says why."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def sync(path: Path) -> None:
    """Have the content of `path` on the medium before returning; a file that is gone needs no sync."""
    with suppress(FileNotFoundError):
        if not (path.is_file() or path.is_dir()):
            return  # a pipe in its place would keep us waiting
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def set_aside(path: Path) -> Path:
    """Give a file that we cannot use the name ``<name>.corrupt-N``, the first N that is free; returns that path.

    Where the file system has hard links the file also stays under its own name, for `replace` to take it over.
    """
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.corrupt-{number}")):
        number += 1
    try:
        os.link(path, aside)
    except OSError:
        path.rename(aside)
    logger.warning("set aside as %s", aside.name)
    return aside


def is_being_read(descriptor: int) -> bool:
    """Whether somebody else has this file open.

    Linux grants a write lease only to the sole opener of a file; we ask for one and give it back. Where leases do not
    exist (another system, a file of another owner) the answer is False.
    """
    if sys.platform != "linux":
        return False
    try:
        # who opens the file while the lease stands makes the kernel signal us: by SIGURG, which nobody minds, in place
        # of SIGIO, which kills; giving the lease back resets the choice
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
