"""An exchange whose prices and candles are pushed as far as they are fresh, and asked for where they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from scanner.errors import ExchangeFailure
from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep, ExchangeState, PriceAnswer
from scanner.gateway.budget import OverBudget
from scanner.gateway.candles import CandleReader
from scanner.gateway.client import ExchangeClient
from scanner.gateway.failures import own_errors
from scanner.gateway.flight import OutOfTime, in_time
from scanner.gateway.listing import Listing
from scanner.gateway.parts import Deliver
from scanner.gateway.push.feed import PushFeed

SHORTEST_CHECK_S = 1.0  # that an exchange gets to answer, however short the interval


class PushedClient(ExchangeClient):
    """An `ExchangeClient` that answers from its `PushFeed` first."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._feed = PushFeed(
            self.spec,
            self.exchange,
            self.clock,
            self.base_timeframe,
            interval_s=self.price_interval_s,
            timeout_s=self.timeout_s,
            check=self._check,
            probe=self._probe,
            steady=self.steady,
        )
        self._prober = CandleReader(self.clock, self.contact.weights.candles, self.asker.lists)

    def state(self) -> ExchangeState:
        return replace(super().state(), push=self._feed.figures)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        return [*super().work(), self._feed.run()]

    async def close(self) -> None:
        await self._feed.close()
        await super().close()

    async def prices(self, deadline_s: float) -> PriceAnswer | None:
        """All prices as they were pushed, else as REST gives them, else those that are fresh."""
        pushed = self._feed.prices()
        if pushed is not None:
            self.condition.has_prices(pushed.at_ms)
            return pushed
        asked = await super().prices(deadline_s)
        if asked is None:
            return self._feed.fresh_prices()
        self._feed.compare(asked)
        return asked

    async def candles(
        self, requests: Sequence[CandleRequest], deadline_s: float, deliver: Deliver | None = None
    ) -> CandleSweep:
        def seed_and(deliver: Deliver, part: CandleSweep) -> None:
            self._seed(part)
            deliver(part)

        sweep = await super().candles(requests, deadline_s, deliver and partial(seed_and, deliver))
        self._seed(sweep)
        return sweep

    def _seed(self, sweep: CandleSweep) -> None:
        for answer in sweep.answers:
            if not answer.provisional:
                self._feed.seed(answer)

    def _held(self, requests: Sequence[CandleRequest]) -> Mapping[CandleRequest, CandleAnswer]:
        """What was pushed; nothing while it cannot be told what is closed."""
        return {} if self.clock.in_doubt else self._feed.candles(requests)

    def _listed(self) -> None:
        super()._listed()
        self._feed.follow(self.usable)

    async def _check(self) -> PriceAnswer | None:
        """Prices by REST, whatever was pushed."""
        return await super().prices(max(self.price_interval_s, SHORTEST_CHECK_S))

    async def _probe(self, requests: Sequence[CandleRequest]) -> None:
        """Show the feed candles of a few markets, outside of any sweep and only if there is weight at once."""
        waiting = [(request, self.usable[request.market]) for request in requests if request.market in self.usable]
        await asyncio.gather(*(self._probe_one(request, listing) for request, listing in waiting))

    async def _probe_one(self, request: CandleRequest, listing: Listing) -> None:
        if not self.condition.admit():
            return
        within_s = max(self.price_interval_s, SHORTEST_CHECK_S)
        try:
            with own_errors(self.spec.id):
                answer = await in_time(self._prober.read(request, listing), within_s, within_s, self.steady)
        except (OverBudget, OutOfTime):
            self.condition.not_asked()
        except ExchangeFailure as failure:
            await self.condition.failed(failure)
        else:
            self.condition.answered()
            self._feed.seed(answer)
