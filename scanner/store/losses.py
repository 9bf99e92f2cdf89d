"""What the gap ledger has yet to say: what the disk refused, until that is over, and entries the ledger refused."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from scanner.markets import Market
from scanner.store.gaps import NOT_KEPT, Gap
from scanner.store.intervals import Span

MOST_UNSTATED = 10_000  # entries, some ms to write; then the oldest go

Entry = tuple[Gap, int | None]  # and when it became known, market time, where that is told


@dataclass
class Loss:
    """What was refused of one exchange or market and of one sort, from the first to the last so far."""

    from_ms: int
    to_ms: int
    count: int
    cause: str
    of_all: bool = False  # nothing at all of that exchange and sort was taken

    def as_gap(self, exchange: str, symbol: str, sort: str, to_ms: int | None) -> Gap:
        return Gap(exchange, symbol or None, NOT_KEPT, self.from_ms, to_ms, f"{self.count} {sort}: {self.cause}")


class Losses:
    """Open losses, of records by exchange and kind, of candles by market and timeframe; entries that wait.

    May be used from any thread, and by one store after another.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[tuple[str, str, str], Loss] = {}  # exchange, symbol if any, sort
        self._unstated: list[Entry] = []

    def note(self, kind: str, refused: Mapping[str, int], cause: str, at_ms: int, taken: Container[str] = ()) -> None:
        """So many records of exchanges, of a cycle at `at_ms` (market time), were refused.

        Where others of an exchange were `taken`, a loss of all there was is over, and another one of some begins.
        """
        with self._lock:
            for exchange, records in refused.items():
                key = (exchange, "", f"{kind} records")
                if exchange in taken and key in self._open and self._open[key].of_all:
                    self._end(key, at_ms)
                fresh = Loss(at_ms, at_ms, 0, cause, of_all=exchange not in taken)
                loss = self._open.setdefault(key, fresh)
                loss.count, loss.to_ms = loss.count + records, max(at_ms, loss.to_ms)

    def note_candles(self, market: Market, timeframe: str, count: int, span: Span, cause: str) -> None:
        """So many candles that opened within a span had to go."""
        with self._lock:
            key, last_ms = (market.exchange, market.symbol, f"{timeframe} candles"), span[1] - 1
            loss = self._open.setdefault(key, Loss(span[0], last_ms, 0, cause))
            loss.count += count
            loss.from_ms, loss.to_ms = min(loss.from_ms, span[0]), max(loss.to_ms, last_ms)

    def over(self, kinds: Iterable[str], exchanges: Iterable[str], at_ms: int) -> None:
        """Records of these exchanges are kept again: what was lost of these kinds can be stated."""
        with self._lock:
            if not self._open:
                return
            for key in sorted((exchange, "", f"{kind} records") for exchange in set(exchanges) for kind in kinds):
                self._end(key, at_ms)

    def candles_over(self, market: Market, timeframe: str) -> None:
        """The candles of a market are kept again: those that had to go can be stated."""
        key = (market.exchange, market.symbol, f"{timeframe} candles")
        with self._lock:
            if (loss := self._open.pop(key, None)) is not None:
                self._unstated.append((loss.as_gap(*key, loss.to_ms + 1), None))

    def cut_short(self) -> None:
        """Nothing will be kept any more: all losses can be stated, up to the last record refused."""
        with self._lock:
            left, self._open = self._open, {}
            self._unstated += [(loss.as_gap(*key, loss.to_ms + 1), None) for key, loss in sorted(left.items())]

    def _end(self, key: tuple[str, str, str], at_ms: int) -> None:
        if (loss := self._open.pop(key, None)) is not None:
            self._unstated.append((loss.as_gap(*key, max(at_ms, loss.to_ms + 1)), None))

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
