"""Which calls are made, for exchanges of every ability."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from scanner.errors import Unreachable, Unsupported
from scanner.gateway.budget import KNOWN, WeightTable
from scanner.gateway.prices import STATISTICS_S, PriceReader
from scanner.markets import Market

BULK = WeightTable(limit=100, window_s=60)


def names_of(count):
    return {f"C{i}/USDT": Market("x", f"C{i}/USDT") for i in range(count)}


class Exchange:
    """Answers every call with tickers and keeps what was asked."""

    def __init__(self, *calls, weights=BULK, broken=()):
        self.asked, self.broken = [], broken
        self.reader = PriceReader("x", SimpleNamespace(has=dict.fromkeys(calls, True)), weights, self.ask, 4)

    async def ask(self, weight, method, symbols, params=None):
        self.asked.append((method, weight))
        if method in self.broken or symbols in self.broken:
            raise Unreachable("x: no answer")
        if method == "fetch_ticker":
            return {"last": 1.0}
        names = symbols or names_of(200)
        return {name: {"price" if method == "fetch_last_prices" else "last": 1.0, "quoteVolume": 2.0} for name in names}

    def read(self, count, now=0.0, kinds=None):
        names = names_of(count)
        kinds = kinds or dict.fromkeys(names, "spot")
        return asyncio.run(self.reader.read(0, now, names, kinds))


def test_last_prices_are_cheapest_and_statistics_follow_once_a_minute():
    exchange = Exchange("fetchLastPrices", "fetchTickers", weights=KNOWN["binance"])
    for now in (0, 5, STATISTICS_S):
        answer = exchange.read(30, now)
    assert exchange.asked == [
        ("fetch_last_prices", 4),
        ("fetch_tickers", 40),
        ("fetch_last_prices", 4),
        ("fetch_last_prices", 4),
        ("fetch_tickers", 40),
    ]
    assert (answer.quote_volume == 2).all()


def test_a_few_are_named_where_that_is_cheaper_still():
    exchange = Exchange("fetchLastPrices", "fetchTickers", weights=KNOWN["binance"])
    exchange.read(20)
    assert exchange.asked == [("fetch_tickers", 2)]


def test_more_than_a_hundred_are_asked_for_all_together():
    exchange = Exchange("fetchTickers", weights=KNOWN["binance"])
    assert len(exchange.read(150)) == 150
    assert exchange.asked == [("fetch_tickers", 80)]


def test_prices_do_not_wait_for_statistics_that_fail():
    exchange = Exchange("fetchLastPrices", "fetchTickers", broken=("fetch_tickers",))
    assert len(exchange.read(5)) == 5


def test_best_prices_are_asked_for_where_tickers_come_without():
    exchange = Exchange("fetchTickers", "fetchBidsAsks")
    exchange.read(5)
    assert exchange.asked == [("fetch_tickers", 1), ("fetch_bids_asks", 1)]


def test_spot_and_swap_are_asked_for_apart():
    exchange = Exchange("fetchTickers")
    assert len(exchange.read(2, kinds={"C0/USDT": "spot", "C1/USDT": "swap"})) == 2
    assert exchange.asked == [("fetch_tickers", 1)] * 2


def test_without_a_bulk_call_each_market_is_asked_for_and_fails_alone():
    exchange = Exchange("fetchTicker", broken=("C1/USDT",))
    answer = exchange.read(3)
    assert [market.symbol for market in answer.markets] == ["C0/USDT", "C2/USDT"]
    with pytest.raises(Unreachable):
        Exchange("fetchTicker", broken=("fetch_ticker",)).read(3)


def test_an_exchange_without_prices_says_so():
    with pytest.raises(Unsupported, match="x offers no prices"):
        Exchange("fetchOrderBook").read(1)
