"""A loopback exchange: Binance spot's and KuCoin futures' public protocols over generated or recorded candles.

::

    source = generated(seed=1)                      # or recorded("candles.parquet")
    with SimulatedExchange(source, ScaledClock(start_ms, speed=60)) as exchange:
        client.urls["api"].update(binance_urls(exchange.url))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scanner.simulated.generated import GeneratedMarkets
from scanner.simulated.market import COINS
from scanner.simulated.replay import Recording
from scanner.simulated.server import SimulatedExchange
from scanner.simulated.sockets import RAW
from scanner.simulated.source import Listing, MarketSource, Series, Statistics
from scanner.simulated.weights import Limits

__all__ = [
    "GeneratedMarkets",
    "Limits",
    "Listing",
    "MarketSource",
    "Recording",
    "Series",
    "SimulatedExchange",
    "Statistics",
    "binance_urls",
    "generated",
    "kucoinfutures_urls",
    "recorded",
]

_BINANCE_PATHS = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
    "dapiPublic": "/dapi/v1",
    "dapiPrivate": "/dapi/v1",
    "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/futures/data",
    "eapiPublic": "/eapi/v1",
    "eapiPrivate": "/eapi/v1",
    "papi": "/papi/v1",
    "papiV2": "/papi/v2",
}
_BINANCE_STREAMS = ("spot", "margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")
_KUCOIN_APIS = (
    "public",
    "private",
    "futuresPublic",
    "futuresPrivate",
    "webExchange",
    "broker",
    "earn",
    "uta",
    "utaV2",
    "utaPrivate",
)


def generated(seed: int = 1, markets: int = len(COINS)) -> GeneratedMarkets:
    """The generated market: the usual coins, and synthetic ones where more `markets` are asked for."""
    return GeneratedMarkets(seed, markets)


def recorded(path: str | Path, symbols: list[str] | None = None) -> Recording:
    """Recorded candles from a Parquet file or a folder of them; see `Recording.load`."""
    return Recording.load(path, symbols)


def binance_urls(url: str) -> dict[str, Any]:
    """What to merge into `urls["api"]` of a ccxt `binance`: every API, so that none reaches the real one."""
    streams = url.replace("http", "ws", 1) + RAW
    return {api: url + path for api, path in _BINANCE_PATHS.items()} | {"ws": dict.fromkeys(_BINANCE_STREAMS, streams)}


def kucoinfutures_urls(url: str) -> dict[str, str]:
    """The same for a ccxt `kucoinfutures`."""
    return dict.fromkeys(_KUCOIN_APIS, url)
