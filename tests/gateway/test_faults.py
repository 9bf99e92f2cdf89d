"""Each way an exchange can fail: its state says which, the other exchange never notices, and it heals by itself."""

from __future__ import annotations

import socket
import time

import pytest

from scanner.gateway import CandleRequest, ExchangeSpec
from scanner.markets import Market
from tests.gateway import double as ways
from tests.gateway.double import NOW_MS
from tests.gateway.test_gateway import candles, prices
from tests.soak.world import Names
from tests.waiting import wait_for

FOR_EVER_S = 600.0  # longer than a test may take
PAGE = "<html><body>Access denied</body></html>"
FAULTS = {
    "limited": (ways.status(429, retry_after="1"), "limited", "HTTP 429"),
    "banned": (ways.status(418, retry_after="1"), "banned", "asks to wait 1 s"),
    "broken": (ways.status(500, "internal error"), "down", "HTTP 500: internal error"),
    "no gateway": (ways.status(502, PAGE), "down", "HTTP 502: a web page"),
    "hang": (ways.hang, "down", "no answer in time"),
    "reset": (ways.reset, "down", "ServerDisconnected"),
    "web page": (ways.says(PAGE, "text/html"), "down", "a web page instead of data"),
    "broken off": (ways.broken_off, "down", "ClientPayloadError"),
    "truncated": (ways.says('[{"symbol": "BTCUS'), "down", "HTTP 200"),
    "silence": (ways.says(""), "down", "an empty answer"),
    "nothing": (ways.says("[]"), "down", "no usable price"),
    "wrong shape": (ways.says('{"code": 0, "data": {"a": [1]}}'), "down", ""),
    "nonsense": (ways.says('[[[1]], "x", null, 3]'), "down", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_costs_the_other_nothing_and_heals(double, gateway_of, fault):
    gateway = gateway_of(double.binance, double.kucoin)
    wait_for(lambda: all(gateway.markets().values()))
    double.faults["/api/v3/"], state, cause = FAULTS[fault]
    patience_s = 0.9 if fault == "hang" else 30.0  # all of it is lost on what hangs

    def named() -> bool:
        return "binance" not in prices(gateway, patience_s) and gateway.states()["binance"].state == state

    wait_for(named)
    assert cause in (gateway.states()["binance"].cause or "")
    wait_for(lambda: set(prices(gateway, patience_s)) == {"kucoinfutures"})
    assert gateway.states()["kucoinfutures"].state == "live"
    double.faults.clear()
    wait_for(lambda: "binance" in prices(gateway))
    assert gateway.states()["binance"].state == "live"


@pytest.mark.parametrize("code", [451, 403])
def test_a_refused_region_is_not_asked_again_each_time(double, gateway_of, code):
    gateway = gateway_of(double.binance)
    double.faults["/api/v3/"] = ways.status(code, '{"msg": "restricted location"}')
    prices(gateway)
    asked = len(double.calls)
    for _ in range(5):
        assert prices(gateway) == {}
    assert len(double.calls) == asked
    assert gateway.states()["binance"].state == "restricted"
    assert "restricted location" in gateway.states()["binance"].cause


def test_retry_after_is_respected(double, gateway_of):
    gateway = gateway_of(double.binance)
    double.faults["/api/v3/"] = ways.status(429, retry_after="1")
    began = time.monotonic()
    prices(gateway)
    double.faults.clear()
    asked = len(double.calls)
    wait_for(lambda: prices(gateway))
    assert time.monotonic() - began >= 1
    assert len(double.calls) == asked + 1


@pytest.mark.parametrize("fault", [ways.hang, ways.reset, ways.status(451), ways.says("{}"), ways.says(PAGE)])
def test_listing_markets_is_tried_until_it_works(double, gateway_of, fault, monkeypatch):
    monkeypatch.setattr("scanner.gateway.breaker.REGION_S", 0.3)
    double.faults["/api/v3/exchangeInfo"] = fault
    gateway = gateway_of(double.binance, ready=False, timeout_s=0.3)
    wait_for(lambda: gateway.states()["binance"].state in ("down", "restricted"))
    assert gateway.markets() == {"binance": ()}
    double.faults.clear()
    assert gateway.wait_ready(30)


def test_a_hanging_exchange_delays_nobody(double, gateway_of):
    gateway = gateway_of(double.binance, double.kucoin, timeout_s=FOR_EVER_S)
    wait_for(lambda: all(gateway.markets().values()))
    double.faults["/api/v3/"] = ways.hang
    first = next(iter(gateway.prices(FOR_EVER_S)))
    assert first.exchange == "kucoinfutures"


def test_candles_of_a_failing_exchange_are_deferred_after_a_few_tries(double, gateway_of):
    gateway = gateway_of(double.binance, symbols=("BTC/USDT",), price_interval_s=5.0)
    double.faults["/api/v3/klines"] = ways.status(500)
    market = Market("binance", "BTC/USDT")
    requests = [CandleRequest(market, "5m", NOW_MS - i * 300_000, 1) for i in range(200)]
    sweep = candles(gateway, *requests)["binance"]
    assert not sweep.answers
    assert 3 <= len(sweep.failures) <= 32
    assert len(sweep.deferred) + len(sweep.failures) == 200
    assert gateway.states()["binance"].state == "down"


def test_a_hanging_candle_call_is_cut_at_the_deadline(double, gateway_of):
    gateway = gateway_of(double.binance, timeout_s=FOR_EVER_S)
    double.faults["/api/v3/klines"] = ways.hang
    request = CandleRequest(Market("binance", "BTC/USDT"), "5m", NOW_MS, 1)
    # it is deferred where so little time was left that the exchange is not to blame
    failed = wait_for(lambda: candles(gateway, request, deadline_s=0.5)["binance"].failed)
    assert "no answer in time" in str(failed[Market("binance", "BTC/USDT")])


def test_an_exchange_without_data_for_three_intervals_is_late_and_recovers(double, gateway_of):
    gateway = gateway_of(double.binance, price_interval_s=0.5)
    wait_for(lambda: prices(gateway) and gateway.states()["binance"].state == "live")
    wait_for(lambda: gateway.states()["binance"].state == "late")
    assert "no data for" in gateway.states()["binance"].cause
    wait_for(lambda: prices(gateway) and gateway.states()["binance"].state == "live")
    assert gateway.states()["binance"].last_data_ms == NOW_MS


def test_a_port_where_nobody_listens(double, gateway_of):
    with socket.socket() as held:  # so that nobody else is given the port
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/api/v3"
        gateway = gateway_of(ExchangeSpec("nobody", "binance", {"public": url}, simulated=True), double.binance)
        wait_for(lambda: gateway.states()["nobody"].state == "down")
        assert "Cannot connect" in gateway.states()["nobody"].cause
        wait_for(lambda: set(prices(gateway)) == {"binance"})


def test_a_name_that_does_not_resolve_is_told_and_heals(double, gateway_of):
    with Names() as names:
        names.lost.add("exchange.invalid")
        url = double.binance.urls["public"].replace("127.0.0.1", "exchange.invalid")
        named = ExchangeSpec("named", "binance", {"public": url}, simulated=True)
        gateway = gateway_of(named, double.kucoin)
        wait_for(lambda: gateway.states()["named"].state == "down")
        assert "the name exchange.invalid does not resolve" in gateway.states()["named"].cause
        assert set(prices(gateway)) == {"kucoinfutures"}
        names.lost.clear()
        wait_for(lambda: "named" in prices(gateway))


def test_candles_that_fail_while_prices_come_are_told(double, gateway_of):
    gateway = gateway_of(double.binance, symbols=("BTC/USDT",))
    request = CandleRequest(Market("binance", "BTC/USDT"), "5m", NOW_MS, 1)
    double.faults["/api/v3/klines"] = ways.status(500)
    candles(gateway, request)
    wait_for(lambda: prices(gateway))
    assert gateway.states()["binance"].state == "down"
    assert "no candles: binance: HTTP 500" in gateway.states()["binance"].cause
    double.faults.clear()
    wait_for(lambda: candles(gateway, request)["binance"].answers)
    assert gateway.states()["binance"].state == "live"


def test_a_delisted_symbol_leaves_with_the_next_list(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.lister.RELIST_SOON_S", 0.1)
    gateway = gateway_of(double.binance)
    double.status["BTC"] = "BREAK"
    double.faults["/api/v3/klines"] = ways.status(400, '{"code": -1121, "msg": "Invalid symbol."}')
    candles(gateway, CandleRequest(Market("binance", "BTC/USDT"), "5m", NOW_MS, 1))
    wait_for(lambda: gateway.markets() == {"binance": (Market("binance", "ETH/USDT"),)})
    left = "left at 2023-11-14T22:15:00: not active on binance: halted or delisted"
    assert gateway.skipped() == {"binance:BTC/USDT": left}
