"""What the disk refused, until it can be stated in the gap ledger: since when, how many records, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from scanner.markets import Market
from scanner.store.gaps import NOT_KEPT, Gap


@dataclass
class Loss:
    """Records of one exchange and kind, from the first that was refused to the last so far."""

    from_ms: int
    to_ms: int
    records: int
    cause: str

    def as_gap(self, exchange: str, kind: str, to_ms: int | None) -> Gap:
        return Gap(exchange, None, NOT_KEPT, self.from_ms, to_ms, f"{self.records} {kind} records: {self.cause}")


class Losses:
    """Open losses by exchange and kind of record. May be used from any thread, and by one store after another."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[tuple[str, str], Loss] = {}
        self._unstated: list[Gap] = []

    def note(self, kind: str, refused: Mapping[Market, int], cause: str, at_ms: int) -> None:
        """Some records of a cycle at `at_ms` (market time) were refused."""
        with self._lock:
            for market, records in refused.items():
                loss = self._open.setdefault((market.exchange, kind), Loss(at_ms, at_ms, 0, cause))
                loss.records, loss.to_ms = loss.records + records, max(at_ms, loss.to_ms)

    def over(self, kind: str, exchanges: Iterable[str], at_ms: int) -> list[Gap]:
        """What can be stated, now that records of these exchanges were kept; it counts as stated."""
        with self._lock:
            found, self._unstated = self._unstated, []
            for exchange in sorted(exchanges):
                loss = self._open.pop((exchange, kind), None)
                if loss is not None:
                    found.append(loss.as_gap(exchange, kind, max(at_ms, loss.from_ms + 1)))
            return found

    def cut_short(self) -> list[Gap]:
        """What can be stated when nothing will be kept any more: up to the last record refused. It counts as stated."""
        with self._lock:
            left, self._open = self._open, {}
            found, self._unstated = self._unstated, []
            return found + [loss.as_gap(*key, to_ms=loss.to_ms + 1) for key, loss in sorted(left.items())]

    def put_back(self, gaps: Iterable[Gap]) -> None:
        """Gaps that could not be stated after all; it is tried again."""
        with self._lock:
            self._unstated += gaps

    def lasting(self) -> list[Gap]:
        """Everything that is not stated; `to_ms` is None for what is not over."""
        with self._lock:
            return [*self._unstated, *(loss.as_gap(*key, to_ms=None) for key, loss in sorted(self._open.items()))]
