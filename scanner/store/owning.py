"""Owning a data folder: making what is missing of it, taking its lock, and saying why neither can be done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from scanner.errors import FolderInUse, StoreFailure
from scanner.store import folders
from scanner.store.health import Health
from scanner.store.ownership import Ownership

logger = logging.getLogger(__name__)


class Owning:
    """One process, or one store of it, on its way to be the only writer of a data folder; tried again until it is.

    Every method may be called from any thread.

    Parameters
    ----------
    wanted : iterable of Path
        The folders that belong into it.
    health : Health
        Is told of every attempt.
    take_up : callable
        Is called once the folder is ours, before anything is written; an OSError of it counts as not owned.
    let_go : callable
        Is called when the folder turns out to be ours no more, before it is taken again.
    """

    def __init__(
        self,
        base: Path,
        wanted: Iterable[Path],
        health: Health,
        take_up: Callable[[], None],
        let_go: Callable[[], None],
    ) -> None:
        self._base, self._folders, self._health = base, tuple(wanted), health
        self._take_up, self._let_go = take_up, let_go
        self._lock = Ownership(base)
        self._missing: list[Path] = []
        self._owning = threading.Lock()
        self.is_wanted = self.is_ours = False

    def begin(self) -> None:
        """From here on the folder is wanted; `own` takes it."""
        self.is_wanted = True

    def end(self) -> None:
        """Give the folder back, if we have it."""
        with self._owning:
            self.is_wanted = self.is_ours = False
            self._lock.give_back()

    def own(self) -> None:
        """Be the folder's writer; does nothing when we are.

        Raises
        ------
        StoreFailure
            It cannot be written to, or is not wanted.
        FolderInUse
            It is another's.
        """
        with self._owning:
            if not self.is_wanted:
                raise StoreFailure(f"{self._base}: the store is not open")
            if self.is_ours and self._lock.is_held:
                self._make_what_is_missing()
                return
            if self.is_ours:  # the lock was deleted, with all else maybe, and may be another's by now
                logger.warning("%s: its lock file was deleted, it is taken again", self._base)
                self.is_ours = False
                self._let_go()
            try:
                self._make_folders()
                self._lock.take()
                self._take_up()
            except FolderInUse as error:
                self._health.note(str(self._base), error)
                raise
            except OSError as error:
                self._health.note(str(self._base), error)
                where = error.filename or self._base
                raise StoreFailure(f"{where}: cannot be written to: {error.strerror or error}") from error
            self.is_ours = True
            self._health.note(str(self._base), None)

    def require_writable(self) -> None:
        """Be the writer, and put a byte into every folder; raises StoreFailure for the first that takes none."""
        self.own()
        folders.require_writable((self._base, *self._folders))

    def _make_what_is_missing(self) -> None:
        if not self._missing and folders.are_there(self._folders):
            return
        before = self._missing
        with suppress(OSError):  # then no file can be written there either, and says why
            self._make_folders()
            if not before:
                logger.warning("%s: folders in it were deleted, they are made again", self._base)

    def _make_folders(self) -> None:
        """Make the folders there are not yet. Where a file has the name of one, the others will do."""
        folders.make(self._base)
        self._missing = []
        for folder in self._folders:
            try:
                folders.make(folder)
            except NotADirectoryError as error:
                self._missing.append(folder)
                self._health.note(f"folder {folder.name}", error)
            else:
                self._health.note(f"folder {folder.name}", None)
