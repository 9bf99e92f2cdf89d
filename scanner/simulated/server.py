"""The loopback exchange: HTTP and websockets around a source, on a thread and loop of its own.

Everything that decides lies elsewhere (`binance`, `kucoin`, `weights`, `faults`); here requests are taken, counted,
weighed, spoilt when a test wants it, and answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections import Counter
from collections.abc import Sequence
from email.utils import formatdate

import orjson
from aiohttp import web

from scanner.clock import Clock, WallClock
from scanner.errors import Unreachable
from scanner.simulated import binance, kucoin, weights
from scanner.simulated.desk import Refused
from scanner.simulated.faults import Fault, Faults, clock_faults, delisted, market_time
from scanner.simulated.sockets import PATH, Sockets
from scanner.simulated.source import MarketSource
from scanner.simulated.spoil import before_answer, body_under, send
from scanner.simulated.streams import Board

_START_S = 10.0
_GRACE_S = 0.2  # for requests in flight, when the server stops


class SimulatedExchange:
    """An exchange on 127.0.0.1, speaking Binance spot's and KuCoin futures' public protocols.

    Parameters
    ----------
    source : MarketSource
        What is traded; asked from the server's thread only, once it runs.
    clock : Clock
        Market time: server time, candles and statistics follow it.
    limits : weights.Limits or None
        Request weights, counted in real time.
    real_time : Clock or None
        What weights are counted by; the wall clock unless a test turns it by hand.

    Use as a context manager, or call `start` and `stop`. `faults`, `requests` and `sockets` may be used from any
    thread. Binance's websocket streams are served under ``/stream/ws`` (raw) and ``/stream`` (combined).
    """

    def __init__(
        self,
        source: MarketSource,
        clock: Clock,
        *,
        limits: weights.Limits | None = None,
        real_time: Clock | None = None,
    ) -> None:
        self.source, self.clock = source, clock
        self.faults = Faults()
        self.requests: Counter[str] = Counter()  # by path; refused ones too
        self.weights: Counter[int] = Counter()  # Binance's, by minute since 1970
        self.refused: Counter[int] = Counter()  # by status, of those that asked for too much weight
        self._limits = limits or weights.Limits()
        self._real_time = real_time or WallClock()
        self._binance, self._kucoin = binance.desk(source), kucoin.desk(source)
        self._minute, self._window = weights.MinuteBudget(self._limits), weights.WindowBudget(self._limits)
        self.sockets = Sockets(self._board, clock.now_ms, clock.speed)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._port = 0
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as http://127.0.0.1:40123."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> SimulatedExchange:
        """Listen on a free port.

        Raises
        ------
        Unreachable
            It cannot listen.
        """
        if self.is_running:
            return self
        listening = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, args=(listening,), name="simulated-exchange", daemon=True)
        self._thread.start()
        if not listening.wait(_START_S) or self._failure is not None:
            self.stop()
            raise Unreachable(f"simulated exchange: cannot listen on 127.0.0.1: {self._failure}") from self._failure
        return self

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the server, its thread, tasks and sockets; False when that took longer than `timeout_s`."""
        thread, loop, ended = self._thread, self._loop, self._ended
        if thread is None:
            return True
        if loop is not None and ended is not None and thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop may end by itself in this moment
                loop.call_soon_threadsafe(ended.set)
        thread.join(timeout_s)
        if not thread.is_alive():
            self._thread = self._loop = self._ended = None
        return not thread.is_alive()

    def __enter__(self) -> SimulatedExchange:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _run(self, listening: threading.Event) -> None:
        try:
            asyncio.run(self._serve(listening))
        except OSError as error:
            self._failure = error
        finally:
            listening.set()

    async def _serve(self, listening: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_GRACE_S)
        await runner.setup()
        door = await self._loop.create_server(server, "127.0.0.1", 0)
        try:
            self._port = door.sockets[0].getsockname()[1]
            listening.set()
            await self._ended.wait()
            for socket in door.sockets:
                self._loop.remove_reader(socket)
            await _turns()  # a connection accepted at the last moment is lost if the door closes before it is in
        finally:
            door.close()
            transports = [connection.transport for connection in server.connections]
            await runner.cleanup()
            for transport in filter(None, transports):
                transport.abort()  # cleanup leaves one open whose client does not read its answer
            await _turns()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request: faults, then weight, then the answer."""
        self.requests[request.path] += 1
        present = self.faults.drawn(request.path)
        date = formatdate(market_time(clock_faults(present), self.clock.now_ms()) / 1000, usegmt=True)
        instead = await before_answer(request, present, self.faults)
        if instead is not None:
            instead.headers["Date"] = date
            return instead
        if request.path.startswith(PATH):
            return await self.sockets.serve(request, present)
        status, headers, body = self._weighed(request)
        if status:
            self.refused[status] += 1
        else:
            status, body = self._answered(request, present)
        return await send(request, status, headers | {"Date": date}, body_under(present, orjson.dumps(body)), present)

    def _board(self, now_ms: int, gone: frozenset[str]) -> Board:
        return Board(dataclasses.replace(self._binance, now_ms=now_ms, gone=gone))

    def _weighed(self, request: web.BaseRequest) -> tuple[int, dict[str, str], object]:
        """Status of a refusal or 0, headers that tell of weights, and the refusal's body."""
        now_s, path, query = self._real_time.now_ms() / 1000, request.path, request.query
        if path in kucoin.ROUTES:
            verdict = self._window.spend(weights.KUCOIN_WEIGHTS[path], now_s)
            return kucoin.weighed(verdict, self._limits.kucoin_weight, self._window.reset_ms(now_s))
        weight = weights.binance_weight(path, query.get("symbol"), query.get("symbols"))
        verdict = self._minute.spend(weight, now_s)
        self.weights[int(now_s // 60)] = verdict.used
        return binance.weighed(verdict, self._limits.binance_weight, now_s)

    def _answered(self, request: web.BaseRequest, present: Sequence[Fault]) -> tuple[int, object]:
        """Status and body, at the market time this request sees."""
        now_ms, gone = market_time(present, self.clock.now_ms()), delisted(present)
        protocol, desk = (kucoin, self._kucoin) if request.path in kucoin.ROUTES else (binance, self._binance)
        if request.path not in protocol.ROUTES:
            return 404, kucoin.trouble(404)
        try:
            seen = dataclasses.replace(desk, now_ms=now_ms, gone=gone)
            return 200, protocol.answer(request.path, request.query, seen)
        except Refused as refused:
            return refused.status, refused.body


async def _turns(count: int = 5) -> None:
    """Let the loop do what is already due."""
    for _ in range(count):
        await asyncio.sleep(0)
