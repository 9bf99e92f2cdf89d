"""Push by ccxt.pro's real class against the loopback exchange: what arrives, what fails, and how it heals."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from scanner.clock import ScaledClock
from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.gateway import ExchangeSpec, Gateway, condition
from scanner.gateway.answers import CandleRequest, CandleSweep, ExchangeState, PriceAnswer
from scanner.gateway.specs import real_exchange
from scanner.runtime.asking import wanted
from scanner.runtime.book.book import Book
from scanner.simulated import SimulatedExchange, binance_urls, generated, kucoinfutures_urls
from scanner.simulated import faults as ways
from tests.gateway.conftest import open_files
from tests.waiting import AT_ONCE_S, wait_for

NOW_MS = 1_760_000_000_000
SPEED = 60.0  # a 5m candle every 5 s
INTERVAL_S = 0.6
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
STEP = 300_000

Build = Callable[..., Gateway]


@pytest.fixture
def exchange(request) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(generated(seed=1), ScaledClock(NOW_MS, getattr(request, "param", SPEED))) as exchange:
        yield exchange


@pytest.fixture
def pushed(exchange) -> Iterator[Build]:
    built: list[Gateway] = []

    def build(symbols: tuple[str, ...] = SYMBOLS, **settings: Any) -> Gateway:
        spec = ExchangeSpec("simulated", "binance", binance_urls(exchange.url), simulated=True, pace=SPEED)
        settings = {"timeframes": ["5m"], "price_interval_s": INTERVAL_S, "timeout_s": 2.0} | settings
        gateway = Gateway([spec], symbols, exchange.clock, transport="push", **settings)
        built.append(gateway)
        gateway.start()
        assert gateway.wait_ready(30)
        return gateway

    yield build
    for gateway in built:
        gateway.stop()


def state(gateway: Gateway) -> ExchangeState:
    return gateway.states()["simulated"]


def causes(gateway: Gateway) -> dict[str, int]:
    push = state(gateway).push
    assert push is not None
    return dict(push.causes)


def wait_until_pushed(gateway: Gateway) -> None:
    wait_for(lambda: state(gateway).transport == "push" and state(gateway).push.connections > 0)


def asked(exchange: SimulatedExchange) -> int:
    """Requests by REST so far."""
    return sum(count for path, count in exchange.requests.items() if path.startswith("/api"))


def prices(gateway: Gateway) -> PriceAnswer:
    (answer,) = gateway.prices(2.0)
    return answer


def forming(gateway: Gateway, exchange: SimulatedExchange) -> list[CandleRequest]:
    since = exchange.clock.now_ms() // STEP * STEP
    return [CandleRequest(market, "5m", since, 2) for market in gateway.markets()["simulated"]]


def test_prices_and_candles_come_without_a_request(exchange, pushed):
    gateway = pushed()
    wait_until_pushed(gateway)

    def unasked() -> tuple[PriceAnswer, CandleSweep] | None:
        """Prices and candles, unless anything was asked for meanwhile, or a candle has closed."""
        before, opened = asked(exchange), exchange.clock.now_ms() // STEP
        if not 20_000 < exchange.clock.now_ms() % STEP < STEP - 100_000:
            return None
        quoted, (sweep,) = prices(gateway), gateway.candles(forming(gateway, exchange), 2.0)
        same = asked(exchange) == before and exchange.clock.now_ms() // STEP == opened
        return (quoted, sweep) if same and len(sweep.answers) == len(SYMBOLS) else None

    quoted, sweep = wait_for(unasked)
    assert len(quoted) == len(SYMBOLS)
    assert all(answer.provisional for answer in sweep.answers)
    assert np.isfinite([quoted.price, quoted.quote_volume, quoted.bid, quoted.ask]).all()
    assert abs(quoted.at_ms - exchange.clock.now_ms()) < 60_000
    assert state(gateway).state == "live"


def test_one_connection_carries_all_and_messages_are_paced():
    source = generated(seed=1, markets=130)
    with SimulatedExchange(source, ScaledClock(NOW_MS)) as slow:
        spec = ExchangeSpec("simulated", "binance", binance_urls(slow.url), simulated=True)
        symbols = [listing.symbol for listing in source.listings() if listing.settle is None]
        gateway = Gateway([spec], symbols, slow.clock, timeframes=["5m"], transport="push")
        gateway.start()
        try:
            wait_for(lambda: sum(map(len, slow.sockets.streams)) == 2 * len(symbols))
            assert slow.sockets.open == 1
            assert slow.sockets.busiest <= 5
        finally:
            gateway.stop()


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (ways.Silent(), "silent"),
        (ways.Repeating(), "repeating"),
        (ways.HalfDead(("ETH/USDT",)), "half_dead"),
        (ways.Reset(), "closed"),
        (ways.CloseAfter(0.0), "closed"),
    ],
    ids=str,
)
def test_every_fault_is_named_and_heals(exchange, pushed, fault, cause):
    gateway = pushed()
    wait_until_pushed(gateway)
    exchange.sockets.strike(fault)
    wait_for(lambda: causes(gateway).get(cause))
    assert len(prices(gateway)) == len(SYMBOLS)  # REST serves meanwhile
    wait_until_pushed(gateway)
    push = state(gateway).push
    assert (push.reconnects, push.resubscriptions) == ((0, 1) if cause == "half_dead" else (1, 0))
    assert push.last_cause.startswith(cause)
    assert exchange.sockets.open == 1


def test_a_dead_stream_is_asked_for_until_it_is_back(exchange, pushed):
    gateway = pushed()
    wait_until_pushed(gateway)
    exchange.faults.set("/stream", ways.Silent())  # new connections fall silent as well
    exchange.sockets.strike(ways.Silent())
    wait_for(lambda: causes(gateway).get("silent"))
    before = asked(exchange)
    assert len(prices(gateway)) == len(SYMBOLS)
    (sweep,) = gateway.candles(forming(gateway, exchange), 2.0)
    assert len(sweep.answers) == len(SYMBOLS)
    assert not any(answer.provisional for answer in sweep.answers)
    assert asked(exchange) > before
    assert state(gateway).transport == "push (healing 3)"
    exchange.faults.clear()
    wait_until_pushed(gateway)


def test_where_push_is_refused_all_is_asked_for(exchange, pushed):
    exchange.faults.set("/stream", ways.Status(503))
    gateway = pushed()
    wait_for(lambda: causes(gateway).get("refused"))
    assert len(prices(gateway)) == len(SYMBOLS)
    assert state(gateway).state == "live"
    assert state(gateway).transport == "push (healing 3)"
    exchange.faults.clear()
    wait_until_pushed(gateway)


def test_pushed_prices_outlive_a_failure_of_rest(exchange, pushed):
    gateway = pushed()
    wait_until_pushed(gateway)
    exchange.faults.set("/api", ways.Status(500))
    for _ in range(3):
        assert len(prices(gateway)) == len(SYMBOLS)
    assert state(gateway).state == "live"


def test_streams_follow_the_markets(exchange, pushed):
    """A delisted market is let go, and comes back with its streams when it is listed again."""

    def watched() -> set[str]:
        return {name.partition("@")[0] for names in exchange.sockets.streams for name in names}

    gateway = pushed()
    wait_until_pushed(gateway)
    client = gateway._clients["simulated"]
    everything = client.usable
    left = {market: listing for market, listing in everything.items() if market.symbol != "ETH/USDT"}
    for listings, expected in ((left, {"btcusdt", "solusdt"}), (everything, {"btcusdt", "ethusdt", "solusdt"})):
        gateway._loop._loop.call_soon_threadsafe(client._feed.follow, listings)
        wait_for(lambda expected=expected: watched() == expected)


@pytest.mark.parametrize(
    "spec",
    [
        real_exchange("bitflyer"),
        real_exchange("bitstamp"),
        ExchangeSpec("simulatedfutures", "kucoinfutures", kucoinfutures_urls("http://127.0.0.1:1"), simulated=True),
    ],
    ids=lambda spec: spec.id,
)
def test_an_exchange_that_does_not_push_is_refused_by_name(spec):
    with pytest.raises(InvalidInput, match=f"transport.*{spec.id}.*use 'rest'"):
        Gateway([spec], SYMBOLS, ScaledClock(NOW_MS), timeframes=["5m"], transport="push")


@pytest.mark.parametrize("fault", [None, ways.Silent(), ways.Hang()], ids=str)
def test_stop_leaves_nothing_behind(exchange, pushed, fault, caplog):
    pushed().stop()
    gc.collect()
    threads, files = threading.active_count(), open_files()
    if isinstance(fault, ways.Hang):
        exchange.faults.set("/stream", fault)
    gateway = pushed()
    if not isinstance(fault, ways.Hang):
        wait_until_pushed(gateway)
    if fault is not None:
        exchange.sockets.strike(fault)
    began = time.monotonic()
    gateway.stop(60)
    assert time.monotonic() - began < AT_ONCE_S
    exchange.faults.clear()
    wait_for(lambda: exchange.sockets.open == 0)
    gc.collect()
    wait_for(lambda: threading.active_count() <= threads and open_files() <= files)
    own = [record for record in caplog.records if record.name != condition.__name__]  # that tells of the exchange
    assert not [record for record in own if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("exchange", [120.0], indirect=True, ids=["a candle every 2.5 s"])
def test_no_final_candle_is_lost_or_wrong_whatever_happens_to_the_socket(exchange, pushed):
    """Five candles, a fault in each of the first four; every final candle is the exchange's own."""
    gateway = pushed(SYMBOLS[:2], price_interval_s=0.3)
    markets = gateway.markets()["simulated"]
    config = StreamConfig(timeframes={"scalp": "5m"}, max_candles_per_timeframe=100, transport="push")
    book = Book("simulated", markets, config, exchange.clock.now_ms(), simulated=True)
    first = exchange.clock.now_ms() // STEP
    faults = [ways.Silent(), ways.HalfDead(("BTC/USDT",)), ways.Reset(), ways.Repeating()]
    struck, found = 0, {}

    def cycle() -> bool:
        nonlocal struck
        for sweep in gateway.candles(wanted(book, exchange.clock.now_ms()), 2.0):
            book.take(sweep.answers, exchange.clock.now_ms())
        for closed in book.newly_closed():
            for i, opened in enumerate(closed.open_time.tolist()):
                found[closed.market, opened] = closed.values[i].tolist()
        through, part = divmod(exchange.clock.now_ms(), STEP)
        if struck < len(faults) and through - first > struck and part > STEP / 3:
            exchange.sockets.strike(faults[struck])
            struck += 1
        named = {"silent", "half_dead", "closed", "repeating"} <= set(causes(gateway))
        return named and all((market, (first + 5) * STEP) in found for market in markets)

    wait_for(cycle, 90)
    for market in markets:
        for index in range(first, first + 6):
            truth = exchange.source.candles(market.symbol, "5m", index * STEP, index * STEP, exchange.clock.now_ms())
            expected = [float(column[0]) for column in truth.columns()[1:]]
            assert found[market, index * STEP] == pytest.approx(expected, rel=1e-9), index - first
