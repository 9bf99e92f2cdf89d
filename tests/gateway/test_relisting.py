"""When the list of markets is looked at again, and which list is believed."""

from __future__ import annotations

import asyncio
import threading

from aiohttp import web

from scanner.gateway.answers import CandleRequest
from scanner.gateway.relisting import Relisting
from scanner.markets import Market
from scanner.universe import Universe
from tests.gateway import double as ways
from tests.gateway.double import NOW_MS
from tests.gateway.test_gateway import candles, prices
from tests.waiting import wait_for

INFO = "/api/v3/exchangeInfo"
BTC, ETH = Market("binance", "BTC/USDT"), Market("binance", "ETH/USDT")


def test_a_market_that_has_gone_is_looked_for_soon_and_then_less_and_less():
    relisting = Relisting()
    gone = frozenset({"A/USDT"})
    pauses = [relisting.pause_s(each, 3600, 10) for each in (frozenset(), gone, gone, gone)]
    assert pauses == [3600, 10, 20, 40]
    assert relisting.pause_s(gone | {"B/USDT"}, 3600, 10) == 10
    assert [relisting.pause_s(gone, 3600, 10) for _ in range(12)][-1] == 3600
    assert relisting.pause_s(frozenset(), 3600, 10) == 3600


def test_a_market_that_was_gone_for_a_moment_is_back_long_before_the_next_regular_look(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.lister.RELIST_SOON_S", 0.1)
    gateway = gateway_of(double.binance)
    double.status["ETH"] = "BREAK"
    double.faults["/api/v3/klines"] = ways.status(400, '{"code": -1121, "msg": "Invalid symbol."}')
    candles(gateway, CandleRequest(ETH, "5m", NOW_MS, 1))
    wait_for(lambda: gateway.markets() == {"binance": (BTC,)})
    double.status["ETH"] = "TRADING"
    wait_for(lambda: gateway.markets() == {"binance": (BTC, ETH)})


def test_the_end_of_most_markets_is_believed_at_the_second_look(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.lister.RELIST_SOON_S", 0.3)
    gateway = gateway_of(double.binance, relist_s=0.3)
    seen, looks = threading.Event(), []

    async def again_when_seen(request: web.Request) -> web.StreamResponse:
        looks.append(request)
        while len(looks) > 1 and not seen.is_set():
            await asyncio.sleep(0.01)
        return web.json_response(await double._exchange_info(request))

    double.status |= {"BTC": "BREAK", "ETH": "BREAK"}
    double.faults[INFO] = again_when_seen
    state = wait_for(lambda: (now := gateway.states()["binance"]).listing_cause and now)
    seen.set()
    assert state.listing_cause == (
        "binance: a second look is to confirm the end of most of 2 markets, of which the newest list leaves 0"
    )
    assert (state.state, state.markets) != ("down", 0)
    wait_for(lambda: gateway.markets() == {"binance": ()})
    assert gateway.delisted("binance") == (BTC, ETH)
    assert gateway.states()["binance"].listing_cause is None


def test_a_list_that_fails_is_told_beside_the_state_and_changes_nothing(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.lister.RELIST_SOON_S", 0.1)
    gateway = gateway_of(double.binance, relist_s=0.2)
    wait_for(lambda: prices(gateway))
    double.faults[INFO] = ways.status(500)
    cause = wait_for(lambda: gateway.states()["binance"].listing_cause)
    assert cause.startswith("the list of markets is as it was: binance: HTTP 500")
    wait_for(lambda: double.paths().count("exchangeInfo") > 6)  # however often it fails
    assert prices(gateway)
    assert gateway.states()["binance"].state == "live"
    assert gateway.markets() == {"binance": (BTC, ETH)}
    double.faults.clear()
    wait_for(lambda: gateway.states()["binance"].listing_cause is None)


def test_what_a_universe_chose_before_is_what_its_first_choice_is_compared_with(double, gateway_of):
    before = {"binance": frozenset({"BTC/USDT", "OLD/USDT"})}
    gateway = gateway_of(
        double.binance, universe=Universe(include=("BTC/USDT", "ETH/USDT"), quote=("NADA",)), remembered=before
    )
    (first,) = gateway.new_universes()
    assert first.joined == ("ETH/USDT",)
    assert list(first.left) == ["OLD/USDT"]
