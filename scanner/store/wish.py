"""The wish to run: a small file that says what is being scanned, for the process after this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from scanner.errors import StoreFailure
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

    def __init__(self, folder: Path, health: Health | None = None) -> None:
        self._path, self._health = folder / NAME, health or Health(folder)

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
        text = orjson.dumps({"since": wish.since.isoformat(), "order": wish.order}, option=orjson.OPT_INDENT_2)
        try:
            files.replace(self._path, text + b"\n", keep_old=self._is_foreign())
        except OSError as error:
            self._health.note(NAME, error)
        else:
            self._health.note(NAME, None)

    def clear(self) -> None:
        """Have no wish; a failure shows in the store's health, and a file that is not ours stays."""
        if self._is_foreign():
            return
        try:
            regular.remove(self._path)
        except OSError as error:
            self._health.note(NAME, error)
        else:
            self._health.note(NAME, None)

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
