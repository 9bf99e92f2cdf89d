"""What one request of one protocol sees: the listings by the exchange's own ids, at one moment of market time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from scanner.simulated.source import Listing, MarketSource, Series, aggregate
from scanner.timeframes import MONDAY_MS, WEEK_MS, grid_of


class Refused(Exception):
    """A request the exchange answers with an error body."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        self.status, self.body = status, body
        super().__init__(f"{status} {body}")


@dataclass(frozen=True)
class Entry:
    """A listing with the exchange's id and its row in the source's arrays."""

    id: str
    row: int
    listing: Listing


@dataclass(frozen=True)
class Desk:
    """A source as one protocol shows it at `now_ms`, without the symbols that are gone."""

    source: MarketSource
    entries: Mapping[str, Entry]
    now_ms: int = 0
    gone: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry in self.entries.values() if not self._is_gone(entry))

    @property
    def timeframes(self) -> tuple[str, ...]:
        """Those of the source, and weeks of its days."""
        return (*self.source.timeframes, *(["1w"] if "1d" in self.source.timeframes else []))

    def find(self, market_id: str) -> Entry | None:
        entry = self.entries.get(market_id)
        return None if entry is None or self._is_gone(entry) else entry

    def first(self, entry: Entry, timeframe: str, start_ms: int, end_ms: int, count: int) -> Series:
        """The first `count` candles from `start_ms`, however many are missing in between."""
        start, span = max(start_ms, entry.listing.listed_ms), count * grid_of(timeframe)[0]
        end = min(end_ms, self.now_ms)
        while True:
            found = self._candles(entry, timeframe, start, min(end, start + span - 1))
            if len(found) >= count or start + span > end:
                return found.take(slice(0, count))
            span *= 4

    def last(self, entry: Entry, timeframe: str, end_ms: int, count: int) -> Series:
        """The last `count` candles that open up to `end_ms`."""
        end, span = min(end_ms, self.now_ms), count * grid_of(timeframe)[0]
        while True:
            start = max(end - span + 1, entry.listing.listed_ms)
            found = self._candles(entry, timeframe, start, end)
            if len(found) >= count or start == entry.listing.listed_ms or start > end:
                return found.take(slice(-count, None))
            span *= 4

    def _candles(self, entry: Entry, timeframe: str, start_ms: int, end_ms: int) -> Series:
        symbol = entry.listing.symbol
        if timeframe != "1w":
            return self.source.candles(symbol, timeframe, start_ms, end_ms, self.now_ms)
        monday, last = (week + (MONDAY_MS - week) % WEEK_MS for week in (start_ms, end_ms + 1))
        return aggregate(self.source.candles(symbol, "1d", monday, last - 1, self.now_ms), WEEK_MS, MONDAY_MS)

    def _is_gone(self, entry: Entry) -> bool:
        return bool(self.gone) and entry.listing.symbol.partition(":")[0] in self.gone


def entries(
    source: MarketSource, wanted: Callable[[Listing], bool], id_of: Callable[[Listing], str]
) -> dict[str, Entry]:
    """The wanted listings of a source by id."""
    found = (Entry(id_of(listing), row, listing) for row, listing in enumerate(source.listings()) if wanted(listing))
    return {entry.id: entry for entry in found}
