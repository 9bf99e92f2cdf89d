"""The newest signal of every market and timeframe as one table, made once for each publication.

Requests choose on its columns and have only what they chose rendered: what an answer costs depends on its length, not
on how many markets are scanned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from scanner.core.candles import Bool, Float, Int
from scanner.markets import Wanted
from scanner.runtime.batches import SignalBatch
from scanner.runtime.columns import ROW, Record, Rows, records


@dataclass(frozen=True)
class NewestSignals:
    """One place per signal, in the order of the batches and of their markets; nothing changes once made.

    `batch` and `row` say where the signal of a place is, `score` is 0..100, 0 where it has none; all of shape [N].
    `table` are the signals themselves.
    `ranked` are the places with the best score first, of equal ones the newest, else in their order.
    """

    batches: tuple[SignalBatch, ...] = ()
    batch: Int = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    row: Int = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    score: Float = field(default_factory=lambda: np.empty(0))
    ranked: Int = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    table: Rows = field(default_factory=lambda: np.empty(0, dtype=ROW))
    by_base: Mapping[str, list[int]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, batches: Iterable[SignalBatch]) -> NewestSignals:
        """The table of some batches."""
        filled = tuple(batch for batch in batches if len(batch))
        if not filled:
            return cls()
        lengths = np.array([len(batch) for batch in filled])
        scores = np.concatenate([batch.score for batch in filled])
        score = np.where(np.isfinite(scores), scores, 0.0)
        made_ms = np.repeat([batch.at_ms for batch in filled], lengths)
        return cls(
            batches=filled,
            batch=np.repeat(np.arange(len(filled)), lengths),
            row=np.concatenate([np.arange(length) for length in lengths]),
            score=score,
            ranked=np.lexsort((-made_ms, -score)),
            table=np.concatenate([batch.columns() for batch in filled]),
            by_base=MappingProxyType(_by_base(filled)),
        )

    def __len__(self) -> int:
        return len(self.score)

    def best(self, min_score: float, timeframe: str | None, limit: int) -> Int:
        """Places of the best signals, at most `limit`; None lets every timeframe through."""
        passed = self.score >= min_score
        if timeframe is not None:
            passed &= self._on(timeframe)
        return self.ranked[passed[self.ranked]][:limit]

    def meant(self, wanted: Wanted) -> list[int]:
        """Places of the markets that a written symbol means, in order."""
        bases = {each.base for each in (wanted, *wanted.also)}
        bases |= {wanted.symbol.partition("/")[0]} if wanted.symbol else set()
        places = sorted(place for base in bases for place in self.by_base.get(base, ()))
        return [place for place in places if wanted.matches(self._batch(place).markets[self.row[place]])]

    def records(self, places: Iterable[int] | Int) -> list[Record]:
        """The signals at these places as plain records."""
        chosen = np.array(list(places), dtype=np.int64)
        about = [self._batch(place).about(int(self.row[place])) for place in chosen.tolist()]
        return records(self.table[chosen], about)

    def _on(self, timeframe: str) -> Bool:
        on: Bool = np.array([batch.timeframe == timeframe for batch in self.batches], dtype=bool)[self.batch]
        return on

    def _batch(self, place: int) -> SignalBatch:
        return self.batches[int(self.batch[place])]


def _by_base(batches: Iterable[SignalBatch]) -> dict[str, list[int]]:
    """The places of each base asset, ascending."""
    markets = (market for batch in batches for market in batch.markets)
    found: dict[str, list[int]] = {}
    for place, market in enumerate(markets):
        found.setdefault(market.symbol.partition("/")[0], []).append(place)
    return found
