"""The wish to run: a small file that says what is being scanned, for the process after this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from scanner.errors import FolderInUse, StoreFailure
from scanner.store import files, names, regular
from scanner.store.health import Health

NAME = names.WISH
MOST_BYTES = 1_000_000  # 5,000 symbols need a tenth of it


@dataclass(frozen=True)
class Wish:
    """What is to be scanned, as a start order gives itself, and since when."""

    order: Mapping[str, Any]
    since: datetime


class WishFile:
    """The wish in a data folder; replaced whole, so that a reader meets the old one or the new one."""

    def __init__(self, folder: Path, health: Health | None = None, own: Callable[[], None] = lambda: None) -> None:
        self._path, self._health, self._own = folder / NAME, health or Health(folder), own
        self._lock = Lock()
        self._unkept: Wish | None = None

    def read(self) -> Wish | None:
        """The wish, None where there is none.

        Raises
        ------
        StoreFailure
            The file cannot be read, or is not one of ours.
        """
        try:
            with regular.opened(self._path) as file:
                data = file.read(MOST_BYTES + 1)
        except regular.NOTHING:
            return None
        except OSError as error:
            raise StoreFailure(f"{NAME}: cannot be read: {error.strerror}") from error
        return _parsed(data)

    def keep(self, wish: Wish) -> None:
        """Put the wish on the medium; a file that is not ours is set aside. A failure shows in the store's health."""
        with self._lock:
            self._unkept = wish
        self.retry()

    def retry(self) -> None:
        """Keep the wish that could not be kept, if there is one."""
        with self._lock:
            if self._unkept is not None and self._try(partial(self._write, self._unkept)):
                self._unkept = None

    def clear(self) -> None:
        """Have no wish; a failure shows in the store's health, and a file that is not ours stays."""
        with self._lock:
            self._unkept = None
            if not self._is_foreign():
                self._try(lambda: regular.remove(self._path))

    def _write(self, wish: Wish) -> None:
        self._own()
        text = orjson.dumps({"since": wish.since.isoformat(), "order": wish.order}, option=orjson.OPT_INDENT_2)
        files.replace(self._path, text + b"\n", keep_old=self._is_foreign())

    def _try(self, change: Callable[[], None]) -> bool:
        try:
            change()
        except (StoreFailure, FolderInUse):  # in the store's health already
            return False
        except OSError as error:
            self._health.note(NAME, error)
            return False
        self._health.note(NAME, None)
        return True

    def _is_foreign(self) -> bool:
        try:
            self.read()
        except StoreFailure:
            return True
        return False


def _parsed(data: bytes) -> Wish:
    try:
        values = orjson.loads(data)
        since = datetime.fromisoformat(values["since"])
        if len(data) > MOST_BYTES or since.tzinfo is None or not isinstance(values["order"], dict):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise StoreFailure(f"{NAME}: is damaged or not the scanner's") from None
    return Wish(values["order"], since.astimezone(UTC))
