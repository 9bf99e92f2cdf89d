"""The signals kept in memory: one table in order of arrival, bounded per market and timeframe and in all.

A signal takes as many bytes as a row, whether it came alone or with 2,000 others; nothing else is kept of its batch.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from scanner.core.candles import Int
from scanner.runtime.batches import SignalBatch
from scanner.runtime.columns import ROW, About, Record, Rows, records

MOST = 200_000  # signals in all: 36 MB


class SignalHistory:
    """The newest signals of each market and timeframe; one thread adds, with the lock of the state held.

    Parameters
    ----------
    per_market : int
        Most signals of one market and timeframe.
    most : int
        Most signals in all; the oldest go first.
    """

    def __init__(self, per_market: int, most: int = MOST) -> None:
        self._per_market, self._most = per_market, max(most, per_market)
        self._places: dict[About, int] = {}
        self._about: list[About] = []
        self._rows: Rows = np.zeros(0, dtype=ROW)
        self._place: Int = np.zeros(0, dtype=np.int64)  # [capacity] whose signal a row is: index into `_about`
        self._size = 0

    def add(self, batch: SignalBatch) -> None:
        """Remember all signals of a batch."""
        rows = batch.columns()[-self._most :]
        place = np.array([self._place_of(about) for about in batch.abouts()], dtype=np.int64)[-self._most :]
        if self._size + len(rows) > len(self._rows):
            self._make_room(len(rows))
        end = self._size + len(rows)
        self._rows[self._size : end], self._place[self._size : end] = rows, place
        self._size = end

    def count(self) -> int:
        """How many signals are remembered."""
        return int(np.minimum(np.bincount(self._place[: self._size]), self._per_market).sum())

    def copy(self) -> SignalHistory:
        """The same signals, for a reader that takes its time."""
        other = SignalHistory(self._per_market, self._most)
        other._about, other._size = list(self._about), self._size
        other._rows, other._place = self._rows[: self._size].copy(), self._place[: self._size].copy()
        return other

    def by_market(self) -> dict[str, deque[Record]]:
        """Every remembered signal as records, oldest first, keyed ``binance:BTC/USDT:5m``."""
        kept = self._kept()
        abouts = [self._about[place] for place in self._place[kept].tolist()]
        found: dict[str, deque[Record]] = {}
        for about, record in zip(abouts, records(self._rows[kept], abouts), strict=True):
            key = f"{about.exchange}:{about.symbol}:{about.timeframe}"
            found.setdefault(key, deque(maxlen=self._per_market)).append(record)
        return found

    def _place_of(self, about: About) -> int:
        place = self._places.get(about)
        if place is None:
            place = self._places[about] = len(self._about)
            self._about.append(about)
        return place

    def _kept(self) -> Int:
        """Rows among the newest `per_market` of their market and timeframe, in order of arrival."""
        place = self._place[: self._size]
        newest_first = np.argsort(place[::-1], kind="stable")
        counts = np.bincount(place)
        rank = np.arange(self._size) - np.repeat(np.cumsum(counts) - counts, counts)  # 0 for the newest of each
        return np.sort(self._size - 1 - newest_first[rank < self._per_market])

    def _make_room(self, wanted: int) -> None:
        """Forget what is beyond the bounds; grow, up to the bound in all, where that leaves too little room."""
        kept = self._kept()
        if len(kept) + wanted > self._most:
            kept = kept[len(kept) + wanted - self._most + self._most // 10 :]  # seldom, so a tenth at once
        capacity = min(max(2 * (len(kept) + wanted), 1024), self._most + wanted)
        rows, place = np.zeros(capacity, dtype=ROW), np.zeros(capacity, dtype=np.int64)
        rows[: len(kept)], place[: len(kept)] = self._rows[kept], self._place[kept]
        self._rows, self._place, self._size = rows, place, len(kept)
