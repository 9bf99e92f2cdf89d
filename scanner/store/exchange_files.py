"""The day files of exchanges, ``gaps/binance_2025-10-24.json`` and the like: what is in them. Reads only."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from scanner.errors import StoreFailure
from scanner.store import arrays, names, regular


def paths(folder: Path, exchange: str | None = None, first: date = date.min) -> list[Path]:
    """The files of one exchange, or of all, from a day on, by name; raises StoreFailure."""
    try:
        found = [(folder / text, names.try_exchange_file(text)) for text in regular.names_in(folder)]
    except OSError as error:
        raise StoreFailure(f"{folder.name}: cannot be read: {error.strerror}") from error
    return [path for path, name in found if name and name.day >= first and exchange in (None, name.exchange)]


def day_of(path: Path) -> date:
    """The day of a file that `paths` has found."""
    return date.fromisoformat(path.stem[-len("2025-10-24") :])


def records(path: Path) -> list[dict[str, Any]]:
    """The records of a file, none where there is no file any more; raises StoreFailure."""
    try:
        with regular.opened(path) as file:
            return arrays.load(file).records
    except regular.NOTHING:
        return []
    except OSError as error:
        raise StoreFailure(f"{path.parent.name}/{path.name}: cannot be read: {error.strerror}") from error
