"""A tiny exchange on loopback: just enough of the REST of Binance spot and KuCoin futures, and faults on order.

Prices and candles follow from the symbol and the open time alone: candle i of symbol k opens at 100 k + i mod 50.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from scanner.gateway.loop import LoopThread
from scanner.gateway.specs import ExchangeSpec

NOW_MS = 1_700_000_100_000  # market time of the double: 20 minutes into an hour, on a 5m boundary
COINS = ("BTC", "ETH", "SOL")
FRAMES_MS = {"5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
LOTS = 0.001  # base currency per KuCoin contract

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def candle(coin: str, open_ms: int, frame_ms: int) -> list[float]:
    """[open time, open, high, low, close, volume in base currency]."""
    price = 100.0 * (COINS.index(coin) + 1) + open_ms // frame_ms % 50
    return [open_ms, price, price + 2, price - 2, price + 1, 7.0]


def candles(coin: str, since_ms: int, count: int, frame_ms: int) -> list[list[float]]:
    """Up to the one forming at NOW_MS."""
    first = -(-since_ms // frame_ms)
    times = [(first + i) * frame_ms for i in range(count)]
    return [candle(coin, time, frame_ms) for time in times if time <= NOW_MS]


class Double:
    """Runs in a thread of its own. `faults` maps the start of a path to what happens instead of an answer."""

    def __init__(self) -> None:
        self.faults: dict[str, Fault] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.headers: dict[str, str] = {}
        self.edit: Callable[[str, Any], Any] = lambda path, answer: answer
        self.status = dict.fromkeys(COINS, "TRADING")
        self._loop = LoopThread("double")

    def start(self) -> Double:
        self._loop.start()
        self.port = self._loop.submit(self._serve()).result(30)
        return self

    def stop(self) -> None:
        self._loop.stop(30, self._runner.cleanup)

    async def _serve(self) -> int:
        app = web.Application(middlewares=[self._front])
        app.on_response_prepare.append(_date)
        app.router.add_get("/api/v3/exchangeInfo", self._exchange_info)
        app.router.add_get("/api/v3/ticker/price", self._last_prices)
        app.router.add_get("/api/v3/ticker/24hr", self._statistics)
        app.router.add_get("/api/v3/klines", self._klines)
        app.router.add_get("/api/v1/contracts/active", self._contracts)
        app.router.add_get("/api/v1/allTickers", self._all_tickers)
        app.router.add_get("/api/v1/kline/query", self._kline_query)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    @property
    def binance(self) -> ExchangeSpec:
        return ExchangeSpec("binance", "binance", {"public": f"http://127.0.0.1:{self.port}/api/v3"}, simulated=True)

    @property
    def kucoin(self) -> ExchangeSpec:
        urls = {"futuresPublic": f"http://127.0.0.1:{self.port}"}
        return ExchangeSpec("kucoinfutures", "kucoinfutures", urls, simulated=True)

    def paths(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.calls]

    @web.middleware
    async def _front(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.path, dict(request.query)))
        for start, fault in list(self.faults.items()):
            if request.path.startswith(start):
                return await fault(request)
        answer = self.edit(request.path, await handler(request))
        return web.json_response(answer, headers=self.headers)

    # Binance spot

    async def _exchange_info(self, request: web.Request) -> Any:
        symbols = [
            {
                "symbol": f"{coin}USDT",
                "status": self.status[coin],
                "baseAsset": coin,
                "quoteAsset": "USDT",
                "isSpotTradingAllowed": True,
                "permissions": ["SPOT"],
                "filters": [],
            }
            for coin in self.status
        ]
        return {"timezone": "UTC", "serverTime": NOW_MS, "rateLimits": [], "symbols": symbols}

    async def _last_prices(self, request: web.Request) -> Any:
        return [{"symbol": f"{coin}USDT", "price": f"{100 * (i + 1)}.5"} for i, coin in enumerate(COINS)]

    async def _statistics(self, request: web.Request) -> Any:
        named = json.loads(request.query.get("symbols", "null"))
        answer = [
            {
                "symbol": f"{coin}USDT",
                "lastPrice": f"{100 * (i + 1)}.5",
                "bidPrice": f"{100 * (i + 1)}.4",
                "askPrice": f"{100 * (i + 1)}.6",
                "quoteVolume": "5000",
            }
            for i, coin in enumerate(COINS)
        ]
        return [ticker for ticker in answer if named is None or ticker["symbol"] in named]

    async def _klines(self, request: web.Request) -> Any:
        ask, frame_ms = request.query, FRAMES_MS[request.query["interval"]]
        count = min(int(ask["limit"]), 1000)
        rows = candles(ask["symbol"].removesuffix("USDT"), int(ask["startTime"]), count, frame_ms)
        return [[int(row[0]), *(str(field) for field in row[1:]), 0, "0", 0, "0", "0", "0"] for row in rows]

    # KuCoin futures

    async def _contracts(self, request: web.Request) -> Any:
        contracts = [
            {
                "symbol": f"{'XBT' if coin == 'BTC' else coin}USDTM",
                "baseCurrency": "XBT" if coin == "BTC" else coin,
                "quoteCurrency": "USDT",
                "settleCurrency": "USDT",
                "multiplier": LOTS,
                "lotSize": 1,
                "tickSize": 0.1,
                "isInverse": False,
                "status": "Open",
                "nextFundingRateTime": 1,
                "lastTradePrice": 100.5 * (i + 1),
                "turnoverOf24h": 9000.0,
            }
            for i, coin in enumerate(COINS)
        ]
        return {"code": "200000", "data": contracts}

    async def _all_tickers(self, request: web.Request) -> Any:
        tickers = [
            {"symbol": f"{coin}USDTM", "price": "100.5", "bestBidPrice": "100.4", "bestAskPrice": "100.6", "ts": NOW_MS}
            for coin in ("XBT", *COINS[1:])
        ]
        return {"code": "200000", "data": tickers}

    async def _kline_query(self, request: web.Request) -> Any:
        ask, frame_ms = request.query, int(request.query["granularity"]) * 60_000
        coin = ask["symbol"].removesuffix("USDTM").replace("XBT", "BTC")
        count = min((int(ask["to"]) - int(ask["from"])) // frame_ms + 1, 200)
        rows = candles(coin, int(ask["from"]), count, frame_ms)
        return {"code": "200000", "data": [[*row[:5], round(row[5] / LOTS)] for row in rows]}


async def _date(request: web.Request, answer: web.StreamResponse) -> None:
    answer.headers["Date"] = formatdate(NOW_MS / 1000, usegmt=True)


def status(code: int, body: str = "{}", **headers: str) -> Fault:
    """Answer with this status; ``retry_after="7"`` becomes the header Retry-After."""

    async def fault(request: web.Request) -> web.StreamResponse:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=body, headers=names, content_type="application/json")

    return fault


def says(body: str, content_type: str = "application/json") -> Fault:
    async def fault(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type=content_type)

    return fault


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def broken_off(request: web.Request) -> web.StreamResponse:
    """Half an answer, then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'[{"symbol": "BTCUSDT", ')
    assert request.transport is not None
    request.transport.close()
    return response
