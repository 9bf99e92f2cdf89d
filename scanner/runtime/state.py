"""What readers see: one immutable snapshot, swapped under a lock; readers never wait for a scan."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from scanner.markets import Market
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.columns import Record
from scanner.runtime.freshness import Held, Stir
from scanner.runtime.history import SignalHistory
from scanner.runtime.newest import NewestSignals
from scanner.runtime.ticks import TickTable

Key = tuple[str, str]  # exchange, timeframe


@dataclass(frozen=True)
class Snapshot:
    """Everything the API answers from; nothing in it changes once published."""

    ticks: Mapping[str, TickTable] = field(default_factory=lambda: MappingProxyType({}))
    newest: Mapping[Key, tuple[SignalBatch, ...]] = field(default_factory=lambda: MappingProxyType({}))
    signals: NewestSignals = field(default_factory=NewestSignals)  # the same, as one table to choose from
    market_state: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    context: Context = field(default_factory=Context)
    full_scan: Mapping[str, Any] | None = None
    candle_buffers: int = 0
    kept_signals: int = 0  # counted once per publication: a status must not count thousands of markets
    held: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))  # by exchange
    prices: Mapping[str, Stir] = field(default_factory=lambda: MappingProxyType({}))  # likewise


class State:
    """The current snapshot, and the signals kept in memory."""

    def __init__(self, signals_per_market: int) -> None:
        self._lock = threading.Lock()
        self._snapshot = Snapshot()
        self._history = SignalHistory(signals_per_market)

    def current(self) -> Snapshot:
        return self._snapshot

    def publish(self, **changes: Any) -> None:
        with self._lock:
            self._snapshot = replace(self._snapshot, **changes)

    def publish_ticks(self, exchange: str, table: TickTable) -> None:
        with self._lock:
            ticks = MappingProxyType({**self._snapshot.ticks, exchange: table})
            self._snapshot = replace(self._snapshot, ticks=ticks)

    def publish_stir(self, exchange: str, prices: Stir) -> None:
        with self._lock:
            self._snapshot = replace(
                self._snapshot, prices=MappingProxyType({**self._snapshot.prices, exchange: prices})
            )

    def publish_held(self, exchange: str, held: Held) -> None:
        with self._lock:
            self._snapshot = replace(self._snapshot, held=MappingProxyType({**self._snapshot.held, exchange: held}))

    def publish_signals(
        self, newest: Mapping[Key, tuple[SignalBatch, ...]], kept: Iterable[SignalBatch], candle_buffers: int
    ) -> None:
        """Swap in the newest signals of some exchanges and add what is to be remembered; one thread does this."""
        merged = MappingProxyType({**self._snapshot.newest, **newest})
        signals = (
            NewestSignals.of(batch for batches in merged.values() for batch in batches)
            if newest
            else self._snapshot.signals
        )
        with self._lock:
            for batch in kept:
                self._history.add(batch)
            self._snapshot = replace(
                self._snapshot,
                newest=merged,
                signals=signals,
                candle_buffers=candle_buffers,
                kept_signals=self._history.count(),
            )

    def forget(self, markets: Collection[Market]) -> None:
        """Take markets that are not scanned any more out of the newest signals; what was remembered of them stays."""
        if not markets:
            return
        with self._lock:
            newest = {key: _without(batches, markets) for key, batches in self._snapshot.newest.items()}
            signals = NewestSignals.of(batch for batches in newest.values() for batch in batches)
            self._snapshot = replace(self._snapshot, newest=MappingProxyType(newest), signals=signals)

    def history(self) -> dict[str, deque[Record]]:
        """Every remembered signal as records, keyed ``binance:BTC/USDT:5m``."""
        with self._lock:
            history = self._history.copy()
        return history.by_market()


def _without(batches: tuple[SignalBatch, ...], markets: Collection[Market]) -> tuple[SignalBatch, ...]:
    kept = [(batch, [i for i, market in enumerate(batch.markets) if market not in markets]) for batch in batches]
    return tuple(batch if len(rows) == len(batch) else batch.take(np.array(rows)) for batch, rows in kept if rows)
