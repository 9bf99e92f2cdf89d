"""What became known late, on disk: ``late/binance_2025-10-24.json``, by the UTC day it became known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from scanner.markets import Market
from scanner.records import utc
from scanner.store import arrays, exchange_files, names
from scanner.store.daily import DayFiles, OnWritten
from scanner.store.health import Health
from scanner.store.late import Late, try_late

FOLDER = names.LATE


class LateLedger:
    """What the late ledger of a data folder says."""

    def __init__(self, base: Path) -> None:
        self.folder = base / FOLDER

    def read(self, market: Market, since_ms: int) -> list[Late]:
        """What changed of a market after `since_ms`, as it was noted.

        Raises
        ------
        StoreFailure
            A file cannot be read.
        """
        found: list[Late] = []
        for path in exchange_files.paths(self.folder, market.exchange, utc(max(since_ms, 0)).date()):
            mine = (record for record in exchange_files.records(path) if record.get("symbol") == market.symbol)
            found += [change for record in mine if (change := try_late(record)) is not None]
        return [change for change in found if change.known_ms > since_ms and change.market == market]


class LateFiles(LateLedger):
    """The late ledger, and its writer. Failures to write show in the store's health and stop nothing."""

    def __init__(self, base: Path, health: Health, on_written: OnWritten) -> None:
        super().__init__(base)
        self._health = health
        self._days = DayFiles(self.folder, lambda record: None, on_written)

    def append(self, found: Iterable[Late]) -> None:
        """Note some changes; raises StoreFailure if some could not be, and says which."""
        by_file: dict[str, list[Late]] = {}
        for change in found:
            by_file.setdefault(names.gap_file(change.market.exchange, change.known_ms), []).append(change)
        refused: Counter[Market] = Counter()
        for name, each in by_file.items():
            try:
                self._days.append(name, [(None, arrays.encode(change.as_record())) for change in each])
            except OSError as error:
                refused.update(change.market for change in each)
                self._health.note(f"{FOLDER}/{name}", error)
            else:
                self._health.note(f"{FOLDER}/{name}", None)
        self._health.lose(refused.total())
        self._health.raise_failures([f"{FOLDER}/{name}" for name in by_file], refused)

    def close(self) -> None:
        self._days.close()
