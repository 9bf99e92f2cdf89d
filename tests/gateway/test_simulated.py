"""The gateway on the embedded exchange, both protocols, every fault it knows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from scanner.clock import ManualClock, ScaledClock
from scanner.errors import RateLimited
from scanner.gateway import CandleRequest, ExchangeSpec, Gateway
from scanner.markets import Market
from scanner.simulated import Limits, SimulatedExchange, binance_urls, generated, kucoinfutures_urls
from scanner.simulated import faults as ways
from tests.gateway.test_gateway import candles, prices
from tests.waiting import wait_for

NOW_MS = 1_760_000_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "MATIC/USDT")
SPOT, SWAP = Market("simulated", "BTC/USDT"), Market("simulatedfutures", "BTC/USDT")


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    with SimulatedExchange(generated(seed=1), ManualClock(NOW_MS)) as exchange:
        yield exchange


def specs_of(exchange: SimulatedExchange) -> tuple[ExchangeSpec, ExchangeSpec]:
    return (
        ExchangeSpec("simulated", "binance", binance_urls(exchange.url), simulated=True),
        ExchangeSpec("simulatedfutures", "kucoinfutures", kucoinfutures_urls(exchange.url), simulated=True),
    )


@pytest.fixture
def gateway(exchange) -> Iterator[Gateway]:
    gateway = Gateway(
        specs_of(exchange),
        SYMBOLS,
        ManualClock(NOW_MS),
        timeframes=["5m", "1h"],
    )
    gateway.start()
    wait_for(lambda: all(gateway.markets().values()))
    yield gateway
    gateway.stop()


def test_both_protocols_tell_of_the_same_market(gateway):
    """KuCoin counts in whole lots, so its volumes are those of the spot pair to within one lot."""
    since = NOW_MS - NOW_MS % 300_000 - 99 * 300_000
    sweeps = candles(gateway, CandleRequest(SPOT, "5m", since, 100), CandleRequest(SWAP, "5m", since, 100))
    (spot,), (swap,) = sweeps["simulated"].answers, sweeps["simulatedfutures"].answers
    np.testing.assert_array_equal(spot.open_time, swap.open_time)
    np.testing.assert_array_equal(spot.close, swap.close)
    np.testing.assert_allclose(spot.volume, swap.volume, atol=0.01)
    assert len(spot) == 100
    quoted = prices(gateway)
    assert quoted["simulated"].price[0] == quoted["simulatedfutures"].price[0] == spot.close[-1]
    assert np.isfinite([quoted["simulatedfutures"].bid, quoted["simulatedfutures"].quote_volume]).all()


def test_a_renamed_coin_is_skipped_on_both(gateway):
    assert set(gateway.skipped()) <= {"simulated:MATIC/USDT", "simulatedfutures:MATIC/USDT"}


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (ways.Hang(), "down"),
        (ways.Drip(), "down"),
        (ways.Reset(), "down"),
        (ways.Status(500), "down"),
        (ways.Status(429, 1), "limited"),
        (ways.Status(418, 1), "banned"),
        (ways.Status(451), "restricted"),
        (ways.Html(), "down"),
        (ways.Truncated(), "down"),
        (ways.Empty(), "down"),
        (ways.Nulls(), "down"),
        (ways.Nulls("NaN"), "down"),
    ],
    ids=str,
)
@pytest.mark.parametrize(("paths", "hit", "other"), [("/api/v3/", 0, 1), ("/api/v1/", 1, 0)])
def test_every_fault_is_named_and_heals(exchange, gateway, monkeypatch, paths, hit, other, fault, state):
    monkeypatch.setattr("scanner.gateway.breaker.REGION_S", 0.3)
    ids = ("simulated", "simulatedfutures")
    exchange.faults.set(paths, fault)
    patience_s = 0.9 if isinstance(fault, (ways.Hang, ways.Drip)) else 30.0  # all of it is lost on what hangs

    def named() -> bool:
        return set(prices(gateway, patience_s)) == {ids[other]} and gateway.states()[ids[hit]].state == state

    wait_for(named)
    assert gateway.states()[ids[other]].state == "live"
    exchange.faults.clear()
    wait_for(lambda: ids[hit] in prices(gateway))
    assert gateway.states()[ids[hit]].state == "live"


def test_candles_of_nothing_but_nulls_are_no_answer(exchange, gateway):
    """Taken as one, they would say that nobody traded."""
    exchange.faults.set("/api/v3/klines", ways.Nulls())
    sweep = candles(gateway, CandleRequest(SPOT, "5m", NOW_MS - NOW_MS % 300_000 - 900_000, 4))["simulated"]
    assert not sweep.answers
    assert "none of 4 candles can be one" in str(sweep.failed[SPOT])


def test_a_delisted_symbol_fails_alone_and_leaves(exchange, gateway, monkeypatch):
    monkeypatch.setattr("scanner.gateway.lister.RELIST_SOON_S", 0.1)
    exchange.faults.set(ways.ALL, ways.Delisted("BTC/USDT"))
    since = NOW_MS - NOW_MS % 300_000
    requests = [CandleRequest(Market("simulated", name), "5m", since, 1) for name in ("BTC/USDT", "ETH/USDT")]
    sweep = candles(gateway, *requests)["simulated"]
    assert list(sweep.failed) == [SPOT]
    assert len(sweep.answers) == 1


def test_weight_beyond_the_exchanges_limit_is_never_asked(request):
    """At a limit of 200 a minute the gateway keeps to 140 and defers the rest; nothing is refused."""
    source, clock = generated(seed=1, markets=150), ScaledClock(NOW_MS)
    with SimulatedExchange(source, clock, limits=Limits(binance_weight=200)) as exchange:
        spec = ExchangeSpec("simulated", "binance", binance_urls(exchange.url), simulated=True, pace=200 / 6000)
        symbols = [listing.symbol for listing in source.listings() if listing.settle is None]
        gateway = Gateway([spec], symbols, clock, timeframes=["5m"])
        gateway.start()
        request.addfinalizer(gateway.stop)
        assert gateway.wait_ready(30)
        since = clock.now_ms() - clock.now_ms() % 300_000
        requests = [CandleRequest(market, "5m", since, 1) for market in gateway.markets()["simulated"]]
        sweep = candles(gateway, *requests, deadline_s=2.0)["simulated"]
        assert not [failure for failure in sweep.failures if isinstance(failure, RateLimited)]
        assert len(sweep.deferred) >= 100
        assert gateway.states()["simulated"].state in ("live", "connecting")


@pytest.mark.parametrize("skew_ms", [120_000, -120_000])
def test_an_exchange_with_another_clock_is_asked_and_judged_by_its_own(exchange, gateway, skew_ms):
    """Until its dates have agreed on it, nothing of it is called closed."""
    exchange.faults.set("/", ways.Skewed(skew_ms))
    request = CandleRequest(SPOT, "5m", NOW_MS - 3_600_000, 20)
    first = candles(gateway, request)["simulated"]
    assert (first.answers, first.deferred) == ([], [request])
    wait_for(lambda: candles(gateway, request)["simulated"].answers)
    state = gateway.states()["simulated"]
    assert state.ahead_ms == pytest.approx(skew_ms, abs=1000)
    assert gateway.now_ms("simulated") == NOW_MS + state.ahead_ms
    assert candles(gateway, request)["simulated"].answers[0].began_ms == NOW_MS + state.ahead_ms
