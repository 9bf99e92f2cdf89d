"""What the gap ledger has yet to say: records that the disk refused, until that is over, and entries it refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from scanner.store.gaps import NOT_KEPT, Gap

MOST_UNSTATED = 10_000  # entries, some ms to write; then the oldest go

Entry = tuple[Gap, int | None]  # and when it became known, market time, where that is told


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
    """Open losses by exchange and kind of record, and entries of the ledger that wait.

    May be used from any thread, and by one store after another.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[tuple[str, str], Loss] = {}
        self._unstated: list[Entry] = []

    def note(self, kind: str, refused: Mapping[str, int], cause: str, at_ms: int) -> None:
        """So many records of exchanges, of a cycle at `at_ms` (market time), were refused."""
        with self._lock:
            for exchange, records in refused.items():
                loss = self._open.setdefault((exchange, kind), Loss(at_ms, at_ms, 0, cause))
                loss.records, loss.to_ms = loss.records + records, max(at_ms, loss.to_ms)

    def over(self, kinds: Iterable[str], exchanges: Iterable[str], at_ms: int) -> None:
        """Records of these exchanges are kept again: what was lost of these kinds can be stated."""
        with self._lock:
            if not self._open:
                return
            for key in sorted((exchange, kind) for exchange in set(exchanges) for kind in kinds):
                if (loss := self._open.pop(key, None)) is not None:
                    self._unstated.append((loss.as_gap(*key, max(at_ms, loss.from_ms + 1)), None))

    def cut_short(self) -> None:
        """Nothing will be kept any more: all losses can be stated, up to the last record refused."""
        with self._lock:
            left, self._open = self._open, {}
            self._unstated += [(loss.as_gap(*key, loss.to_ms + 1), None) for key, loss in sorted(left.items())]

    def put_back(self, entries: Iterable[Entry]) -> int:
        """Entries that the ledger has refused wait; how many others had to go for them."""
        with self._lock:
            self._unstated += entries
            surplus = max(0, len(self._unstated) - MOST_UNSTATED)
            del self._unstated[:surplus]
            return surplus

    def take(self) -> list[Entry]:
        """What can be stated; it counts as stated."""
        with self._lock:
            found, self._unstated = self._unstated, []
            return found

    def lasting(self) -> list[Gap]:
        """Everything that is not stated; `to_ms` is None for what is not over."""
        with self._lock:
            lasting = [loss.as_gap(*key, to_ms=None) for key, loss in sorted(self._open.items())]
            return [*(gap for gap, _ in self._unstated), *lasting]
