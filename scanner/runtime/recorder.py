"""What is remembered of the signals made, and how it reaches the store.

Final signals are always kept. A live one is kept, by default, when its type changes or its score moves; a cluster
finding when it differs from the last one kept. A store that cannot write never stops the scan: the reason is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Bool
from scanner.errors import FolderInUse, StoreFailure
from scanner.gateway.snapshots import UniverseSnapshot
from scanner.markets import Market
from scanner.records import SIGNAL_TYPES
from scanner.runtime.batches import SignalBatch, cluster_signature
from scanner.runtime.book.closed import ClosedCandles
from scanner.runtime.columns import Record
from scanner.store.ohlcv import Rows
from scanner.store.store import TrainingStore
from scanner.timeframes import length_ms

REMEMBERED_DELAYS = 10_000
MOST_WAITING = 150_000  # candles of histories in memory on their way to the disk: 7 MB
MOVED = 5.0  # points of score that make a live signal worth keeping


class Kept:
    """Per market of one exchange and timeframe: what was last kept."""

    def __init__(self, markets: tuple[Market, ...]) -> None:
        self.markets = markets
        self.signal_type = np.full(len(markets), -1, dtype=np.int64)
        self.score = np.full(len(markets), np.nan)
        self.clusters = np.zeros((len(markets), 4), dtype=np.int64)

    def of(self, markets: tuple[Market, ...]) -> Kept:
        """The same memory for just these markets."""
        row_of = {market: row for row, market in enumerate(self.markets)}
        fresh = Kept(markets)
        for row, market in enumerate(markets):
            if (old := row_of.get(market)) is not None:
                fresh.signal_type[row], fresh.score[row] = self.signal_type[old], self.score[old]
                fresh.clusters[row] = self.clusters[old]
        return fresh

    def changed(self, batch: SignalBatch) -> Bool:
        """bool[n]: the type differs from the last kept one, or the score has moved."""
        moved = ~(np.abs(batch.score - self.score[batch.rows]) < MOVED)
        changed: Bool = moved | (batch.analysis.signal_type != self.signal_type[batch.rows])
        return changed

    def remember(self, batch: SignalBatch) -> None:
        self.signal_type[batch.rows] = batch.analysis.signal_type
        self.score[batch.rows] = batch.score

    def new_clusters(self, batch: SignalBatch) -> Bool:
        """bool[n]: markets with a cluster finding not yet kept, or kept always because the candle is final."""
        signature = cluster_signature(batch)
        new: Bool = (signature[:, 0] > 0) & ((signature != self.clusters[batch.rows]).any(axis=1) | batch.closed)
        self.clusters[batch.rows] = signature
        return new

    def forget(self, markets: Container[Market]) -> None:
        """The disk refused what was to be kept of some markets: the next signal and cluster of each is news."""
        rows = [row for row, market in enumerate(self.markets) if market in markets]
        self.signal_type[rows], self.score[rows], self.clusters[rows] = -1, np.nan, 0


@dataclass
class Tally:
    """What a run that began at `since_ms` (market time) has made so far, for its summary."""

    since_ms: int = 0
    finals: Counter[tuple[str, str]] = field(default_factory=Counter)  # (timeframe, signal type)
    lives: Counter[tuple[str, str]] = field(default_factory=Counter)
    clusters: Counter[str] = field(default_factory=Counter)  # timeframe
    delay_s: list[float] = field(default_factory=list)  # market seconds from a candle's close to its final signals

    def count(self, batch: SignalBatch) -> None:
        counter = self.finals if batch.closed else self.lives
        for index, times in zip(*np.unique(batch.analysis.signal_type, return_counts=True), strict=True):
            counter[batch.timeframe, SIGNAL_TYPES[int(index)]] += int(times)
        closed_ms = int(batch.candle_time[0]) + length_ms(batch.timeframe)
        if batch.closed and closed_ms >= self.since_ms:
            self.delay_s.append((batch.at_ms - closed_ms) / 1000)
            del self.delay_s[:-REMEMBERED_DELAYS]


class Recorder:
    """Chooses what is kept and hands it to the store."""

    def __init__(self, store: TrainingStore, config: StreamConfig, since_ms: int = 0) -> None:
        self._store, self._config = store, config
        self._kept: dict[tuple[str, str], Kept] = {}
        self.tally = Tally(since_ms)

    def keep(self, batches: Sequence[SignalBatch], markets: tuple[Market, ...], at_ms: int) -> list[SignalBatch]:
        """Store what is worth keeping of one cycle of the exchange of these `markets`; returns those signals."""
        kept: list[SignalBatch] = []
        signals: dict[Market, list[Record]] = {}
        clusters: dict[Market, list[Record]] = {}
        for batch in batches:
            memory = self._memory(batch, markets)
            chosen = np.flatnonzero(self._worth_keeping(batch, memory))
            if len(chosen):
                part = batch if len(chosen) == len(batch) else batch.take(chosen)
                memory.remember(part)
                self.tally.count(part)
                kept.append(part)
                _sort(signals, part.markets, part.records())
            found = np.flatnonzero(memory.new_clusters(batch))
            if len(found):
                self.tally.clusters[batch.timeframe] += len(found)
                new = batch.take(found)
                _sort(clusters, new.markets, new.clusters())
        refused: set[Market] = set()
        if signals:
            refused |= _kept_or_shown(lambda: self._store.append_signals(signals, at_ms), signals)
        if clusters:
            refused |= _kept_or_shown(lambda: self._store.append_clusters(clusters, at_ms), clusters)
        if refused:
            for batch in batches:
                self._memory(batch, markets).forget(refused)
        return kept

    def unknown(self, batches: Iterable[SignalBatch]) -> list[SignalBatch]:
        """Those of some final signals that an earlier run has not kept."""
        found = []
        for batch in batches:
            open_ms = int(batch.candle_time[0])
            rows = [i for i, m in enumerate(batch.markets) if not self._store.has_final(m, batch.timeframe, open_ms)]
            if rows:
                found.append(batch if len(rows) == len(batch) else batch.take(np.array(rows)))
        return found

    @property
    def room(self) -> int:
        """How many more candles may wait in memory for their files."""
        return max(0, MOST_WAITING - self._store.waiting)

    def keep_candles(self, closed: Sequence[ClosedCandles], at_ms: int | None = None) -> None:
        """Store candles that have become final by `at_ms`, or, without it, in time."""
        if closed:
            rows = [(part.market, part.timeframe, Rows(part.open_time, part.values)) for part in closed]
            _kept_or_shown(lambda: self._store.append_closed(rows, at_ms))

    def keep_universes(self, snapshots: Iterable[UniverseSnapshot]) -> None:
        """Store who was in the scan."""
        for snapshot in snapshots:
            _kept_or_shown(partial(self._store.append_universe, snapshot.exchange, snapshot.record(), snapshot.at_ms))

    def _memory(self, batch: SignalBatch, markets: tuple[Market, ...]) -> Kept:
        key = (batch.exchange, batch.timeframe)
        if key not in self._kept:
            self._kept[key] = Kept(markets)
        elif self._kept[key].markets != markets:
            self._kept[key] = self._kept[key].of(markets)
        return self._kept[key]

    def _worth_keeping(self, batch: SignalBatch, memory: Kept) -> Bool:
        if batch.closed or self._config.live_record == "all":
            return np.ones(len(batch), dtype=bool)
        if self._config.live_record == "none":
            return np.zeros(len(batch), dtype=bool)
        return memory.changed(batch)


def _sort(by_market: dict[Market, list[Record]], markets: Sequence[Market], records: Sequence[Record]) -> None:
    for market, record in zip(markets, records, strict=True):
        by_market.setdefault(market, []).append(record)


def _kept_or_shown(write: Callable[[], None], markets: Iterable[Market] = ()) -> set[Market]:
    """Write what is of `markets`; those of which not all could be. The store's health, as `status` shows, says why."""
    try:
        write()
    except StoreFailure as error:
        return set(error.refused)
    except FolderInUse:
        return set(markets)
    return set()
