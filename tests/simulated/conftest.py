"""The loopback exchange for a test, and ccxt's own clients of it, closed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ccxt.async_support as ccxt
import pytest

from scanner.clock import ManualClock
from scanner.simulated import SimulatedExchange, binance_urls, generated, kucoinfutures_urls

NOW_MS = 1_790_000_123_456  # 2026-09-21 14:15:23.456 UTC, inside a 5m candle


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(scope="session")
def market():
    return generated(seed=1)


@pytest.fixture
def exchange_of(clock, market) -> Iterator[Callable[..., SimulatedExchange]]:
    """Build and start exchanges; the generated one on the hand-turned clock when nothing else is said."""
    running = []

    def build(source=market, at=clock, **settings: Any) -> SimulatedExchange:
        running.append(SimulatedExchange(source, at, **settings).start())
        return running[-1]

    yield build
    assert all(exchange.stop(60) for exchange in running)


@pytest.fixture
def exchange(exchange_of) -> SimulatedExchange:
    return exchange_of()


def ask(exchange: SimulatedExchange, job: Callable[[Any, Any], Awaitable[Any]], timeout_ms: int = 60_000) -> Any:
    """What `job(binance, kucoinfutures)` returns, run with ccxt's real classes against `exchange`."""

    async def run() -> Any:
        binance, kucoin = _binance(exchange.url, timeout_ms), _kucoin(exchange.url, timeout_ms)
        binance.timeout_on_exit = kucoin.timeout_on_exit = 0  # ms that closing waits for TLS, which loopback has not
        try:
            return await job(binance, kucoin)
        finally:
            await binance.close()
            await kucoin.close()

    return asyncio.run(run())


def _binance(url: str, timeout_ms: int) -> Any:
    types = {"fetchMarkets": {"types": ["spot"]}}
    client = ccxt.binance({"enableRateLimit": False, "timeout": timeout_ms, "options": types})
    client.urls["api"].update(binance_urls(url))
    return client


def _kucoin(url: str, timeout_ms: int) -> Any:
    client = ccxt.kucoinfutures({"enableRateLimit": False, "timeout": timeout_ms})
    client.urls["api"].update(kucoinfutures_urls(url))
    return client
