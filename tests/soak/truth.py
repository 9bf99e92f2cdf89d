"""What a scan without any fault makes of the same market: the candles and final signals a soak must end with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner.clock import ManualClock
from scanner.config import StreamConfig
from scanner.core.candles import Int
from scanner.gateway.gateway import Gateway
from scanner.markets import Market
from scanner.records import SIGNAL_TYPES
from scanner.runtime import signals
from scanner.runtime.asking import wanted
from scanner.runtime.batches import Context
from scanner.runtime.book.book import Book
from scanner.timeframes import HOUR_MS
from tests.soak.world import World
from tests.waiting import wait_for

STRIDE_MS = 4 * HOUR_MS


@dataclass(frozen=True)
class Truth:
    """Final signals by market, timeframe and open time as (type, score); traded candles as times and values."""

    finals: Mapping[tuple[Market, str, int], tuple[str, float]]
    candles: Mapping[tuple[Market, str], tuple[Int, Any]]  # int64[n], float64[n, 5]


def truth(seed: int, symbols: tuple[str, ...], config: StreamConfig, began_ms: int, until_ms: int) -> Truth:
    """Scan the market of `seed` from `began_ms` to `until_ms` in long strides, with the same code and no fault."""
    clock = ManualClock(began_ms)
    world = World(clock, seed)
    finals: dict[tuple[Market, str, int], tuple[str, float]] = {}
    candles: dict[tuple[Market, str], list[Any]] = {}
    try:
        with world.names:
            gateway = Gateway(world.specs(), symbols, clock, timeframes=tuple(config.styles.values()))
            gateway.start()
            try:
                wait_for(lambda: all(gateway.markets().values()), 30)
                books = [Book(name, mine, config, began_ms, simulated=True) for name, mine in gateway.markets().items()]
                for moment_ms in [*range(began_ms, until_ms, STRIDE_MS), until_ms]:
                    clock.advance(moment_ms - clock.now_ms())
                    for book in books:
                        _stride(gateway, book, moment_ms, finals, candles)
            finally:
                gateway.stop()
    finally:
        world.stop()
    return Truth(finals, {key: _joined(parts) for key, parts in candles.items()})


def _joined(parts: list[Any]) -> tuple[Int, Any]:
    times, values = zip(*parts, strict=True)
    return np.concatenate(times), np.concatenate(values)


def _stride(gateway: Gateway, book: Book, now_ms: int, finals: dict[Any, Any], candles: dict[Any, Any]) -> None:
    sweeps = list(gateway.candles(list(wanted(book, now_ms)), 60))
    answers = [answer for sweep in sweeps for answer in sweep.answers]
    assert not any(sweep.failures or sweep.deferred for sweep in sweeps), f"{book.exchange} does not answer in peace"
    book.take(answers, now_ms)
    signals.score_history(book)
    for batch in signals.finals(book, now_ms, Context()):
        for i, market in enumerate(batch.markets):
            kind = SIGNAL_TYPES[int(batch.analysis.signal_type[i])]
            finals[market, batch.timeframe, int(batch.candle_time[i])] = (kind, float(batch.score[i]))
    for part in book.newly_closed():
        candles.setdefault((part.market, part.timeframe), []).append((part.open_time, part.values))
