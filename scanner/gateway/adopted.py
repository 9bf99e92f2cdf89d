"""A whole venue's candles through one ccxt async client, once: what a full scan needs.

The client may be somebody else's (`adopted`) or ours for the length of a scan (`opened`). Everything happens on the
loop that runs the scan; there is no thread here. How often and how long is asked is the business of `patience`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ccxt.async_support as ccxt

from scanner.errors import ExchangeFailure, InvalidInput, Unreachable, Unsupported
from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.gateway.budget import Budget, used_weight
from scanner.gateway.candles import CandleReader
from scanner.gateway.connection import candles_per_call, connect, most_at_once, weight_table
from scanner.gateway.listing import Listing
from scanner.gateway.patience import HOPELESS, Ask, Patience, PatientAsker
from scanner.gateway.purse import purse_of
from scanner.gateway.specs import ExchangeSpec
from scanner.gateway.universe import named, scannable
from scanner.gateway.volumes import contract_of
from scanner.gateway.weeks import weekly
from scanner.markets import Market
from scanner.timeframes import DAY_MS, LENGTH_MS, MONDAY_MS, WEEK_MS, grid_of

SHARE = 0.5  # of the exchange's weight that one scan may use: others may be scanning too
SHARE_OF_ALL = 0.7  # that it and they may use together, where they are known


@dataclass
class Harvest:
    """Candles by listed symbol as of a market time, and what went wrong with the others."""

    now_ms: int
    answers: dict[str, CandleAnswer] = field(default_factory=dict)
    failures: dict[str, ExchangeFailure] = field(default_factory=dict)

    def raise_if_barren(self) -> None:
        """Raise the failure that explains why not one market could be read, when there is one."""
        if not self.answers and self.failures:
            raise next(iter(self.failures.values()))


def require_client(exchange: object) -> Any:
    """`exchange`, which must be a ccxt async client.

    Raises
    ------
    InvalidInput
        It is something else; a ValueError like all of its kind.
    """
    if not isinstance(exchange, ccxt.Exchange):
        raise InvalidInput("exchange", exchange, "is not a ccxt async client such as ccxt.async_support.binance()")
    return exchange


@asynccontextmanager
async def opened(spec: ExchangeSpec, patience: Patience | None = None) -> AsyncIterator[MarketReader]:
    """A reader with a client of its own, closed at the end."""
    readers: list[MarketReader] = []

    def seen(headers: Any) -> None:
        used = used_weight(headers)
        if used is not None and readers:
            readers[0].budget.observe(used, time.monotonic())

    patience = patience or Patience()
    exchange = connect(spec, patience.timeout_s, seen)
    if spec.simulated:
        exchange.timeframes = {name: code for name, code in exchange.timeframes.items() if name in LENGTH_MS}
    try:
        reader = MarketReader(exchange, patience, exchange_id=spec.id, pace=spec.pace, spec=spec)
        readers.append(reader)
        yield reader
    finally:
        await exchange.close()
        for reader in readers:
            await reader.purse.leave()


class MarketReader:
    """Lists and reads the markets of one client.

    Raises
    ------
    InvalidInput
        `exchange` is no ccxt async client.
    """

    def __init__(
        self,
        exchange: object,
        patience: Patience | None = None,
        *,
        exchange_id: str | None = None,
        pace: float = 1.0,
        spec: ExchangeSpec | None = None,
    ) -> None:
        self.exchange = require_client(exchange)
        self.id = exchange_id or str(self.exchange.id)
        self.patience = patience or Patience()
        self.weights = weight_table(self.exchange, pace)
        is_shared = spec is not None and spec.state_dir is not None
        self.budget = Budget(self.weights.limit, self.weights.window_s, SHARE_OF_ALL if is_shared else SHARE)
        self.purse = purse_of(self.budget, spec, time.monotonic)
        self._asker = PatientAsker(self.id, self.exchange, self.purse, self.patience)

    async def now_ms(self) -> int:
        """Market time: the exchange's own clock where it tells, else this machine's."""
        if self.exchange.has.get("fetchTime") is True:
            return int(await self._asker.persistently(partial(self._asker.once, 1, "fetch_time")))
        return int(self.exchange.milliseconds())

    async def listings(
        self, quote: str, market_type: str = "crypto", symbols: Iterable[str] | None = None
    ) -> tuple[list[Listing], dict[str, str]]:
        """The markets to scan, and wanted symbol -> reason for those that cannot be.

        Raises
        ------
        ExchangeFailure
            The exchange has no candles, or its list cannot be had.
        """
        if self.exchange.has.get("fetchOHLCV") not in (True, "emulated"):
            raise Unsupported(f"{self.id} has no candles")
        listed = self.exchange.markets or await self._asker.persistently(
            partial(self._asker.once, self.weights.markets, "load_markets", True)
        )
        skipped: dict[str, str] = {}
        if symbols is None:
            chosen = scannable(listed, quote, market_type)
        else:
            chosen, skipped = named(self.id, symbols, listed)
        return [self._listing(symbol, listed[symbol]) for symbol in chosen], skipped

    def _listing(self, symbol: str, facts: Any) -> Listing:
        contract = contract_of(str(self.exchange.id), facts)
        page = candles_per_call(self.exchange, facts)
        return Listing(Market(self.id, symbol), symbol, facts.get("type") or "spot", contract, page)

    async def candles(
        self,
        listings: Sequence[Listing],
        interval: str,
        count: int,
        until: float,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Harvest:
        """The newest `count` candles of every market, the forming one included; volumes in base currency.

        Parameters
        ----------
        interval : str
            A timeframe, or ``1w``; weeks are put together from days where the exchange has none.
        until : float
            Monotonic time at which to give up on markets that have not answered.
        on_progress : callable
            Told (markets done, markets in all).

        Raises
        ------
        ExchangeFailure
            The exchange has no such candles, or cannot tell its time.
        """
        asked, factor = self._served(interval)
        now_ms = await self.now_ms()
        since_ms, limit = span(interval, count, now_ms)
        reader = CandleReader(_Still(now_ms), self.weights.candles, self._asker.once)
        harvest, waiting = Harvest(now_ms), deque(listings)

        async def work() -> None:
            while waiting:
                listing = waiting.popleft()
                request = CandleRequest(listing.market, asked, since_ms, limit * factor)
                try:
                    answer = await self._within(until, partial(reader.read, request, listing), listing.symbol)
                except ExchangeFailure as failure:
                    self._failed(failure, listing, waiting, harvest)
                else:
                    harvest.answers[listing.symbol] = weekly(answer) if factor > 1 else answer
                on_progress(len(harvest.answers) + len(harvest.failures), len(listings))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.patience.at_once, most_at_once(self.exchange), len(listings))):
                group.create_task(work())
        return harvest

    def _served(self, interval: str) -> tuple[str, int]:
        """The timeframe to ask for, and how many of its candles make one of `interval`."""
        offered = self.exchange.timeframes or {}
        if interval in offered:
            return interval, 1
        if interval == "1w" and "1d" in offered:
            return "1d", 7
        raise Unsupported(f"{self.id} has no {interval} candles")

    @staticmethod
    def _failed(failure: ExchangeFailure, listing: Listing, waiting: deque[Listing], harvest: Harvest) -> None:
        harvest.failures[listing.symbol] = failure
        if isinstance(failure, HOPELESS):
            harvest.failures.update({other.symbol: failure for other in waiting})
            waiting.clear()

    async def _within(self, until: float, ask: Ask, symbol: str) -> CandleAnswer:
        try:
            async with asyncio.timeout(max(until - time.monotonic(), 0.0)):
                answer: CandleAnswer = await self._asker.persistently(ask)
                return answer
        except TimeoutError:
            raise Unreachable(f"{self.id}: no time left for {symbol}") from None


class _Still:
    """A clock that stands still while a venue is read."""

    speed = 1.0

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms


def span(interval: str, count: int, now_ms: int) -> tuple[int, int]:
    """Open time of the first of the newest `count` candles, and how many there are: those before 1970 are not."""
    length, _ = grid_of(interval)
    offset = MONDAY_MS if length == WEEK_MS else 0
    newest = now_ms - (now_ms - offset) % length
    first = max(newest - (count - 1) * length, offset or DAY_MS)
    return first, (newest - first) // length + 1
