"""Request weights over HTTP: headers, 429, 418, and KuCoin's pool."""

from __future__ import annotations

import asyncio

import aiohttp
import ccxt.async_support as ccxt
import pytest

from scanner.clock import ManualClock
from scanner.simulated import Limits
from tests.simulated.conftest import ask

TIGHT = Limits(binance_weight=10, binance_patience=2, binance_ban_s=120, kucoin_weight=7, kucoin_window_s=30)
KLINES = "/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=2"
MINUTE_MS = 60_000


@pytest.fixture
def real_time() -> ManualClock:
    return ManualClock(1_000 * MINUTE_MS)


@pytest.fixture
def tight(exchange_of, real_time):
    return exchange_of(limits=TIGHT, real_time=real_time)


def get(exchange, *paths: str) -> list[tuple[int, dict[str, str]]]:
    async def run():
        found = []
        async with aiohttp.ClientSession() as session:
            for path in paths:
                async with session.get(exchange.url + path) as answer:
                    await answer.read()
                    found.append((answer.status, dict(answer.headers)))
        return found

    return asyncio.run(run())


def test_binance_tells_the_weight_used_on_each_answer(tight):
    answers = get(tight, "/api/v3/ping", KLINES, "/api/v3/ticker/price")
    assert [headers["X-MBX-USED-WEIGHT-1M"] for _, headers in answers] == ["1", "3", "7"]


def test_beyond_the_limit_429_then_418_with_retry_after(tight, real_time):
    real_time.advance(20_000)
    answers = get(tight, *[KLINES] * 8)
    assert [status for status, _ in answers] == [200] * 5 + [429] * 2 + [418]
    assert [headers.get("Retry-After") for _, headers in answers[5:]] == ["40", "40", "120"]


def test_the_next_minute_begins_at_nothing(tight, real_time):
    assert get(tight, *[KLINES] * 6)[-1][0] == 429
    real_time.advance(MINUTE_MS)
    status, headers = get(tight, KLINES)[0]
    assert (status, headers["X-MBX-USED-WEIGHT-1M"]) == (200, "2")


def test_weights_run_in_real_time_not_market_time(tight, clock):
    assert get(tight, *[KLINES] * 6)[-1][0] == 429
    clock.advance(60 * MINUTE_MS)
    assert get(tight, KLINES)[0][0] == 429


def test_kucoin_counts_a_pool_of_thirty_seconds(tight, real_time):
    answers = get(tight, *["/api/v1/kline/query?symbol=XBTUSDTM&granularity=5"] * 3)
    assert [status for status, _ in answers] == [200, 200, 429]
    assert [headers["gw-ratelimit-remaining"] for _, headers in answers] == ["4", "1", "1"]
    assert answers[-1][1]["gw-ratelimit-limit"] == "7"
    assert int(answers[-1][1]["gw-ratelimit-reset"]) == 30_000
    real_time.advance(30_000)
    assert get(tight, "/api/v1/kline/query?symbol=XBTUSDTM&granularity=5")[0][0] == 200


def test_ccxt_types_both_refusals(tight):
    async def job(binance, kucoin):
        with pytest.raises(ccxt.DDoSProtection):
            await binance.publicGetExchangeInfo()
        await kucoin.futuresPublicGetAllTickers()
        with pytest.raises(ccxt.RateLimitExceeded):
            await kucoin.futuresPublicGetAllTickers()

    ask(tight, job)
