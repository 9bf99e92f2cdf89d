"""What the stream of the market state does in one run."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from scanner.clock import Clock
from scanner.config import StreamConfig
from scanner.core.breadth import market_breadth
from scanner.core.volatility import volatility_regime
from scanner.records import iso
from scanner.runtime.batches import Context
from scanner.runtime.book.books import Books
from scanner.runtime.state import Snapshot, State
from scanner.timeframes import HOUR_MS, length_ms

ACTIVE_SCORE = 60.0  # a newest signal above this counts as active


class MarketStateCycle:
    """Every 60 s: breadth over the ticks, volatility regime over the candles, how many signals are active."""

    def __init__(self, books: Books, state: State, config: StreamConfig, clock: Clock) -> None:
        self._books, self._state, self._clock = books, state, clock
        self._candles_per_hour = max(HOUR_MS // length_ms(config.base_timeframe), 6)

    def __call__(self) -> None:
        snapshot = self._state.current()
        breadth = market_breadth([table.price for table in snapshot.ticks.values()])
        regime = self._regime()
        state = {
            "timestamp": iso(self._clock.now_ms()),
            "breadth": {
                "advancing": breadth.advancing,
                "declining": breadth.declining,
                "breadth_ratio": breadth.breadth_ratio,
                "market_bias": breadth.market_bias,
            },
            "volatility_regime": regime,
            "active_signals": active_signals(snapshot),
        }
        self._state.publish(market_state=MappingProxyType(state), context=Context(breadth.breadth_ratio, regime))

    def _regime(self) -> str:
        closes = [book.closed_base() for book in self._books.by_exchange.values()]
        if not closes:
            return "unknown"
        shortest = min(close.shape[1] for close in closes)
        together = np.concatenate([close[:, -shortest:] for close in closes])
        return volatility_regime(together, self._candles_per_hour).regime


def active_signals(snapshot: Snapshot) -> int:
    """How many newest signals score above 60."""
    return sum(int((batch.score > ACTIVE_SCORE).sum()) for batches in snapshot.newest.values() for batch in batches)
