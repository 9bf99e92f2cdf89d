"""The websockets of the loopback exchange: one task for each connection, around `streams`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import orjson
from aiohttp import WSMsgType, web

from scanner.simulated.faults import CloseAfter, Fault, HalfDead, Repeating, Reset, Silent, delisted, market_time
from scanner.simulated.spoil import cut
from scanner.simulated.streams import MOST_MESSAGES, Board, Message, Subscriptions

PATH = "/stream"  # every path of a websocket begins so
RAW = "/stream/ws"  # events as they are; elsewhere wrapped together with the name of their stream
EVERY_S = 1.0  # market seconds between two looks for news
SHORTEST_S = 0.05  # real seconds; faster would be all the machine does


@dataclass(eq=False)
class _Connection:
    """One client: what it is subscribed to and what it suffers from."""

    faults: tuple[Fault, ...]
    began: float
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    heard: deque[float] = field(default_factory=lambda: deque(maxlen=4096))  # when messages came, real seconds

    def suffers(self, kind: type[Fault]) -> bool:
        return any(isinstance(fault, kind) for fault in self.faults)

    @property
    def ends(self) -> float:
        """Real time at which the exchange closes it."""
        return min((self.began + f.seconds for f in self.faults if isinstance(f, CloseAfter)), default=float("inf"))


class Sockets:
    """All websockets of one exchange. `strike`, `open` and `messages` may be used from any thread.

    Parameters
    ----------
    board : callable
        The spot desk at a market time, without the symbols that are gone.
    now_ms : callable
        Market time.
    speed : float
        Market seconds per real second: news come, and messages may be sent, so many times as often.
    """

    def __init__(self, board: Callable[[int, frozenset[str]], Board], now_ms: Callable[[], int], speed: float) -> None:
        self._board_at, self._now_ms = board, now_ms
        self._pause_s = max(EVERY_S / speed, SHORTEST_S)
        self._most_messages = max(1, int(MOST_MESSAGES * max(speed, 1.0)))
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._shared: tuple[float, Board] | None = None
        self.busiest = 0  # most messages any client sent within a second

    @property
    def open(self) -> int:
        """Connections now."""
        with self._lock:
            return len(self._open)

    @property
    def streams(self) -> list[list[str]]:
        """Names of the streams of every connection."""
        with self._lock:
            return [list(connection.subscriptions.streams) for connection in self._open]

    def strike(self, fault: Fault) -> None:
        """Every connection that is open now suffers from `fault` until it ends; those to come do not."""
        with self._lock:
            for connection in self._open:
                connection.faults = (*connection.faults, fault)
                if isinstance(fault, HalfDead):
                    connection.subscriptions.strike(symbol.replace("/", "") for symbol in fault.symbols)

    async def serve(self, request: web.BaseRequest, present: Iterable[Fault]) -> web.StreamResponse:
        """Take a connection and keep it until either side ends it."""
        socket = web.WebSocketResponse()
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # who asked has gone meanwhile
            return socket
        connection = _Connection(tuple(present), time.monotonic())
        with self._lock:
            self._open.add(connection)
        telling = asyncio.create_task(self._tell(request, socket, connection))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT and not await self._hear(socket, connection, message.data):
                    break
        finally:
            telling.cancel()
            with self._lock:
                self._open.discard(connection)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, connection: _Connection, text: str) -> bool:
        """Answer one message; False when there were too many."""
        now = time.monotonic()
        connection.heard.append(now)
        recent = sum(at > now - 1.0 for at in connection.heard)
        self.busiest = max(self.busiest, recent)
        if recent > self._most_messages:
            await socket.close(code=1008, message=b"Too many requests")
            return False
        with self._lock:
            answer = connection.subscriptions.asked(text)
        await socket.send_str(orjson.dumps(answer).decode())
        return True

    async def _tell(self, request: web.BaseRequest, socket: web.WebSocketResponse, connection: _Connection) -> None:
        """News, as long as the connection lasts."""
        wrapped = not request.path.startswith(RAW)
        while not socket.closed:
            if connection.suffers(Reset):
                cut(request)
                return
            if time.monotonic() >= connection.ends:
                await socket.close(code=1001, message=b"Connection lifetime reached")
                return
            for name, event in self._news(connection):
                text = orjson.dumps({"stream": name, "data": event} if wrapped else event).decode()
                try:
                    await socket.send_str(text)
                except ConnectionError:
                    return
            await asyncio.sleep(self._pause_s)

    def _news(self, connection: _Connection) -> Iterator[tuple[str, Message]]:
        """What this connection is told now, collected before any of it is sent."""
        if connection.suffers(Silent):
            return iter(())
        with self._lock:
            if connection.suffers(Repeating):
                return iter(list(connection.subscriptions.again()))
            return iter(list(connection.subscriptions.events(self._board(connection.faults))))

    def _board(self, faults: tuple[Fault, ...]) -> Board:
        """The market as a connection under `faults` sees it; without any, one view serves all for a moment."""
        if faults:
            return self._board_at(market_time(faults, self._now_ms()), delisted(faults))
        now = time.monotonic()
        if self._shared is None or now - self._shared[0] > self._pause_s / 2:
            self._shared = (now, self._board_at(self._now_ms(), frozenset()))
        return self._shared[1]
