"""What in a data folder is not the scanner's: it stays as it is. Told apart by name, folder and kind of file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from scanner.store import files, names, regular, segments

logger = logging.getLogger(__name__)

OURS: Mapping[str, Callable[[str], object]] = {  # folder -> whether a name in it is ours; "" is the data folder itself
    "": {names.ALIVE, names.WISH, names.LOCK}.__contains__,
    names.SIGNALS: names.try_day_file,
    names.CLUSTERING: names.try_day_file,
    names.OHLCV: names.try_candle_file,
    names.UNIVERSE: names.try_exchange_file,
    names.GAPS: names.try_exchange_file,
    names.LATE: names.try_exchange_file,
    names.JOURNAL: segments.is_segment,
}
MOST_TOLD = 100


class Surroundings:
    """What has one of our names in a data folder and cannot be ours, as it was when somebody last looked.

    Attributes
    ----------
    strangers : list[str]
        See `in_our_place`.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self.strangers: list[str] = []

    def look(self) -> None:
        """Look again; the log hears of what is new."""
        before, self.strangers = self.strangers, in_our_place(self._base)
        for text in self.strangers:
            if text not in before:
                logger.warning("%s: it is not the scanner's, passed over and left alone", text)


def in_our_place(base: Path) -> list[str]:
    """What has one of our names and cannot be ours, ``ohlcv/binance_BTCUSDT_5m.parquet is a folder``, the first 100.

    What cannot be looked at is left out.
    """
    found: list[str] = []
    for folder in OURS:
        path = base / folder
        if folder and not path.is_dir() and os.path.lexists(path):
            found.append(f"{folder} is no folder")
        with suppress(OSError):
            found += [f"{folder}/{text}".lstrip("/") for text in sorted(_strangers(path, OURS[folder]))]
    return found[:MOST_TOLD]


def clear_leftovers(base: Path) -> None:
    """Remove the hidden files that a killed writer left beside its files; nobody else's. Raises OSError."""
    for folder, is_ours in OURS.items():
        for name in regular.names_in(base / folder):
            written = files.hidden_from(name)
            if written is not None and is_ours(written):
                (base / folder / name).unlink(missing_ok=True)


def _strangers(folder: Path, is_ours: Callable[[str], object]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False) and is_ours(files.hidden_from(entry.name) or entry.name):
                kind = regular.kind_of(entry.stat(follow_symlinks=False).st_mode)
                if kind is not None:
                    yield f"{entry.name} is {kind}"
