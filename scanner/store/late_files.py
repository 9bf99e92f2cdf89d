"""What became known late, on disk: ``late/binance_2025-10-24.json``, by the UTC day it became known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from scanner.markets import Market
from scanner.records import utc
from scanner.store import exchange_files, names
from scanner.store.daily import OnWritten
from scanner.store.health import Health
from scanner.store.late import Late, try_late
from scanner.store.ledger import Ledger

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
    """The late ledger, and its writer."""

    def __init__(self, base: Path, health: Health, on_written: OnWritten) -> None:
        super().__init__(base)
        self.files = Ledger(self.folder, health, on_written)

    def append(self, found: Iterable[Late]) -> None:
        """Note some changes; raises StoreFailure if some could not be, and says which."""
        lines = [
            (names.exchange_file(late.market.exchange, late.known_ms), late.market, late.as_record()) for late in found
        ]
        self.files.require({line[0] for line in lines}, Counter(self.files.append(lines)))
