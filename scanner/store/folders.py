"""The folders of the data: made, and told apart from what stands in their place or takes no files."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scanner.errors import StoreFailure
from scanner.store import regular


def obstacle(folder: Path) -> Path | None:
    """What is no folder though `folder` is that, or should lie in it; None where nothing is in the way."""
    for path in (folder, *folder.parents):
        if os.path.lexists(path):
            return None if path.is_dir() else path
    return None


def are_there(folders: Iterable[Path]) -> bool:
    """Whether none of them is missing, as far as that can be told."""
    try:
        return all(stat.S_ISDIR(folder.stat().st_mode) for folder in folders)
    except OSError as error:
        return not regular.is_no_folder(error)


def make(folder: Path) -> None:
    """Have a folder, and those it lies in. Raises OSError, with what stands in the way as `filename`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if (found := obstacle(folder)) is not None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(found)) from error
        raise


def takes_file(path: Path) -> bool:
    """Whether a file could be written anew where `path` is or would be: its folder takes a byte, and it can be read."""
    try:
        require_writable([path.parent])
        with regular.opened(path):
            return True
    except FileNotFoundError:
        return True
    except (OSError, StoreFailure, regular.Foreign):
        return False


def require_writable(folders: Iterable[Path]) -> None:
    """Put a byte into each and take it out again; raises StoreFailure for the first that takes none."""
    for folder in folders:
        try:
            with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
                file.write(b"\n")
        except OSError as error:
            raise StoreFailure(f"{folder}: cannot be written to: {error.strerror or error}") from error
