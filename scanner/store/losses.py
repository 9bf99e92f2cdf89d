"""What the disk refused, until it can be stated in the gap ledger: since when, how many records, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from scanner.markets import Market
from scanner.store.gaps import NOT_KEPT, Gap


@dataclass
class Loss:
    """Records of one exchange and kind, from the first that was refused on."""

    from_ms: int
    records: int
    cause: str


class Losses:
    """Open losses by exchange and kind of record. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[tuple[str, str], Loss] = {}

    def note(self, kind: str, refused: Mapping[Market, int], cause: str, at_ms: int) -> None:
        """Some records of a cycle at `at_ms` (market time) were refused."""
        with self._lock:
            for market, records in refused.items():
                loss = self._open.setdefault((market.exchange, kind), Loss(at_ms, 0, cause))
                loss.records += records

    def ended(self, kind: str, exchanges: set[str], at_ms: int) -> list[Gap]:
        """The losses that are over, now that records of these exchanges were kept."""
        with self._lock:
            over = [(exchange, self._open.pop((exchange, kind), None)) for exchange in sorted(exchanges)]
        return [
            Gap(
                exchange,
                None,
                NOT_KEPT,
                loss.from_ms,
                max(at_ms, loss.from_ms + 1),
                f"{loss.records} {kind} records: {loss.cause}",
            )
            for exchange, loss in over
            if loss is not None
        ]

    def open_again(self, kind: str, gap: Gap) -> None:
        """A gap that could not be stated; it is tried again when the next records are kept."""
        records, _, cause = (gap.detail or "").partition(f" {kind} records: ")
        with self._lock:
            loss = self._open.setdefault((gap.exchange, kind), Loss(gap.from_ms, 0, cause))
            loss.from_ms = min(loss.from_ms, gap.from_ms)
            loss.records += int(records)
