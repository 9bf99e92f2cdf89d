"""Binance's websocket streams of the loopback exchange: what subscribers see, and the limits they are held to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from scanner.clock import ScaledClock
from scanner.simulated import SimulatedExchange, generated, sockets
from scanner.simulated.binance import ROUTES, desk
from scanner.simulated.desk import Desk
from scanner.simulated.streams import MOST_STREAMS, Board, Subscriptions

NOW_MS = 1_760_000_000_000 - 1_760_000_000_000 % 300_000 + 60_000
SOURCE = generated(seed=1)
DESK = desk(SOURCE)


def at(now_ms: int) -> Board:
    return Board(Desk(SOURCE, DESK.entries, now_ms))


def subscribed(*names: str) -> Subscriptions:
    subscriptions = Subscriptions()
    subscriptions.asked(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
    return subscriptions


def told(subscriptions: Subscriptions, now_ms: int) -> list[dict[str, Any]]:
    return [event for _, event in subscriptions.events(at(now_ms))]


def test_a_candle_is_told_as_rest_tells_it():
    (event,) = told(subscribed("btcusdt@kline_5m"), NOW_MS)
    row: Any = ROUTES["/api/v3/klines"]({"symbol": "BTCUSDT", "interval": "5m", "limit": "1"}, at(NOW_MS).desk)
    candle = event["k"]
    assert [candle[key] for key in "tohlcv"] == row[0][:6]
    assert (event["e"], event["E"], event["s"], candle["x"]) == ("kline", NOW_MS, "BTCUSDT", False)


def test_a_candle_that_closes_is_told_whole_before_the_next_one():
    subscriptions = subscribed("btcusdt@kline_5m")
    told(subscriptions, NOW_MS)
    closed, forming = told(subscriptions, NOW_MS + 300_000)
    assert (closed["k"]["x"], forming["k"]["x"]) == (True, False)
    assert forming["k"]["t"] == closed["k"]["t"] + 300_000 == closed["k"]["T"] + 1


@pytest.mark.parametrize(("channel", "event"), [("ticker", "24hrTicker"), ("miniTicker", "24hrMiniTicker")])
def test_a_ticker_is_told_as_rest_tells_it(channel, event):
    (found,) = told(subscribed(f"ethusdt@{channel}"), NOW_MS)
    day: Any = ROUTES["/api/v3/ticker/24hr"]({"symbol": "ETHUSDT"}, at(NOW_MS).desk)
    assert (found["e"], found["c"], found["q"]) == (event, day["lastPrice"], day["quoteVolume"])


def test_what_has_not_changed_is_not_told_again():
    subscriptions = subscribed("btcusdt@kline_5m", "btcusdt@ticker")
    assert len(told(subscriptions, NOW_MS)) == 2
    assert told(subscriptions, NOW_MS) == []
    assert [event["E"] for _, event in subscriptions.again()] == [NOW_MS, NOW_MS]


@pytest.mark.parametrize("name", ["nosuch@ticker", "btcusdt@kline_7m", "btcusdt@depth"])
def test_a_stream_there_is_not_is_accepted_and_silent(name):
    assert told(subscribed(name), NOW_MS) == []


def test_a_dead_stream_comes_back_when_it_is_subscribed_to_anew():
    subscriptions = subscribed("btcusdt@ticker", "ethusdt@ticker")
    subscriptions.strike(["ETHUSDT"])
    assert [event["s"] for event in told(subscriptions, NOW_MS)] == ["BTCUSDT"]
    for method in ("UNSUBSCRIBE", "SUBSCRIBE"):
        subscriptions.asked(json.dumps({"method": method, "params": ["ethusdt@ticker"], "id": 2}))
    assert [event["s"] for event in told(subscriptions, NOW_MS)] == ["ETHUSDT"]


@pytest.mark.parametrize("text", ["{", "[]", '{"id": 1}', '{"method": "DANCE", "id": 1}'])
def test_a_message_that_is_none_gets_an_error(text):
    assert "error" in Subscriptions().asked(text)


def test_no_connection_takes_more_streams_than_binance_does():
    subscriptions = subscribed(*(f"coin{i}usdt@ticker" for i in range(MOST_STREAMS)))
    answer = subscriptions.asked(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@ticker"], "id": 7}))
    assert (answer["id"], "error" in answer) == (7, True)
    assert len(subscriptions.streams) == MOST_STREAMS


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    with SimulatedExchange(SOURCE, ScaledClock(NOW_MS)) as exchange:
        yield exchange


def spoken(url: str, *messages: dict[str, Any], wanted: int) -> list[dict[str, Any]]:
    """The first answers and events of a connection after these messages; fewer when it is closed."""

    async def talk() -> list[dict[str, Any]]:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket, asyncio.timeout(60):
            for message in messages:
                await socket.send_json(message)
            heard: list[dict[str, Any]] = []
            async for message in socket:
                heard.append(message.json())
                if len(heard) == wanted:
                    break
            return heard

    return asyncio.run(talk())


def test_a_combined_connection_names_the_stream_of_every_event(exchange):
    url = exchange.url.replace("http", "ws") + "/stream"
    answer, event = spoken(url, {"method": "SUBSCRIBE", "params": ["btcusdt@kline_5m"], "id": 3}, wanted=2)
    assert answer == {"result": None, "id": 3}
    assert (event["stream"], event["data"]["s"]) == ("btcusdt@kline_5m", "BTCUSDT")


def test_a_client_that_sends_too_much_is_cut_off(exchange, monkeypatch):
    monkeypatch.setattr(sockets, "time", SimpleNamespace(monotonic=lambda: 1000.0))  # all of it in one second
    url = exchange.url.replace("http", "ws") + "/stream/ws"
    heard = spoken(url, *({"method": "LIST_SUBSCRIPTIONS", "id": i} for i in range(7)), wanted=7)
    assert [answer["id"] for answer in heard] == [0, 1, 2, 3, 4]
