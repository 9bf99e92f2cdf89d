"""Binance spot's websocket streams: who is subscribed to what, and what each subscriber gets to see. No I/O.

A stream tells only what has changed, as the real one does: a market nobody trades is silent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scanner.simulated.binance import ROUTES
from scanner.simulated.desk import Desk, Refused
from scanner.timeframes import LENGTH_MS

MOST_STREAMS = 1024  # of one connection
MOST_MESSAGES = 5  # of a client in one second

Message = dict[str, Any]


class Board:
    """A desk at one moment, with the statistics of all markets worked out at most once."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.now_ms = desk, desk.now_ms

    @cached_property
    def days(self) -> dict[str, Message]:
        """24 h statistics by market id, as the REST protocol gives them."""
        rows: Any = ROUTES["/api/v3/ticker/24hr"]({}, self.desk)
        return {row["symbol"]: row for row in rows}


@dataclass
class Subscriptions:
    """What one connection is subscribed to, and what it was told last."""

    streams: dict[str, Message | None] = field(default_factory=dict)  # name -> last event, without its time
    deaf: set[str] = field(default_factory=set)  # subscribed and acknowledged, yet nothing comes

    def asked(self, text: str) -> Message:
        """The answer to one message of the client."""
        try:
            message = json.loads(text)
            method, names, number = message["method"], message.get("params") or [], message.get("id")
        except (ValueError, KeyError, TypeError):
            return {"error": {"code": 2, "msg": "Invalid request: malformed message"}, "id": None}
        if method == "SUBSCRIBE":
            return self._subscribe(names, number)
        if method == "UNSUBSCRIBE":
            for name in names:
                self.streams.pop(name, None)
                self.deaf.discard(name)
            return {"result": None, "id": number}
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(self.streams), "id": number}
        return {"error": {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}, "id": number}

    def _subscribe(self, names: Iterable[str], number: object) -> Message:
        wanted = [name for name in names if name not in self.streams]
        if len(self.streams) + len(wanted) > MOST_STREAMS:
            return {"error": {"code": 2, "msg": "Invalid request: too many streams"}, "id": number}
        self.streams.update(dict.fromkeys(wanted))
        return {"result": None, "id": number}

    def strike(self, symbols: Iterable[str]) -> None:
        """The streams of these ids (BTCUSDT) go dead until they are subscribed to anew."""
        ids = {symbol.lower() for symbol in symbols}
        self.deaf |= {name for name in self.streams if name.partition("@")[0] in ids}

    def events(self, at: Board) -> Iterator[tuple[str, Message]]:
        """What has changed since the last call: stream and event."""
        for name in [*self.streams]:
            if name in self.deaf:
                continue
            for event in _news(name, self.streams[name], at):
                self.streams[name] = event
                yield name, _stamped(event, at.now_ms)

    def again(self) -> Iterator[tuple[str, Message]]:
        """What was told last, once more, with the times it had."""
        for name, event in self.streams.items():
            if event is not None and name not in self.deaf:
                yield name, _stamped(event, event["told_ms"])


def _news(name: str, last: Message | None, at: Board) -> Iterator[Message]:
    """Events of one stream that are not `last`; none for a stream there is not, which is accepted and silent."""
    market_id, _, channel = name.partition("@")
    for event in _events(market_id.upper(), channel, last, at):
        if last is None or _content(event) != _content(last):
            yield event | {"told_ms": at.now_ms}


def _events(market_id: str, channel: str, last: Message | None, at: Board) -> list[Message]:
    """What a stream has to tell now; nothing when there is no such market, or it has no candle yet."""
    if at.desk.find(market_id) is None:
        return []
    if channel.startswith("kline_"):
        try:
            return _klines(market_id, channel.removeprefix("kline_"), last, at.desk)
        except Refused:
            return []
    day = at.days.get(market_id) if channel in ("ticker", "miniTicker") else None
    return [] if day is None else [_ticker(day, channel)]


def _klines(market_id: str, interval: str, last: Message | None, at: Desk) -> list[Message]:
    """The candle now forming, after those that have closed since the last event; at first the newest one alone."""
    if interval not in at.source.timeframes:
        return []
    query = {"symbol": market_id, "interval": interval}
    query |= {"limit": "1"} if last is None else {"startTime": str(last["k"]["t"]), "limit": "1000"}
    rows: Any = ROUTES["/api/v3/klines"](query, at)
    return [_kline(market_id, interval, row, at.now_ms) for row in rows]


def _kline(market_id: str, interval: str, row: list[Any], now_ms: int) -> Message:
    opened, o, h, low, c, volume, _, turnover, trades, *_ = row
    closed_ms = opened + LENGTH_MS[interval]
    candle = {
        "t": opened, "T": closed_ms - 1, "s": market_id, "i": interval, "f": 0, "L": trades, "o": o, "c": c, "h": h,
        "l": low, "v": volume, "n": trades, "x": closed_ms <= now_ms, "q": turnover, "V": row[9], "Q": row[10],
        "B": "0",
    }  # fmt: skip
    return {"e": "kline", "s": market_id, "k": candle}


def _ticker(day: Message, channel: str) -> Message:
    mini = {
        "s": day["symbol"], "c": day["lastPrice"], "o": day["openPrice"], "h": day["highPrice"], "l": day["lowPrice"],
        "v": day["volume"], "q": day["quoteVolume"],
    }  # fmt: skip
    if channel == "miniTicker":
        return {"e": "24hrMiniTicker"} | mini
    full = {
        "p": day["priceChange"], "P": day["priceChangePercent"], "w": day["weightedAvgPrice"],
        "x": day["prevClosePrice"], "Q": day["lastQty"], "b": day["bidPrice"], "B": day["bidQty"], "a": day["askPrice"],
        "A": day["askQty"], "F": day["firstId"], "L": day["lastId"], "n": day["count"],
    }  # fmt: skip
    return {"e": "24hrTicker"} | mini | full


def _content(event: Message) -> Message:
    return {key: value for key, value in event.items() if key != "told_ms"}


def _stamped(event: Message, now_ms: int) -> Message:
    times = {"E": now_ms} if event["e"] != "24hrTicker" else {"E": now_ms, "O": now_ms - LENGTH_MS["1d"], "C": now_ms}
    return _content(event) | times
