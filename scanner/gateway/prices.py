"""Which calls bring the prices of all markets for the least weight."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from scanner.errors import ExchangeFailure, UnknownSymbol, Unsupported
from scanner.gateway.answers import PriceAnswer
from scanner.gateway.budget import OverBudget, WeightTable
from scanner.gateway.failures import own_errors
from scanner.gateway.quotes import Statistics, merged, price_answer, statistics_of
from scanner.markets import Market

log = logging.getLogger(__name__)

STATISTICS_S = 60.0  # between two full statistics
MOST_NAMED = 100  # markets named in one call; more would make an address too long, so all are asked for

Ask = Callable[..., Awaitable[Any]]  # (weight, method, *arguments)


class PriceReader:
    """Reads the prices of one exchange; remembers volumes and best prices between full statistics."""

    def __init__(self, exchange_id: str, exchange: Any, weights: WeightTable, ask: Ask, at_once: int) -> None:
        self.id, self.weights, self.ask, self.at_once = exchange_id, weights, ask, at_once
        self.has: Mapping[str, Any] = exchange.has
        self._known: dict[str, Statistics] = {}
        self._read_at = float("-inf")

    async def read(self, at_ms: int, now: float, names: Mapping[str, Market], kinds: Mapping[str, str]) -> PriceAnswer:
        """The usable prices of `names` (listed symbol -> market); `kinds` says which are ``spot``, which ``swap``.

        Raises
        ------
        ExchangeFailure, OverBudget
            There are no prices to be had.
        """
        by_kind: dict[str, list[str]] = {}
        for name in names:
            by_kind.setdefault(kinds[name], []).append(name)
        tickers: dict[str, Any] = {}
        for kind, group in by_kind.items():
            tickers |= await self._cheapest(kind, group)
        self._known = merged(statistics_of(tickers), self._known)
        if now - self._read_at >= STATISTICS_S:
            self._read_at = now
            for kind, group in by_kind.items():
                await self._read_statistics(kind, group)
        return price_answer(self.id, at_ms, names, tickers, self._known)

    async def _cheapest(self, kind: str, names: list[str]) -> dict[str, Any]:
        """Tickers or last prices by the cheapest call that covers all of `names`."""
        if self._can("fetchTickers") and len(names) <= self.weights.most_named:
            return await self._named(kind, names)
        if self._can("fetchLastPrices"):
            return await self._bulk("fetch_last_prices", self.weights.last_prices, kind, names)
        if self._can("fetchTickers"):
            return await self._tickers(kind, names)
        if self._can("fetchTicker"):
            return await self._one_by_one(names)
        raise Unsupported(f"{self.id} offers no prices")

    async def _named(self, kind: str, names: list[str]) -> dict[str, Any]:
        """Tickers of these names alone; where one of them is gone, which spoils the call, the last prices of all."""
        try:
            with own_errors(self.id):
                return await self._tickers(kind, names)
        except UnknownSymbol:
            if not self._can("fetchLastPrices"):
                raise
            return dict(await self.ask(self.weights.last_prices, "fetch_last_prices", None, {"type": kind}))

    async def _read_statistics(self, kind: str, names: list[str]) -> None:
        """Volumes and best prices where the prices came without; prices do not wait for them when they fail."""
        try:
            with own_errors(self.id):
                self._known = merged(statistics_of(await self._statistics(kind, names)), self._known)
        except (OverBudget, ExchangeFailure) as failure:
            log.debug("%s: no statistics this minute: %s", self.id, failure)

    async def _statistics(self, kind: str, names: list[str]) -> dict[str, Any]:
        if self._can("fetchLastPrices") and self._can("fetchTickers") and len(names) > self.weights.most_named:
            return await self._tickers(kind, names)
        if self._can("fetchBidsAsks") and all(math.isnan(self._known.get(name, Statistics()).bid) for name in names):
            return await self._bulk("fetch_bids_asks", self.weights.bids_asks, kind, names)
        return {}

    async def _tickers(self, kind: str, names: list[str]) -> dict[str, Any]:
        return await self._bulk("fetch_tickers", self.weights.tickers_weight(len(names)), kind, names)

    async def _bulk(self, method: str, weight: int, kind: str, names: list[str]) -> dict[str, Any]:
        if len(names) <= MOST_NAMED:
            answer = await self.ask(weight, method, names)
        else:
            answer = await self.ask(weight, method, None, {"type": kind})
        return dict(answer)

    async def _one_by_one(self, names: Sequence[str]) -> dict[str, Any]:
        """A call per market; those that fail are left out, and when all do, the first failure is the answer."""
        gate = asyncio.Semaphore(self.at_once)

        async def one(name: str) -> Any:
            async with gate:
                with own_errors(self.id):
                    return await self.ask(self.weights.ticker, "fetch_ticker", name)

        answers = await asyncio.gather(*(one(name) for name in names), return_exceptions=True)
        wrong = [answer for answer in answers if isinstance(answer, BaseException)]
        unexpected = [error for error in wrong if not isinstance(error, (ExchangeFailure, OverBudget))]
        if unexpected or len(wrong) == len(answers):
            raise (unexpected or wrong)[0]
        pairs = zip(names, answers, strict=True)
        return {name: answer for name, answer in pairs if not isinstance(answer, BaseException)}

    def _can(self, call: str) -> bool:
        return self.has.get(call) is True


def weight_per_window(weights: WeightTable, markets: int, interval_s: float) -> int:
    """Weight that the prices of so many markets, asked every `interval_s`, need in one window of the budget."""
    sweeps = math.ceil(weights.window_s / max(interval_s, 0.01))
    if markets <= weights.most_named:
        return sweeps * weights.tickers_weight(markets)
    each = max(weights.last_prices, 1) if weights.tickers else weights.all_tickers
    return sweeps * each + max(weights.bids_asks, weights.tickers_weight(markets))
