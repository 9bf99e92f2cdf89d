"""Signals or cluster records into their day files: one bad record or file costs itself only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scanner.markets import Market
from scanner.store import arrays, names
from scanner.store.daily import DayFiles, OnWritten
from scanner.store.health import Health
from scanner.store.moments import Filing, Key

logger = logging.getLogger(__name__)

Record = dict[str, Any]
Batch = Mapping[Market, Sequence[Record]]
FileOf = Callable[[Record, int], Filing]
Entry = tuple[Key | None, bytes]


class RecordFiles:
    """One kind of records; every method may be called from any thread.

    Parameters
    ----------
    folder : Path
        Where the day files lie; its name is the kind's in `health`.
    file_of : callable
        Says of a record which day it belongs to, and what it is kept once by.
    """

    def __init__(self, folder: Path, file_of: FileOf, health: Health, on_written: OnWritten) -> None:
        self.name, self._file_of, self._health = folder.name, file_of, health
        self.days = DayFiles(folder, lambda record: file_of(record, 0).key, on_written)

    def append(self, batch: Batch, at_ms: int) -> None:
        """Keep the records of all markets that can be kept; raises StoreFailure if some could not, and says which."""
        keys = [f"{self.name}/{names.stem(market)}" for market in batch]
        refused: dict[Market, int] = {}
        for key, (market, records) in zip(keys, batch.items(), strict=True):
            failure, lost = self._append_market(market, records, at_ms)
            self._health.note(key, failure)
            if lost:
                refused[market] = lost
        self._health.raise_failures(keys, refused)

    def has(self, market: Market, key: Key) -> bool:
        """Whether a record with that key is kept; False where its file cannot be read."""
        try:
            return self.days.has(names.day_file(market, key.moment_ms), key)
        except OSError:
            return False

    def _append_market(self, market: Market, records: Sequence[Record], at_ms: int) -> tuple[Exception | None, int]:
        """Append one market's records to their day files; the last thing that went wrong, and how many it cost."""
        failure: Exception | None = None
        lost = 0
        for name, entries in self._by_file(market, records, at_ms).items():
            lines: list[Entry] = [entry for entry in entries if not isinstance(entry, Exception)]
            unfit = [entry for entry in entries if isinstance(entry, Exception)]
            failure = unfit[-1] if unfit else failure
            try:
                self.days.append(name, lines)
            except OSError as error:
                failure = error
                lost += len(lines)
            lost += len(unfit)
        return failure, lost

    def _by_file(self, market: Market, records: Sequence[Record], at_ms: int) -> dict[str, list[Entry | Exception]]:
        entries: dict[str, list[Entry | Exception]] = {}
        for record in records:
            filing = self._file_of(record, at_ms)
            name = names.day_file(market, filing.moment_ms)
            entries.setdefault(name, []).append(_entry(filing.key, record))
        return entries


def _entry(key: Key | None, record: Record) -> Entry | Exception:
    try:
        return key, arrays.encode(record)
    except TypeError as error:
        return error
