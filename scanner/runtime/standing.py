"""The standing wish of a service: what is being scanned is to be scanned again by the process after this one.

A start expresses it, a stop ends it. A process that merely ends, in whatever way, leaves it standing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from scanner.errors import FolderInUse, ScannerError
from scanner.order import StartOrder
from scanner.runtime.run import Run
from scanner.store.store import TrainingStore
from scanner.store.wish import Wish, WishFile

log = logging.getLogger(__name__)


class StandingWish:
    """Keeps, clears and fulfils the wish in the file of a data folder; does nothing unless it is `wanted`.

    Attributes
    ----------
    problem : str or None
        Why the wish of an earlier process could not be fulfilled.
    """

    def __init__(self, file: WishFile, *, wanted: bool) -> None:
        self._file, self._wanted = file, wanted
        self._wish: Wish | None = None
        self._resuming: Wish | None = None
        self._resumed = False
        self.problem: str | None = None

    def resume(self, start: Callable[[Mapping[str, Any]], Run | None]) -> Run | None:
        """Start what an earlier process was scanning; None where that is nothing, or cannot be started.

        Raises
        ------
        FolderInUse
            Another process owns the data folder.
        """
        if not self._wanted:
            return None
        try:
            self._resuming = self._file.read()
            return start(self._resuming.order) if self._resuming is not None else None
        except FolderInUse:
            raise
        except ScannerError as error:
            self.problem = f"What was being scanned cannot be resumed: {error}"
            log.error("%s", self.problem)
            return None
        finally:
            self._resuming = None

    def keep(self, order: StartOrder, store: TrainingStore) -> None:
        """A scan of `order` has started, which writes to `store`."""
        self._resumed = self._resuming is not None
        self._file = store.wish  # which goes on trying where the medium refuses
        if self._wanted:
            self._wish = self._resuming or Wish(order.as_dict(), datetime.now(UTC))
            if not self._resumed:
                self._file.keep(self._wish)

    def clear(self) -> None:
        """Nothing is to be resumed any more; another process's wish is left alone."""
        if self._wish is not None or self.problem is not None:
            self._file.clear()
        self._wish = self.problem = None

    def status(self) -> dict[str, Any]:
        """`resumed`: whether the current or last scan was resumed; `wish_since`: since when it is to be, or None."""
        return {"resumed": self._resumed, "wish_since": self._wish.since.isoformat() if self._wish else None}
