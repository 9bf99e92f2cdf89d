"""What one exchange pushes: opens connections, looks at their pulses, heals them, and answers in place of REST.

Everything here runs on the gateway's loop; `figures` is frozen and replaced whole, so that any thread may read it.
Healing never waits for a verdict on another connection, and a look at REST never delays a look at the pulses.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from scanner.clock import Clock
from scanner.gateway.answers import CandleAnswer, CandleRequest, PriceAnswer, Purpose, PushFigures
from scanner.gateway.listing import Listing
from scanner.gateway.push.kept import candle_answer
from scanner.gateway.push.lane import Lane, Stream
from scanner.gateway.push.limits import Dials, markets_per_wire, portions
from scanner.gateway.push.watchdog import LOOKS, Cause
from scanner.gateway.push.wire import Wire
from scanner.gateway.quotes import merged, price_answer, statistics_of
from scanner.gateway.specs import ExchangeSpec
from scanner.markets import Market
from scanner.timeframes import length_ms, open_time_of

log = logging.getLogger(__name__)

GRACE_MS = 15_000  # market time after a close in which a newer candle may still come; then REST is asked
LULL = 2.0  # intervals between the last word on a candle and its close, beyond which REST is asked for it

MOST_PROBES = 10  # markets whose candles are asked for in one look at REST

Check = Callable[[], Awaitable[PriceAnswer | None]]
Probe = Callable[[Sequence[CandleRequest]], Awaitable[object]]


class PushFeed:
    """Pushed prices and candles of one exchange.

    Parameters
    ----------
    exchange : ccxt exchange
        Whose list of markets the connections share.
    clock : Clock
        Market time as the exchange counts it.
    timeframe : str
        Of the candles.
    interval_s : float
        Silence that is normal for a market that is traded, real seconds.
    check : callable
        The prices as REST gives them now, to compare with; None when there are none.
    probe : callable
        Asks REST for candles; the answers come back through `seed`.
    """

    def __init__(
        self,
        spec: ExchangeSpec,
        exchange: Any,
        clock: Clock,
        timeframe: str,
        *,
        interval_s: float,
        timeout_s: float,
        check: Check,
        probe: Probe,
        steady: Callable[[], float],
    ) -> None:
        self.spec, self.clock, self.interval_s, self.steady = spec, clock, interval_s, steady
        self.timeframe, self.step_ms = timeframe, length_ms(timeframe)
        self.figures = PushFigures()
        self._check, self._probe = check, probe
        self._lull_ms = int(LULL * interval_s * 1000 * clock.speed)
        self._new_wire = lambda: Wire(spec, exchange, timeframe, timeout_s, steady)
        self._listings: Mapping[Market, Listing] = {}
        self._lanes: list[Lane] = []
        self._lane_of: dict[str, Lane] = {}
        self._dials = Dials()
        self._counts: Counter[str] = Counter()
        self._last_cause: str | None = None
        self._checking: asyncio.Task[None] | None = None
        self._checked_at = float("-inf")
        self._tasks: set[asyncio.Task[Any]] = set()

    # Lifetime

    def follow(self, usable: Mapping[Market, Listing]) -> None:
        """Watch these markets from now on: those that left are let go, those that joined get a connection."""
        self._listings = dict(usable)
        wanted = {listing.symbol: listing for listing in usable.values()}
        for lane in self._lanes:
            gone = [symbol for symbol in lane.symbols if symbol not in wanted]
            if gone:
                self._spawn(lane.leave(gone))
        self._lane_of = {symbol: lane for lane in self._lanes for symbol in lane.symbols}
        joined = [symbol for symbol in wanted if symbol not in self._lane_of]
        for lane in self._lanes:
            room = markets_per_wire(self.spec.ccxt_id) - len(lane.symbols)
            part, joined = joined[:room], joined[room:]
            self._join(lane, part, wanted)
        for part in portions(joined, markets_per_wire(self.spec.ccxt_id)):
            lane = Lane(self._new_wire, self._dials, self.interval_s, self.steady, self.clock)
            self._lanes.append(lane)
            self._join(lane, part, wanted)

    async def run(self) -> None:
        """Look at the pulses and heal what has to be, for ever."""
        while True:
            await asyncio.sleep(self.interval_s / LOOKS)
            self.look()

    async def close(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(lane.close() for lane in self._lanes), return_exceptions=True)

    # What it knows

    def prices(self) -> PriceAnswer | None:
        """Every market's price when all are fresh; None when any is not."""
        self._read()
        fresh = self._fresh_prices()
        return fresh if fresh is not None and len(fresh) == len(self._listings) else None

    def fresh_prices(self) -> PriceAnswer | None:
        """The prices that are fresh, when REST has none; None when none is."""
        fresh = self._fresh_prices()
        return fresh if fresh is not None and len(fresh) else None

    def candles(self, requests: Iterable[CandleRequest]) -> dict[CandleRequest, CandleAnswer]:
        """Answers to those of `requests` for which REST need not be asked."""
        self._read()
        now = self.steady()
        answers = ((request, self._answer(request, now)) for request in requests)
        return {request: answer for request, answer in answers if answer is not None}

    def _answer(self, request: CandleRequest, now: float) -> CandleAnswer | None:
        listing = self._listings.get(request.market)
        lane = self._lane_of.get(listing.symbol) if listing is not None else None
        if listing is None or lane is None or request.timeframe != self.timeframe or listing.contract is not None:
            return None
        if not lane.is_fresh(("candles", listing.symbol), now):
            return None
        kept = lane.kept_candles[listing.symbol]
        return candle_answer(request, kept, self.step_ms, lane.as_of_ms, GRACE_MS, self._lull_ms)

    # What REST says

    def compare(self, answer: PriceAnswer) -> None:
        """Hold what was pushed against prices of REST: what is silent is quiet when both agree, else dead."""
        for i, market in enumerate(answer.markets):
            listing = self._listings.get(market)
            lane = self._lane_of.get(listing.symbol) if listing is not None else None
            if listing is not None and lane is not None:
                ticker = {"last": float(answer.price[i]), "quoteVolume": float(answer.quote_volume[i])}
                ticker |= {"bid": float(answer.bid[i]), "ask": float(answer.ask[i])}
                lane.compare(listing.symbol, ticker, self.steady())

    def seed(self, answer: CandleAnswer) -> None:
        """Take candles of REST, which heal what was missed."""
        listing = self._listings.get(answer.request.market)
        lane = self._lane_of.get(listing.symbol) if listing is not None else None
        if listing is not None and lane is not None and answer.request.timeframe == self.timeframe:
            lane.seed(listing.symbol, answer, self.steady())

    # Inside

    def look(self) -> None:
        """One look at everything: read, judge, heal, compare."""
        self._read()
        now = self.steady()
        suspected = False
        for lane in self._lanes:
            verdict = lane.judge(now)
            suspected |= bool(verdict.suspects)
            if verdict.cause is not None:
                self._heal(lane, verdict.cause, verdict.dead)
        if suspected and self._checking is None and now - self._checked_at >= self.interval_s / 4:
            self._checked_at = now
            self._checking = self._spawn(self._ask_rest())
        self._tell()

    def _heal(self, lane: Lane, cause: Cause, dead: tuple[Stream, ...]) -> None:
        kind = lane.remedy(cause)
        self._counts[kind] += 1
        self._counts[cause] += 1
        self._last_cause = f"{cause}: {lane.detail}" if lane.detail else cause
        level = logging.WARNING if lane.is_first_fault else logging.DEBUG  # tries to come are not news
        log.log(level, "%s: %s for %d streams: %s", self.spec.id, kind, len(dead), self._last_cause)
        self._spawn(lane.heal(kind, dead, random.random()))

    async def _ask_rest(self) -> None:
        try:
            answer = await self._check()
            if answer is not None:
                self._read()
                self.compare(answer)
                await self._probe(self._doubtful())
        finally:
            self._checking = None

    def _doubtful(self) -> list[CandleRequest]:
        """Requests for the candles of markets whose silence prices do not explain; a few at a time."""
        now, markets = self.steady(), {listing.symbol: market for market, listing in self._listings.items()}
        symbols = [symbol for lane in self._lanes for symbol in lane.doubtful(now) if symbol in markets]
        since_ms = open_time_of(self.clock.now_ms(), self.step_ms) - self.step_ms
        return [
            CandleRequest(markets[symbol], self.timeframe, since_ms, 3, Purpose.GAP) for symbol in symbols[:MOST_PROBES]
        ]

    def _read(self) -> None:
        for lane in self._lanes:
            lane.read()

    def _join(self, lane: Lane, symbols: list[str], wanted: Mapping[str, Listing]) -> None:
        if symbols:
            self._lane_of |= dict.fromkeys(symbols, lane)
            candles = [symbol for symbol in symbols if wanted[symbol].contract is None]
            self._spawn(lane.join(symbols, candles, random.random()))

    def _fresh_prices(self) -> PriceAnswer | None:
        if not self._listings:
            return None
        now = self.steady()
        names, tickers, as_of_ms = {}, {}, []
        for market, listing in self._listings.items():
            lane = self._lane_of.get(listing.symbol)
            if lane is not None and lane.is_fresh(("prices", listing.symbol), now):
                ticker = lane.kept_prices[listing.symbol].ticker
                if ticker is not None:
                    names[listing.symbol], tickers[listing.symbol] = market, ticker
                    as_of_ms.append(lane.as_of_ms)
        at_ms = min(as_of_ms, default=self.clock.now_ms())
        return price_answer(self.spec.id, at_ms, names, tickers, merged(statistics_of(tickers), {}))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: healing a connection failed", self.spec.id, exc_info=error)

    def _tell(self) -> None:
        healing = sum(lane.is_unwell(symbol) for symbol, lane in self._lane_of.items())
        self.figures = PushFigures(
            healing=healing,
            connections=sum(lane.is_open for lane in self._lanes),
            reconnects=self._counts["reconnect"],
            resubscriptions=self._counts["resubscribe"],
            causes={cause: self._counts[cause] for cause in Cause if self._counts[cause]},
            last_cause=self._last_cause,
        )
