"""Each fault, as ccxt's own client meets it, switched while the exchange runs."""

from __future__ import annotations

import threading

import ccxt.async_support as ccxt
import pytest

from scanner.simulated.faults import (
    ALL,
    Delisted,
    Drip,
    Empty,
    Faults,
    Frozen,
    Hang,
    Holes,
    Html,
    Nulls,
    Reset,
    Skewed,
    Status,
    Truncated,
)
from tests.simulated.conftest import NOW_MS, ask
from tests.waiting import wait_for

KLINES = "/api/v3/klines"


async def candles(binance, kucoin):
    return await binance.fetch_ohlcv("BTC/USDT", "5m", limit=3)


def failure(exchange, timeout_ms: int = 60_000) -> ccxt.BaseError:
    """What fetching candles raises, and that it works again without the fault."""
    with pytest.raises(ccxt.BaseError) as raised:
        ask(exchange, candles, timeout_ms)
    exchange.faults.clear()
    assert len(ask(exchange, candles)) == 3
    return raised.value


def test_a_hang_ends_in_the_clients_time_out(exchange):
    exchange.faults.set(KLINES, Hang())
    assert isinstance(failure(exchange, timeout_ms=300), ccxt.RequestTimeout)


def test_a_hanging_request_goes_on_when_faults_are_cleared(exchange):
    exchange.faults.set(KLINES, Hang())

    def release() -> None:
        wait_for(lambda: exchange.requests[KLINES])
        exchange.faults.clear()

    releasing = threading.Thread(target=release)
    releasing.start()
    assert len(ask(exchange, candles)) == 3
    releasing.join()


def test_a_slow_drip_outlasts_the_clients_patience(exchange):
    exchange.faults.set(KLINES, Drip(piece_bytes=8, pause_s=0.2))
    assert isinstance(failure(exchange, timeout_ms=400), ccxt.RequestTimeout)


def test_a_quick_drip_arrives_whole(exchange):
    exchange.faults.set(KLINES, Drip(piece_bytes=64, pause_s=0.001))
    assert len(ask(exchange, candles)) == 3


def test_a_reset_is_a_network_error(exchange):
    exchange.faults.set(KLINES, Reset())
    assert isinstance(failure(exchange), ccxt.NetworkError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (429, ccxt.DDoSProtection),
        (418, ccxt.DDoSProtection),
        (451, ccxt.ExchangeNotAvailable),
        (403, ccxt.ExchangeNotAvailable),
        (500, ccxt.BaseError),
        (503, ccxt.BaseError),
    ],
)
def test_a_status_is_what_ccxt_makes_of_it(exchange, code, kind):
    exchange.faults.set(KLINES, Status(code, retry_after_s=7))
    error = failure(exchange)
    assert isinstance(error, kind)
    assert error.__class__ is not ccxt.BadSymbol


def test_a_status_carries_retry_after_when_told(exchange):
    async def job(binance, kucoin):
        with pytest.raises(ccxt.BaseError):
            await binance.publicGetPing()
        return binance.last_response_headers

    exchange.faults.set(ALL, Status(429, retry_after_s=7))
    assert ask(exchange, job)["Retry-After"] == "7"


@pytest.mark.parametrize("fault", [Html(503), Truncated(), Empty()])
def test_a_broken_body_is_never_taken_for_candles(exchange, fault):
    exchange.faults.set(KLINES, fault)
    try:
        found = ask(exchange, candles)
    except (ccxt.BaseError, TypeError, AttributeError):
        found = []  # what ccxt makes of a body that is no list varies
    assert not any(isinstance(row[0], int) and row[4] for row in found if isinstance(row, list))
    exchange.faults.clear()
    assert len(ask(exchange, candles)) == 3


@pytest.mark.parametrize("value", [None, "NaN"])
def test_null_fields_keep_the_shape(exchange, value):
    exchange.faults.set(KLINES, Nulls(value))

    async def job(binance, kucoin):
        return await binance.publicGetKlines({"symbol": "BTCUSDT", "interval": "5m", "limit": 2})

    rows = ask(exchange, job)
    assert [row[1] for row in rows] == [value, value]
    assert all(row[0] > 10**12 for row in rows)


def test_holes_in_a_table_spare_the_newest_candle_and_the_times(exchange):
    exchange.faults.set(ALL, Holes("NaN"))

    async def job(binance, kucoin):
        spot = await binance.publicGetKlines({"symbol": "BTCUSDT", "interval": "5m", "limit": 4})
        since = {"symbol": "ETHUSDTM", "granularity": 5, "from": NOW_MS - 900_000, "to": NOW_MS}
        return spot, (await kucoin.futuresPublicGetKlineQuery(since))["data"]

    for rows in ask(exchange, job):
        newest_first = sorted(rows, key=lambda row: -int(row[0]))
        assert [row[1] == "NaN" for row in newest_first[:3]] == [False, True, False]
        assert all(int(row[0]) > 10**12 for row in rows)


def test_a_frozen_exchange_answers_with_old_data(exchange, clock):
    exchange.faults.set(ALL, Frozen(NOW_MS))
    before = ask(exchange, candles)
    clock.advance(20 * 60_000)
    assert ask(exchange, candles) == before
    exchange.faults.clear()
    assert ask(exchange, candles)[-1][0] == before[-1][0] + 20 * 60_000


def test_a_skewed_clock_shows_in_time_and_candles(exchange):
    exchange.faults.set(ALL, Skewed(-3_600_000))

    async def job(binance, kucoin):
        return await binance.fetch_time(), await kucoin.fetch_time(), (await candles(binance, kucoin))[-1][0]

    spot, swap, newest = ask(exchange, job)
    assert spot == swap == NOW_MS - 3_600_000
    assert newest <= spot


def test_a_symbol_can_be_delisted_while_running(exchange):
    async def job(binance, kucoin):
        await binance.load_markets()
        await kucoin.load_markets()
        exchange.faults.set(ALL, Delisted("SOL/USDT"))
        with pytest.raises(ccxt.BadSymbol):
            await binance.fetch_ohlcv("SOL/USDT", "5m", limit=2)
        with pytest.raises(ccxt.BadSymbol):
            await kucoin.fetch_ohlcv("SOL/USDT:USDT", "5m", since=NOW_MS - 600_000, limit=2)
        return await binance.load_markets(reload=True), await kucoin.load_markets(reload=True)

    spot, swaps = ask(exchange, job)
    assert "SOL/USDT" not in spot
    assert "SOL/USDT:USDT" not in swaps
    assert "BTC/USDT" in spot


def test_a_fault_may_be_over_after_some_requests(exchange):
    exchange.faults.set(KLINES, Status(500), times=1)
    with pytest.raises(ccxt.BaseError):
        ask(exchange, candles)
    assert len(ask(exchange, candles)) == 3


def test_a_fault_hits_its_own_paths_only(exchange):
    exchange.faults.set("/api/v1/", Status(500))
    assert len(ask(exchange, candles)) == 3


def test_a_fault_set_twice_counts_once():
    faults = Faults()
    faults.set(ALL, Reset(), times=1)
    faults.set(ALL, Reset())
    assert faults.drawn("/x") == (Reset(),)
    assert faults.drawn("/x") == (Reset(),)
    faults.clear("/other")
    assert faults.drawn("/x") == (Reset(),)
    faults.clear(ALL)
    assert faults.drawn("/x") == ()


def test_stop_ends_while_requests_hang(exchange_of):
    exchange = exchange_of()
    exchange.faults.set(ALL, Hang())

    async def job(binance, kucoin):
        with pytest.raises(ccxt.BaseError):
            await binance.publicGetPing()

    asking = threading.Thread(target=ask, args=(exchange, job))
    asking.start()
    wait_for(lambda: exchange.requests["/api/v3/ping"])
    assert exchange.stop(30)  # half of what the client would wait for
    asking.join(60)
    assert not asking.is_alive()
