"""The markets of one connection, without a network: who is quiet, who is dead, and who may answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scanner.clock import ManualClock
from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.gateway.push.lane import Lane
from scanner.gateway.push.limits import Dials
from scanner.gateway.push.watchdog import LOOKS, Cause
from scanner.markets import Market

INTERVAL_S = 5.0
BUSY, CALM = "BUSY/USDT", "CALM/USDT"
OPEN_MS = 1_760_000_100_000 - 1_760_000_100_000 % 300_000


class Wire:
    """What a connection would have brought, put there by hand."""

    broken: Cause | None = None
    heard_at = 0.0
    detail = ""

    def __init__(self) -> None:
        self.ticker: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, list[list[float]]] = {}
        self.asked: list[tuple[str, list[str]]] = []

    async def subscribe(self, prices: Sequence[str], candles: Sequence[str]) -> None:
        self.asked.append(("subscribe", [*prices, *candles]))

    async def unsubscribe(self, prices: Sequence[str], candles: Sequence[str]) -> bool:
        self.asked.append(("unsubscribe", [*prices, *candles]))
        for held, gone in ((self.ticker, prices), (self.rows, candles)):
            for symbol in gone:
                held.pop(symbol, None)  # type: ignore[attr-defined]
        return True

    async def close(self) -> None:
        self.broken = Cause.CLOSED

    def tickers(self, symbols: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((symbol, self.ticker[symbol]) for symbol in symbols if symbol in self.ticker)

    def candles(self, symbols: Iterable[str]) -> Iterator[tuple[str, list[list[float]]]]:
        return ((symbol, self.rows[symbol]) for symbol in symbols if symbol in self.rows)

    def trade(self, symbol: str, at_ms: int, price: float, volume: float) -> None:
        self.ticker[symbol] = {"timestamp": at_ms, "last": price, "baseVolume": volume, "bid": price, "ask": price}
        self.rows[symbol] = [[OPEN_MS, price, price, price, price, volume]]


class Scene:
    """A lane of two markets, both of which traded for a while; seconds pass when told to."""

    def __init__(self) -> None:
        self.now, self.clock, self.wires = 1000.0, ManualClock(OPEN_MS), list[Wire]()
        self.lane = Lane(self._wire, Dials(), INTERVAL_S, lambda: self.now, self.clock)  # type: ignore[arg-type]
        self.volume = 1.0

    def _wire(self) -> Wire:
        self.wires.append(Wire())
        return self.wires[-1]

    async def opened(self) -> Scene:
        await self.lane.join([BUSY, CALM], [BUSY, CALM], 0.0)
        self.spend(10.0, trading=(BUSY, CALM))
        return self

    def spend(self, seconds: float, trading: Iterable[str] = (BUSY,), told: float | None = None) -> Any:
        """Time passes, some markets trade every second, and REST says what CALM costs when there are suspects."""
        verdict = self.lane.judge(self.now)
        for _ in range(round(seconds * LOOKS / INTERVAL_S)):
            self.now += INTERVAL_S / LOOKS
            self.clock.advance(int(1000 * INTERVAL_S / LOOKS))
            self.volume += 1.0
            for symbol in trading:
                self.wires[-1].trade(symbol, self.clock.now_ms(), 10.0, self.volume)
            self.lane.read()
            verdict = self.lane.judge(self.now)
            if verdict.suspects and told is not None:
                self.lane.compare(CALM, {"last": told}, self.now)
            if verdict.cause is not None:
                break
        return verdict

    def rest(self, volume: float) -> CandleAnswer:
        request = CandleRequest(Market("binance", CALM), "5m", OPEN_MS, 3)
        columns = [np.array([value]) for value in (10.0, 10.0, 10.0, 10.0, volume)]
        return CandleAnswer(request, np.array([OPEN_MS]), *columns, self.clock.now_ms())

    def is_fresh(self, symbol: str) -> bool:
        return all(self.lane.is_fresh((kind, symbol), self.now) for kind in ("prices", "candles"))  # type: ignore[arg-type]


def played(play: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await play(await Scene().opened())

    asyncio.run(run())


def test_what_trades_is_fresh():
    async def play(scene: Scene) -> None:
        assert scene.is_fresh(BUSY)
        assert scene.is_fresh(CALM)

    played(play)


def test_a_market_that_rest_says_is_quiet_is_left_in_peace():
    async def play(scene: Scene) -> None:
        silent_since = scene.volume
        scene.spend(INTERVAL_S, told=10.0)
        assert scene.lane.doubtful(scene.now) == [CALM]  # the same price explains nothing yet
        for _ in range(60):
            verdict = scene.spend(1.0, told=10.0)
            assert verdict.cause is None
            if scene.lane.doubtful(scene.now):
                scene.lane.seed(CALM, scene.rest(silent_since), scene.now)
                assert scene.is_fresh(CALM)
        assert scene.lane.doubtful(scene.now) == []

    played(play)


def test_a_market_whose_price_moved_elsewhere_is_dead_and_is_subscribed_to_anew():
    async def play(scene: Scene) -> None:
        began = scene.now
        verdict = scene.spend(60.0, told=11.0)
        assert verdict.cause is Cause.HALF_DEAD
        assert {symbol for _, symbol in verdict.dead} == {CALM}
        assert scene.now - began <= 1.5 * INTERVAL_S
        assert not scene.is_fresh(CALM)
        assert scene.is_fresh(BUSY)
        assert scene.lane.remedy(verdict.cause) == "resubscribe"
        await scene.lane.heal("resubscribe", verdict.dead, 0.0)
        assert [what for what, _ in scene.wires[0].asked[-2:]] == ["unsubscribe", "subscribe"]
        assert len(scene.wires) == 1
        assert not scene.is_fresh(CALM)  # until it speaks
        scene.spend(1.0, trading=(BUSY, CALM))
        assert scene.is_fresh(CALM)

    played(play)


def test_a_lively_market_with_an_unchanged_price_is_convicted_by_its_candles():
    async def play(scene: Scene) -> None:
        scene.spend(INTERVAL_S, told=10.0)
        scene.lane.seed(CALM, scene.rest(scene.volume + 5), scene.now)
        assert scene.spend(INTERVAL_S, told=10.0).cause is Cause.HALF_DEAD

    played(play)


def test_what_comes_late_is_forgiven():
    async def play(scene: Scene) -> None:
        while not scene.spend(INTERVAL_S / LOOKS).suspects:
            pass
        scene.lane.compare(CALM, {"last": 11.0}, scene.now)
        assert not scene.is_fresh(CALM)
        scene.wires[-1].trade(CALM, scene.clock.now_ms(), 11.0, scene.volume + 1)
        assert scene.spend(2.0, trading=(BUSY, CALM)).cause is None
        assert scene.is_fresh(CALM)

    played(play)


def test_a_second_fault_soon_after_takes_a_new_connection():
    async def play(scene: Scene) -> None:
        verdict = scene.spend(60.0, told=11.0)
        await scene.lane.heal("resubscribe", verdict.dead, 0.0)
        assert scene.lane.remedy(Cause.HALF_DEAD) == "reconnect"
        scene.spend(4 * INTERVAL_S, trading=(BUSY, CALM))
        assert scene.lane.remedy(Cause.HALF_DEAD) == "resubscribe"

    played(play)


def test_a_new_connection_starts_from_nothing():
    async def play(scene: Scene) -> None:
        await scene.lane.heal("reconnect", (), 0.0)
        assert len(scene.wires) == 2
        assert scene.wires[0].broken is Cause.CLOSED
        assert not scene.is_fresh(BUSY)
        scene.spend(1.0, trading=(BUSY, CALM))
        assert scene.is_fresh(BUSY)

    played(play)


def test_a_market_that_left_is_neither_read_nor_judged():
    async def play(scene: Scene) -> None:
        await scene.lane.leave([CALM])
        assert scene.lane.symbols == [BUSY]
        assert scene.spend(60.0, told=11.0).cause is None
        assert not scene.is_fresh(CALM)

    played(play)
