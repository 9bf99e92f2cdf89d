"""Who was in a scan: snapshots of universes in day files per exchange."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanner.errors import StoreFailure
from scanner.store import exchange_files, names
from scanner.store.ledger import Ledger


class UniverseFiles(Ledger):
    """``universe/binance_2025-10-24.json`` and on; every method may be called from any thread."""

    def keep(self, exchange: str, record: Mapping[str, Any], at_ms: int) -> None:
        """Keep one snapshot in the file of its UTC day; raises InvalidInput, StoreFailure."""
        name = names.exchange_file(exchange, at_ms)
        self.require([name], Counter(self.append([(name, exchange, record)])))


def newest_universe(folder: Path, exchange: str) -> dict[str, Any] | None:
    """The newest snapshot of an exchange; None where there is none, or none that can be read."""
    with contextlib.suppress(StoreFailure):
        for path in reversed(exchange_files.paths(folder, exchange)):
            if records := exchange_files.records(path):
                return records[-1]
    return None
