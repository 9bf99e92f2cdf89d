"""Records about exchanges into their day files, ``universe/binance_2025-10-24.json``: a bad file costs itself only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from scanner.store import arrays
from scanner.store.daily import DayFiles, OnWritten
from scanner.store.health import Health

T = TypeVar("T")
Line = tuple[str, T, Mapping[str, Any]]  # the name of its file, what it is about, and the record


class Ledger:
    """The files of one folder; every method may be called from any thread."""

    def __init__(self, folder: Path, health: Health, on_written: OnWritten) -> None:
        self._kind, self._health = folder.name, health
        self.days = DayFiles(folder, lambda record: None, on_written)

    def append(self, lines: Iterable[Line[T]]) -> list[T]:
        """Keep what can be kept; what cannot is the answer, and why shows in the store's health."""
        by_file: dict[str, list[Line[T]]] = {}
        for line in lines:
            by_file.setdefault(line[0], []).append(line)
        refused: list[T] = []
        for name, each in by_file.items():
            try:
                self.days.append(name, [(None, arrays.encode(dict(record))) for _, _, record in each])
            except OSError as error:
                self._health.note(f"{self._kind}/{name}", error)
                refused += [about for _, about, _ in each]
            else:
                self._health.note(f"{self._kind}/{name}", None)
        return refused

    def require(self, files: Iterable[str], refused: Mapping[Any, int]) -> None:
        """Raise StoreFailure, with what was `refused`, if one of some files cannot be written."""
        self._health.raise_failures([f"{self._kind}/{name}" for name in files], refused)
