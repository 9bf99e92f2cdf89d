"""What one exchange has been asked for and when, which decides what it is asked for next."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from scanner.clock import Clock
from scanner.gateway.answers import CandleRequest
from scanner.gateway.budget import Budget
from scanner.gateway.plan import Plan, Room, Wanted, for_later, plan_requests
from scanner.markets import Market
from scanner.timeframes import length_ms

CLOSES_WITHIN_S = 30.0  # after a close its candles are asked for within, as far as the weight goes


class Docket:
    """Plans the requests for candles; `candles_weight` is that of one call. Times are steady seconds."""

    def __init__(self, budget: Budget, clock: Clock, base_timeframe: str, candles_weight: int) -> None:
        self._budget, self._clock = budget, clock
        self._base, self._step_ms, self._weight = base_timeframe, length_ms(base_timeframe), candles_weight
        self._asked: dict[tuple[Market, str], float] = {}
        self._loaded: set[Market] = set()  # whose candles of the shortest timeframe have come

    def plan(
        self, wanted: Iterable[tuple[CandleRequest, int]], listed: Collection[Market], now: float, until: float
    ) -> Plan:
        """What to ask of the requests and their weights, when there is time until `until`."""
        asked = self._asked
        wants = [
            Wanted(request, weight, asked.get((request.market, request.timeframe), float("-inf")))
            for request, weight in wanted
        ]
        return plan_requests(wants, self._room(len(self._loaded.intersection(listed)), now, until))

    def note(self, request: CandleRequest, now: float, *, answered: bool) -> None:
        """It was asked for now."""
        self._asked[request.market, request.timeframe] = now
        if answered and request.timeframe == self._base:
            self._loaded.add(request.market)

    def _room(self, closing: int, now: float, until: float) -> Room:
        """Weight that is free or will be by `until`, when so many markets will need one call at the next close."""
        budget, to_close_ms = self._budget, self._step_ms - self._clock.now_ms() % self._step_ms
        close_in_s = to_close_ms / 1000 / self._clock.speed + CLOSES_WITHIN_S
        free, then = budget.free_at(until), budget.free_at(now + close_in_s)
        later = for_later(free, then, closing * self._weight, close_in_s, budget.window_s)
        return Room(free, later, budget.allowance)
