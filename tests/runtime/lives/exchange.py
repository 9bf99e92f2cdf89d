"""An exchange without a network: every market a random walk of 5m candles, everything else follows from it.

It may be told to answer in part, to revise what it has said, and to list and delist; its clock is the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from scanner.core.candles import Bool, Candles, Float, Int
from scanner.errors import ExchangeFailure
from scanner.gateway.answers import (
    CandleAnswer,
    CandleRequest,
    CandleSweep,
    ExchangeState,
    PriceAnswer,
    Purpose,
    WeightState,
)
from scanner.markets import Market
from scanner.timeframes import DAY_MS, MINUTE_MS, length_ms

STEP = 5 * MINUTE_MS
BEGIN_MS = 1_699_833_600_000 // DAY_MS * DAY_MS
DAYS = 160
CAP = 100
WHOLE, PART, CAPPED, NOTHING, FAILING, IN_PARTS = "whole", "part", "capped", "nothing", "failing", "in parts"
MODES = (WHOLE, PART, CAPPED, NOTHING, FAILING, IN_PARTS)


@dataclass
class Walk:
    """One market's candles on the grid of 5m from `BEGIN_MS` on; arrays [n]."""

    candles: Candles
    traded: Bool
    changed: Bool  # whether the exchange has ever said something else


@lru_cache(maxsize=64)
def _walk(seed: int, silent: float) -> tuple[Candles, Bool]:
    rng, count = np.random.default_rng(seed), DAYS * DAY_MS // STEP
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.003, count)))
    opened = np.concatenate([[100.0], close[:-1]])
    spread = rng.uniform(0, 0.2, (2, count))
    volume = np.round(rng.lognormal(3, 0.7, count)) + 1
    high, low = np.maximum(opened, close) + spread[0], np.minimum(opened, close) - np.minimum(spread[1], 0.1 * close)
    return Candles(opened, high, low, close, volume), rng.uniform(size=count) >= silent


class Exchange:
    """What is listed, and what its candles are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.walks: dict[Market, Walk] = {}

    def list(self, symbol: str, seed: int, silent: float = 0.0, since_ms: int = BEGIN_MS) -> Market:
        """Begin to trade a market; one that was there before is another one from now on."""
        market = Market(self.name, symbol)
        candles, traded = _walk(seed, silent)
        times = self.times()
        known = self.walks.get(market)
        changed = np.full(len(times), known is not None)
        own = Candles(*(column.copy() for column in candles.columns()))
        self.walks[market] = Walk(own, traded & (times >= since_ms), changed)
        return market

    def times(self) -> Int:
        return BEGIN_MS + STEP * np.arange(DAYS * DAY_MS // STEP, dtype=np.int64)

    def revise(self, market: Market, now_ms: int, back: Sequence[int], factor: float) -> None:
        """Say something else of some candles, counted back from the newest closed one."""
        walk = self.walks[market]
        at = np.array([(now_ms - BEGIN_MS) // STEP - 1 - each for each in back])
        for column in walk.candles.columns():
            column[at] *= factor
        walk.changed[at] = True

    def candles(self, market: Market, timeframe: str, since_ms: int, until_ms: int, now_ms: int) -> tuple[Int, Float]:
        """Open times [n] and values [n, 5] of the candles that open in a time, the newest as it is at `now_ms`."""
        step, walk = length_ms(timeframe), self.walks[market]
        first = max(since_ms - BEGIN_MS, 0) // STEP
        last = min((min(now_ms, until_ms - 1) - BEGIN_MS) // STEP, len(walk.traded) - 1)
        at = np.arange(first, last + 1)
        at = at[walk.traded[at]]
        if not len(at):
            return np.empty(0, dtype=np.int64), np.empty((0, 5))
        o, h, lo, c, v = (column[at].copy() for column in walk.candles.columns())
        opens = BEGIN_MS + at * STEP
        share = (now_ms - opens[-1]) / STEP
        if share < 1:
            c[-1] = o[-1] + (c[-1] - o[-1]) * share
            h[-1], lo[-1], v[-1] = max(o[-1], c[-1]), min(o[-1], c[-1]), v[-1] * share
        groups = opens - opens % step
        starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
        ends = np.append(starts[1:], len(groups)) - 1
        parts = (np.maximum.reduceat(h, starts), np.minimum.reduceat(lo, starts), c[ends], np.add.reduceat(v, starts))
        return groups[starts], np.stack([o[starts], *parts], axis=-1)

    def price(self, market: Market, now_ms: int) -> float:
        _, values = self.candles(market, "5m", now_ms - DAY_MS, now_ms + 1, now_ms)
        return float(values[-1, 3]) if len(values) else 1.0

    def answer(self, request: CandleRequest, now_ms: int, cap: int | None = None) -> CandleAnswer:
        until_ms = request.since_ms + request.limit * length_ms(request.timeframe)
        opens, values = self.candles(request.market, request.timeframe, request.since_ms, until_ms, now_ms)
        if cap is not None:
            opens, values = opens[:cap], values[:cap]
        return CandleAnswer(request, opens, *values.T, began_ms=now_ms)


class Line:
    """A gateway to one exchange, as far as a run and a backfill use one."""

    def __init__(self, exchange: Exchange, markets: Sequence[Market], clock: Any, ahead_ms: int = 0) -> None:
        self.exchange, self._clock, self._listed = exchange, clock, tuple(markets)
        self.ahead_ms, self.heard = ahead_ms, ahead_ms == 0
        self.mode, self._rng = WHOLE, np.random.default_rng(0)

    def start(self) -> None: ...

    def stop(self, deadline_s: float = 0.0) -> None: ...

    def listing(self, markets: Sequence[Market]) -> None:
        self._listed = tuple(markets)

    def markets(self) -> dict[str, tuple[Market, ...]]:
        return {self.exchange.name: self._listed}

    def states(self) -> dict[str, ExchangeState]:
        name, weight = self.exchange.name, WeightState(0, 4200, 6000, 60.0)
        state = "down" if self.mode == FAILING else "live"
        cause = "HTTP 500" if self.mode == FAILING else None
        return {name: ExchangeState(name, state, cause, len(self._listed), None, weight, {}, self.ahead_ms)}

    def true_ms(self) -> int:
        return int(self._clock.now_ms()) + self.ahead_ms

    def now_ms(self, exchange: str) -> int:
        return self.true_ms() if self.heard else int(self._clock.now_ms())

    def delisted(self, exchange: str) -> tuple[Market, ...]:
        return ()

    def skipped(self) -> dict[str, str]:
        return {}

    def renamed(self) -> dict[str, str]:
        return {}

    def universes(self) -> dict[str, Any]:
        return {}

    def new_universes(self) -> list[Any]:
        return []

    def wait_ready(self, deadline_s: float) -> bool:
        return True

    def prices(self, deadline_s: float) -> Iterator[PriceAnswer]:
        if self.mode in (NOTHING, FAILING) or not self._listed:
            return
        now_ms = self.true_ms()
        price = np.array([self.exchange.price(market, now_ms) for market in self._listed])
        yield PriceAnswer(
            self.exchange.name, self.now_ms(""), self._listed, price, 1e6 * price, price * 0.999, price * 1.001
        )

    def candles(self, requests: Iterable[CandleRequest], deadline_s: float) -> Iterator[CandleSweep]:
        asked, name = list(requests), self.exchange.name
        if self.mode == NOTHING:
            yield CandleSweep(name, [], asked, [])
            return
        if self.mode == FAILING:
            yield CandleSweep(name, [], [], [(request, ExchangeFailure("HTTP 500")) for request in asked])
            return
        self.heard = True
        here = [request for request in asked if self.mode != PART or self._rng.uniform() < 0.6]
        cap = CAP if self.mode == CAPPED else None
        answers = [
            self.exchange.answer(request, self.true_ms(), None if request.purpose is Purpose.BACKFILL else cap)
            for request in here
        ]
        if self.mode == IN_PARTS:
            early = [answer for answer in answers if answer.request.purpose <= Purpose.BACKFILL]
            for answer in early[:-1]:
                yield CandleSweep(name, [answer], [], [], is_last=False)
            answers = [answer for answer in answers if answer not in early[:-1]]
        yield CandleSweep(name, answers, [request for request in asked if request not in here], [])
