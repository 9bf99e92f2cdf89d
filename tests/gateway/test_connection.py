from __future__ import annotations

import asyncio

import pytest

from scanner.gateway import ExchangeSpec, known_exchanges, real_exchange
from scanner.gateway.connection import candles_per_call, connect, most_at_once, weight_table
from scanner.gateway.flight import OutOfTime, in_time, note_sent


def connected(spec):
    return connect(spec, 10.0, lambda headers: None)


@pytest.mark.parametrize("exchange_id", known_exchanges())
def test_every_exchange_of_ccxt_can_be_set_up(exchange_id):
    exchange = connected(real_exchange(exchange_id))
    assert exchange.enableRateLimit
    assert exchange.timeout == 10_000
    assert weight_table(exchange).limit >= 1
    assert 2 <= most_at_once(exchange) <= 16
    for market in ({"type": "spot"}, {"type": "swap", "contract": True}, {"type": "option", "contract": True}):
        assert candles_per_call(exchange, market) >= 1


def test_binance_lists_spot_only_and_no_currencies():
    exchange = connected(real_exchange("binance"))
    assert exchange.options["fetchMarkets"]["types"] == ["spot"]
    assert exchange.options["defaultType"] == "spot"
    assert exchange.has["fetchCurrencies"] is False


@pytest.mark.parametrize(
    ("exchange_id", "market", "rows"),
    [
        ("binance", {"type": "spot"}, 1000),
        ("kucoinfutures", {"type": "swap", "contract": True}, 200),
        ("bybit", {"type": "swap", "contract": True}, 1000),
    ],
)
def test_rows_a_call(exchange_id, market, rows):
    assert candles_per_call(connected(real_exchange(exchange_id)), market) == rows


def test_a_simulated_exchange_has_no_other_address():
    spec = ExchangeSpec("simulated", "binance", {"public": "http://127.0.0.1:1/api/v3"}, simulated=True)
    assert connected(spec).urls["api"] == {"public": "http://127.0.0.1:1/api/v3"}
    mirror = ExchangeSpec("binance", "binance", {"public": "https://data-api.binance.vision/api/v3"})
    assert connected(mirror).urls["api"]["sapi"].startswith("https://api.binance.com")


def test_a_faster_pace_scales_limits_and_spacing():
    exchange = connected(ExchangeSpec("fast", "binance", {}, simulated=True, pace=10))
    assert exchange.rateLimit == 5
    assert exchange.throttler.config["refillRate"] == 0.2
    assert weight_table(exchange, 10).limit == 60_000


def test_a_few_named_statistics_are_spaced_by_what_they_weigh():
    exchange = connected(real_exchange("binance"))
    config = {"cost": 0.4, "noSymbol": 16}
    assert exchange.calculate_rate_limiter_cost("public", "GET", "ticker/24hr", {"symbols": '["A"]'}, config) == 0.4
    assert exchange.calculate_rate_limiter_cost("public", "GET", "ticker/24hr", {}, config) == 16


async def _sent(at):
    if at is not None:
        note_sent(at)
    await asyncio.Event().wait()


@pytest.mark.parametrize(("sent_at", "fault"), [(None, OutOfTime), (9.5, OutOfTime), (8.0, TimeoutError)])
def test_only_a_silent_exchange_is_blamed_for_a_missed_deadline(sent_at, fault):
    with pytest.raises(fault):
        asyncio.run(in_time(_sent(sent_at), 0.01, 1.0, lambda: 10.0))
