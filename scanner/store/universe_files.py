"""Who was in a scan: snapshots of universes in day files per exchange."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanner.errors import StoreFailure
from scanner.store import arrays, exchange_files, names
from scanner.store.daily import DayFiles, OnWritten
from scanner.store.health import Health


class UniverseFiles:
    """``universe/binance_2025-10-24.json`` and on; every method may be called from any thread."""

    def __init__(self, folder: Path, health: Health, on_written: OnWritten) -> None:
        self._kind, self._health = folder.name, health
        self._days = DayFiles(folder, lambda record: None, on_written)

    @property
    def repaired(self) -> int:
        return self._days.repaired

    @property
    def set_aside(self) -> int:
        return self._days.set_aside

    def append(self, exchange: str, record: Mapping[str, Any], at_ms: int) -> None:
        """Keep one snapshot in the file of its UTC day; raises InvalidInput, StoreFailure."""
        name = names.universe_file(exchange, at_ms)
        key = f"{self._kind}/{name}"
        try:
            self._days.append(name, [(None, arrays.encode(dict(record)))])
        except OSError as error:
            self._health.lose(1)
            self._health.note(key, error)
        else:
            self._health.note(key, None)
        self._health.raise_failures([key])

    def close(self) -> None:
        self._days.close()


def newest_universe(folder: Path, exchange: str) -> dict[str, Any] | None:
    """The newest snapshot of an exchange; None where there is none, or none that can be read."""
    with contextlib.suppress(StoreFailure):
        for path in reversed(exchange_files.paths(folder, exchange)):
            if records := exchange_files.records(path):
                return records[-1]
    return None
