"""One connection to an exchange's streams, by a ccxt.pro instance of its own.

ccxt keeps what comes in its caches whether or not somebody waits for it, so the caches are read and nothing is
awaited per message: waiting for one of many markets costs the more the more there are, and loses updates between two
waits. Each connection has its own instance: closing it ends exactly that connection, and none shares another's limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ccxt.pro as ccxt

from scanner.gateway.connection import OPTIONS, ssl_context
from scanner.gateway.push.kept import Row, Ticker
from scanner.gateway.push.limits import MESSAGES_PER_S, PER_MESSAGE, portions
from scanner.gateway.push.watchdog import Cause
from scanner.gateway.specs import ExchangeSpec

log = logging.getLogger(__name__)

CANDLES_KEPT = 6  # by ccxt, of each market
CLOSE_S = 0.5  # for a goodbye; after that the socket is dropped
UNSUBSCRIBE_S = 2.0  # for the exchange to say that it has
OPTIONS_PUSH: dict[str, dict[str, Any]] = {
    # the full ticker of each market: the small one has no bid and ask
    exchange: {"watchTickers": {"name": "ticker"}}
    for exchange in ("binance", "binanceus", "binanceusdm", "binancecoinm")
}
MALFORMED = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, ccxt.BaseError)


def why_not(spec: ExchangeSpec) -> str | None:
    """Why this exchange cannot push prices and candles; None when it can."""
    if spec.ccxt_id not in ccxt.exchanges:
        return "has no websocket in ccxt"
    if spec.urls is not None and spec.simulated and "ws" not in spec.urls:
        return "has no websocket"
    has = getattr(ccxt, spec.ccxt_id)().has
    for call, what in (("watchTickers", "prices"), ("watchOHLCV", "candles")):
        if not has.get(call):
            return f"does not push {what}"
    return None


class Wire:
    """A connection and the listed symbols it watches; everything on the gateway's loop.

    Attributes
    ----------
    heard_at : float
        Steady time of the last message, of whatever content.
    broken : Cause or None
        Why the connection has ended.
    """

    def __init__(
        self, spec: ExchangeSpec, markets_of: Any, timeframe: str, timeout_s: float, steady: Callable[[], float]
    ) -> None:
        self.timeframe, self.steady = timeframe, steady
        self.heard_at = float("-inf")
        self.broken: Cause | None = None
        self.detail = ""
        self._pace_s = 1.0 / MESSAGES_PER_S / spec.pace
        self._waits: set[asyncio.Task[Any]] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._markets_of = markets_of
        self._exchange = _connect(spec, timeout_s, self._heard, self._dropped)

    async def subscribe(self, prices: Sequence[str], candles: Sequence[str]) -> None:
        """Ask for streams, a few in each message; returns when all were asked for, or the connection broke."""
        self._exchange.set_markets_from_exchange(self._markets_of)
        calls = [(self._watch_prices, part) for part in portions(prices, PER_MESSAGE)]
        calls += [(self._watch_candles, part) for part in portions(candles, PER_MESSAGE)]
        for watch, part in calls:
            if self.broken is not None:
                return
            self._wait_for(watch(part))
            await self._connected()
            await asyncio.sleep(self._pace_s)

    async def unsubscribe(self, prices: Sequence[str], candles: Sequence[str]) -> bool:
        """Ask for an end of streams; False when the exchange did not say that they ended."""
        has = self._exchange.has
        if (prices and not has.get("unWatchTickers")) or (candles and not has.get("unWatchOHLCVForSymbols")):
            return False
        calls = [(self._exchange.un_watch_tickers, part) for part in portions(prices, PER_MESSAGE)]
        pairs = [[symbol, self.timeframe] for symbol in candles]
        calls += [(self._exchange.un_watch_ohlcv_for_symbols, part) for part in portions(pairs, PER_MESSAGE)]  # type: ignore[arg-type]
        try:
            for end, part in calls:
                async with asyncio.timeout(UNSUBSCRIBE_S):
                    await end(part)
                await asyncio.sleep(self._pace_s)
        except (TimeoutError, *MALFORMED):
            return False
        return self.broken is None

    def tickers(self, symbols: Iterable[str]) -> Iterator[tuple[str, Ticker]]:
        """What ccxt holds of these, new or not."""
        held: Mapping[str, Ticker] = self._exchange.tickers or {}
        return ((symbol, held[symbol]) for symbol in symbols if symbol in held)

    def candles(self, symbols: Iterable[str]) -> Iterator[tuple[str, Sequence[Row]]]:
        """The newest rows ccxt holds of these, new or not."""
        held: Mapping[str, Any] = self._exchange.ohlcvs or {}
        for symbol in symbols:
            rows = held.get(symbol, {}).get(self.timeframe)
            if rows:
                yield symbol, [*rows][-3:]

    async def close(self) -> None:
        """End the connection, politely if that is quick."""
        self._dropped(Cause.CLOSED, "by us")
        for wait in self._waits:
            wait.cancel()
        clients, self._exchange.clients = list((self._exchange.clients or {}).values()), {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*(client.close() for client in clients), return_exceptions=True)
        await self._exchange.close()

    async def _connected(self) -> None:
        """Wait until the connections asked for are open, or could not be opened."""
        await asyncio.sleep(0)
        while not self._ended.done():
            dialling = [c.connected for c in (self._exchange.clients or {}).values() if not c.connected.done()]
            if not dialling:
                return
            await asyncio.wait([*dialling, self._ended], return_when=asyncio.FIRST_COMPLETED)

    def _watch_prices(self, symbols: list[str]) -> Any:
        return self._exchange.watch_tickers(symbols)

    async def _watch_candles(self, symbols: list[str]) -> Any:
        if self._exchange.has.get("watchOHLCVForSymbols"):
            return await self._exchange.watch_ohlcv_for_symbols([[symbol, self.timeframe] for symbol in symbols])
        calls = (self._exchange.watch_ohlcv(symbol, self.timeframe) for symbol in symbols)
        return await asyncio.gather(*calls)

    def _wait_for(self, first: Any) -> None:
        """Let a watch wait for its first data; it keeps its subscription whether or not they come."""
        wait = asyncio.ensure_future(first)
        self._waits.add(wait)
        wait.add_done_callback(self._waited)

    def _waited(self, wait: asyncio.Task[Any]) -> None:
        self._waits.discard(wait)
        if wait.cancelled():
            return
        error = wait.exception()
        if error is not None and not isinstance(error, ccxt.UnsubscribeError):
            self._dropped(Cause.REFUSED, repr(error))

    def _heard(self) -> None:
        self.heard_at = self.steady()

    def _dropped(self, cause: Cause, detail: str) -> None:
        if self.broken is None:
            self.broken, self.detail = cause, detail
        if not self._ended.done():
            self._ended.set_result(None)


class _Wired:
    """Mixed in before a ccxt.pro class: tells of messages and of the end, and survives what it cannot read."""

    heard: Callable[[], None]
    dropped: Callable[[Cause, str], None]

    def handle_message(self, client: Any, message: object) -> None:
        """ccxt's own; an error in it would end the reading of a connection that looks alive."""
        self.heard()
        parent: Any = super()
        try:
            parent.handle_message(client, message)
        except MALFORMED as error:
            log.debug("unreadable message: %r", error)

    def client(self, url: str) -> Any:
        """ccxt's own; a dial called off before it began would leave a coroutine that nobody awaits."""
        parent: Any = super()
        client = parent.client(url)
        if "create_connection" not in vars(client):
            client.create_connection = functools.partial(_dial, client.create_connection)
        return client

    def on_error(self, client: Any, error: object) -> None:
        parent: Any = super()
        refused = bool(client.dial_failed)
        parent.on_error(client, error)
        self.dropped(Cause.REFUSED if refused else Cause.CLOSED, str(error))

    def on_close(self, client: Any, code: object) -> None:
        parent: Any = super()
        parent.on_close(client, code)
        self.dropped(Cause.CLOSED, f"code {code}")


class _OneStream:
    """Mixed in before Binance's classes, which open a connection for every set of symbols: one for all is enough."""

    def stream(self, *_: object, **__: object) -> str:
        return "0"


def _connect(
    spec: ExchangeSpec, timeout_s: float, heard: Callable[[], None], dropped: Callable[[Cause, str], None]
) -> Any:
    options = OPTIONS.get(spec.ccxt_id, {}) | OPTIONS_PUSH.get(spec.ccxt_id, {}) | {"OHLCVLimit": CANDLES_KEPT}
    exchange = _wired_class(spec.ccxt_id)(
        {
            "enableRateLimit": False,  # paced here, once the connection is open
            "timeout": int(timeout_s * 1000),
            "options": options,
            "aiohttp_trust_env": not spec.simulated,
        }
    )
    exchange.heard, exchange.dropped = heard, dropped
    exchange.streaming = {**exchange.streaming, "connectionTimeout": 1000 * max(1, round(timeout_s))}  # whole seconds
    exchange.has["fetchCurrencies"] = False
    exchange.ssl_context = ssl_context()
    exchange.timeout_on_exit = 0
    if spec.urls is not None:
        kept = {} if spec.simulated else dict(exchange.urls["api"])
        exchange.urls["api"] = kept | dict(spec.urls)
    return exchange


async def _dial(connect: Callable[[Any], Any], session: Any) -> Any:
    return await connect(session)


@functools.cache
def _wired_class(ccxt_id: str) -> Any:
    base = getattr(ccxt, ccxt_id)
    single = (_OneStream,) if issubclass(base, ccxt.binance) else ()
    return type(f"Wired_{ccxt_id}", (_Wired, *single, base), {})
