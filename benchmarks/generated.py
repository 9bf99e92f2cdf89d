"""A generated exchange without a network: candles of many markets, answered from arrays."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanner.core.candles import Candles
from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep, ExchangeState, WeightState
from scanner.markets import Market
from scanner.timeframes import length_ms

EXCHANGE = "binance"
NOTHING_USED = WeightState(used=0, allowance=4200, limit=6000, window_s=60)


def markets_of(count: int) -> tuple[Market, ...]:
    return tuple(Market(EXCHANGE, f"C{number:04}/USDT") for number in range(count))


class GeneratedGateway:
    """Stands in for the gateway: answers every request at once, and counts what its own answering costs.

    Parameters
    ----------
    start_ms, end_ms : int
        Between these moments anything may be asked for; each timeframe is a random walk of its own.
    """

    HELD = 700  # candles before the start

    def __init__(
        self, markets: Sequence[Market], timeframes: Iterable[str], start_ms: int, end_ms: int, seed: int
    ) -> None:
        self.spent_s = 0.0
        self.clock_ms = start_ms
        self._markets = tuple(markets)
        self._row_of = {market: row for row, market in enumerate(self._markets)}
        self._volume = np.random.default_rng(seed).lognormal(5, 1, 10_000)
        self._walks: dict[str, tuple[int, NDArray[np.float32]]] = {}  # closes, half a float each: not what is measured
        for number, timeframe in enumerate(timeframes):
            step = length_ms(timeframe)
            first = (start_ms // step - self.HELD) * step
            length = (end_ms - first) // step + 2
            self._walks[timeframe] = first, closes(len(self._markets), length, seed + number).astype(np.float32)

    def markets(self) -> dict[str, tuple[Market, ...]]:
        return {EXCHANGE: self._markets}

    def states(self) -> dict[str, ExchangeState]:
        return {EXCHANGE: ExchangeState(EXCHANGE, "live", None, len(self._markets), self.clock_ms, NOTHING_USED, {})}

    def new_universes(self) -> list[Any]:
        return []

    def now_ms(self, exchange: str) -> int:
        return self.clock_ms

    def wait_ready(self, deadline_s: float) -> bool:
        return deadline_s >= 0

    def candles(self, requests: Iterable[CandleRequest], deadline_s: float) -> Iterator[CandleSweep]:
        wanted = list(requests)
        size = len(self._markets)  # the request budget would not let through more at once either
        for start in range(0, len(wanted), size):
            began_s = time.process_time()
            answers = [self._answer(request) for request in wanted[start : start + size]]
            self.spent_s += time.process_time() - began_s
            yield CandleSweep(EXCHANGE, answers, [], [], is_last=start + size >= len(wanted))

    def _answer(self, request: CandleRequest) -> CandleAnswer:
        first, walk = self._walks[request.timeframe]
        step, row = length_ms(request.timeframe), self._row_of[request.market]
        start = max(-(-(request.since_ms - first) // step), 0)
        stop = max(min(start + request.limit, (self.clock_ms - first) // step + 1), start)
        opened, close = walk[row, start:stop].astype(np.float64), walk[row, start + 1 : stop + 1].astype(np.float64)
        columns = (opened, np.maximum(opened, close) * 1.001, np.minimum(opened, close) / 1.001, close)
        times = first + step * np.arange(start, stop)
        return CandleAnswer(request, times, *columns, self._volume[start:stop], began_ms=self.clock_ms)


def walks(markets: int, candles: int, seed: int) -> Candles:
    """Random walks with fat tails, each market with its own volatility."""
    draw = np.random.default_rng(seed)
    close = closes(markets, candles, seed)
    open_ = np.concatenate([np.full((markets, 1), 100.0), close[:, :-1]], axis=-1)
    wick = 1 + 0.01 * draw.random((markets, candles))
    volume = draw.lognormal(5, 1, (markets, candles))
    return Candles(open_, np.maximum(open_, close) * wick, np.minimum(open_, close) / wick, close, volume)


def closes(markets: int, candles: int, seed: int) -> NDArray[np.float64]:
    """The closes of such walks, from 100 on."""
    draw = np.random.default_rng(seed)
    volatility = draw.uniform(0.001, 0.03, (markets, 1))
    moves: NDArray[np.float64] = volatility * draw.standard_t(4, (markets, candles))
    return 100 * np.exp(np.cumsum(moves, axis=-1))
