"""A whole venue through one client: which markets, which candles, and what is done when it fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import ccxt
import ccxt.async_support as ccxt_async
import numpy as np
import pytest

from scanner.clock import ManualClock
from scanner.errors import (
    Banned,
    ExchangeFailure,
    RefusedRegion,
    Unreachable,
    Unsupported,
)
from scanner.gateway.adopted import Harvest, MarketReader, opened, span
from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.gateway.patience import Patience
from scanner.gateway.universe import FOREX_PAIRS, named, scannable
from scanner.gateway.weeks import weekly
from scanner.markets import Market
from scanner.simulated import SimulatedExchange, binance_urls, generated
from scanner.simulated import faults as ways
from scanner.timeframes import DAY_MS, HOUR_MS, MONDAY_MS, WEEK_MS, grid_of
from tests.gateway.test_simulated import NOW_MS, specs_of
from tests.waiting import AT_ONCE_S

T = TypeVar("T")
PATIENT = Patience(timeout_s=20.0, attempts=3, delay_s=0.05)
QUICK = Patience(timeout_s=0.6, attempts=3, delay_s=0.05)


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatedExchange]:
    with SimulatedExchange(generated(seed=1), ManualClock(NOW_MS)) as exchange:
        yield exchange


@pytest.fixture(autouse=True)
def healthy(exchange) -> Iterator[None]:
    yield
    exchange.faults.clear()


def reading(
    exchange: SimulatedExchange,
    work: Callable[[MarketReader], Coroutine[Any, Any, T]],
    spec: int = 0,
    patience: Patience = PATIENT,
) -> T:
    async def run() -> T:
        async with opened(specs_of(exchange)[spec], patience) as reader:
            return await work(reader)

    return asyncio.run(run())


def harvest_of(
    exchange,
    interval="1h",
    count=5,
    symbols=("BTC/USDT", "ETH/USDT"),
    spec=0,
    deadline_s=60.0,
    patience=PATIENT,
    **more,
) -> Harvest:
    async def read(reader: MarketReader) -> Harvest:
        listings, _ = await reader.listings("USDT", symbols=symbols)
        return await reader.candles(listings, interval, count, time.monotonic() + deadline_s, **more)

    return reading(exchange, read, spec, patience)


# --- which markets -------------------------------------------------------------------------------------------------


def facts(symbol: str, kind: str = "spot", active: bool | None = True, **more: Any) -> tuple[str, dict[str, Any]]:
    quote = symbol.partition("/")[2].partition(":")[0]
    return symbol, {"symbol": symbol, "type": kind, "quote": quote, "active": active, **more}


def test_the_quote_counts_and_margin_does_not():
    listed = dict(
        [
            facts("BTC/USDT", info={"isMarginTradingAllowed": True}),
            facts("ETH/USDC"),
            facts("OLD/USDT", active=False),
            facts("NEW/USDT", active=None),
            facts("BTC/USDT:USDT", "swap"),
            facts("BTC/USDT:USDT-261225", "future"),
            facts("BTC/USDT:USDT-261225-1-C", "option"),
        ]
    )
    assert scannable(listed, "USDT") == ["BTC/USDT", "NEW/USDT", "BTC/USDT:USDT"]
    assert scannable(listed, "USDC") == ["ETH/USDC"]
    assert scannable(listed, "USDT", most=1) == ["BTC/USDT"]


def test_forex_is_ten_spot_pairs():
    listed = dict([facts("EUR/USD"), facts("BTC/USD"), facts("GBP/USD", "swap"), facts("USD/JPY", active=False)])
    assert scannable(listed, "USDT", "forex") == ["EUR/USD"]
    assert len(FOREX_PAIRS) == 10


def test_named_symbols_are_resolved_or_have_a_reason():
    listed = dict([facts("BTC/USDT:USDT", "swap", linear=True)])
    found, skipped = named("kucoinfutures", ["BTC/USDT", "XYZ/USDT"], listed)
    assert found == ["BTC/USDT:USDT"]
    assert list(skipped) == ["XYZ/USDT"]


@pytest.mark.parametrize(("spec", "suffix"), [(0, ""), (1, ":USDT")])
def test_every_usdt_market_of_an_exchange_is_listed(exchange, spec, suffix):
    listings, skipped = reading(exchange, lambda reader: reader.listings("USDT"), spec)
    assert {listing.symbol for listing in listings} == {
        f"{coin.base}/USDT{suffix}"
        for coin in exchange.source.coins  # type: ignore[attr-defined]
    }
    assert skipped == {}


# --- which client --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, "binance", object(), ccxt.binance(), ccxt_async.binance, 5])
def test_only_a_ccxt_async_client_is_taken(wrong):
    with pytest.raises(ValueError, match=r"exchange: .*is not a ccxt async client"):
        MarketReader(wrong)


def test_a_client_of_somebody_else_is_used_and_stays_open(exchange):
    async def scan() -> tuple[str, bool, int]:
        client = ccxt_async.binance(
            {"options": {"fetchMarkets": {"types": ["spot"]}}, "has": {"fetchCurrencies": False}}
        )
        client.urls["api"] = binance_urls(exchange.url)
        client.aiohttp_trust_env = False
        try:
            reader = MarketReader(client)
            listings, _ = await reader.listings("USDT", symbols=["BTC/USDT"])
            harvest = await reader.candles(listings, "1h", 5, time.monotonic() + 60)
            return reader.id, client.session.closed, len(harvest.answers["BTC/USDT"])
        finally:
            await client.close()

    assert asyncio.run(scan()) == ("binance", False, 5)


def test_an_exchange_without_candles_says_so():
    async def ask() -> None:
        client = ccxt_async.binance()
        client.has["fetchOHLCV"] = False
        try:
            await MarketReader(client).listings("USDT")
        finally:
            await client.close()

    with pytest.raises(Unsupported, match="binance has no candles"):
        asyncio.run(ask())


# --- which candles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [0, 1])
def test_the_newest_candles_come_with_the_forming_one(exchange, spec):
    harvest = harvest_of(exchange, "1h", 7, spec=spec)
    assert harvest.now_ms == NOW_MS
    assert len(harvest.answers) == 2
    for answer in harvest.answers.values():
        assert len(answer) == 7
        assert answer.open_time[-1] == NOW_MS - NOW_MS % HOUR_MS
        assert (np.diff(answer.open_time) == HOUR_MS).all()


def test_volumes_are_in_base_currency_on_both(exchange):
    spot = harvest_of(exchange, symbols=["BTC/USDT"]).answers["BTC/USDT"]
    swap = harvest_of(exchange, symbols=["BTC/USDT"], spec=1).answers["BTC/USDT:USDT"]
    np.testing.assert_allclose(spot.volume, swap.volume, atol=0.01)


def test_weeks_are_put_together_from_days(exchange):
    weeks = harvest_of(exchange, "1w", 3).answers["BTC/USDT"]
    days = harvest_of(exchange, "1d", 30).answers["BTC/USDT"]
    assert len(weeks) == 3
    assert ((weeks.open_time - MONDAY_MS) % WEEK_MS == 0).all()
    within = (days.open_time >= weeks.open_time[1]) & (days.open_time < weeks.open_time[2])
    assert within.sum() == 7
    assert weeks.open[1] == days.open[within][0]
    assert weeks.close[1] == days.close[within][-1]
    assert weeks.high[1] == days.high[within].max()
    assert weeks.low[1] == days.low[within].min()
    assert weeks.volume[1] == pytest.approx(days.volume[within].sum())
    assert weeks.close[2] == days.close[-1]


def test_no_days_are_no_weeks():
    none = np.empty(0)
    answer = CandleAnswer(
        CandleRequest(Market("x", "A/B"), "1d", 0, 7), none.astype(np.int64), none, none, none, none, none, 0
    )
    assert len(weekly(answer)) == 0


def test_an_interval_that_is_not_offered_is_refused(exchange):
    with pytest.raises(Unsupported, match="simulated has no 9h candles"):
        harvest_of(exchange, "9h")


def test_spans_end_with_the_forming_candle_and_begin_after_1970():
    assert span("1h", 3, NOW_MS) == (NOW_MS - NOW_MS % HOUR_MS - 2 * HOUR_MS, 3)
    first, count = span("1w", 2, NOW_MS)
    assert count == 2
    assert (first - MONDAY_MS) % WEEK_MS == 0
    assert first + 2 * WEEK_MS > NOW_MS >= first + WEEK_MS
    assert span("1d", 500, 10 * DAY_MS) == (DAY_MS, 10)
    assert grid_of("1w") == (WEEK_MS, DAY_MS)


def test_progress_is_told(exchange):
    told: list[tuple[int, int]] = []
    harvest_of(exchange, on_progress=lambda done, total: told.append((done, total)))
    assert sorted(told) == [(1, 2), (2, 2)]


# --- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (ways.Hang(), Unreachable),
        (ways.Reset(), Unreachable),
        (ways.Status(500), Unreachable),
        (ways.Status(451), RefusedRegion),
        (ways.Status(418, 60), Banned),
        (ways.Html(), ExchangeFailure),
        (ways.Truncated(), ExchangeFailure),
    ],
    ids=str,
)
def test_a_fault_of_the_candles_is_named_and_costs_no_more_than_the_patience(exchange, fault, failure):
    exchange.faults.set("/api/v3/klines", fault)
    began = time.monotonic()
    harvest = harvest_of(exchange, patience=QUICK if isinstance(fault, ways.Hang) else PATIENT)
    assert time.monotonic() - began < AT_ONCE_S
    assert set(harvest.failures) == {"BTC/USDT", "ETH/USDT"}
    assert all(isinstance(found, failure) for found in harvest.failures.values())
    with pytest.raises(failure):
        harvest.raise_if_barren()


@pytest.mark.parametrize("fault", [ways.Status(500), ways.Html(), ways.Reset()], ids=str)
def test_a_fault_that_passes_is_asked_past(exchange, fault):
    exchange.faults.set("/api/v3/klines", fault, times=2)
    harvest = harvest_of(exchange, symbols=["BTC/USDT"])
    assert list(harvest.answers) == ["BTC/USDT"]


def test_a_refused_region_ends_everything_at_once(exchange):
    symbols = [f"{coin.base}/USDT" for coin in exchange.source.coins]
    exchange.faults.set("/api/v3/klines", ways.Status(451))
    before = exchange.requests["/api/v3/klines"]
    harvest = harvest_of(exchange, symbols=symbols)
    assert len(harvest.failures) == len(symbols)
    assert exchange.requests["/api/v3/klines"] - before < len(symbols)


def test_at_the_deadline_what_has_not_come_is_given_up(exchange):
    exchange.faults.set("/api/v3/klines", ways.Hang())
    began = time.monotonic()
    harvest = harvest_of(exchange, deadline_s=0.3)
    assert time.monotonic() - began < AT_ONCE_S
    assert all("no time left" in str(failure) for failure in harvest.failures.values())


def test_a_list_that_cannot_be_had_is_a_failure(exchange):
    exchange.faults.set("/api/v3/exchangeInfo", ways.Status(500))
    with pytest.raises(Unreachable):
        reading(exchange, lambda reader: reader.listings("USDT"))


def test_a_harvest_with_something_in_it_is_not_barren():
    Harvest(0).raise_if_barren()
    Harvest(0, {"A": None}, {"B": Unreachable("gone")}).raise_if_barren()  # type: ignore[dict-item]
