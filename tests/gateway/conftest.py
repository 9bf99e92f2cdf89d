"""The double, and a gateway that is always stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scanner.clock import ManualClock
from scanner.gateway import ExchangeSpec, Gateway
from tests.gateway.double import NOW_MS, Double

SYMBOLS = ("BTC/USDT", "ETH/USDT")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture
def double() -> Iterator[Double]:
    double = Double().start()
    yield double
    double.stop()


@pytest.fixture
def gateway_of() -> Iterator[Callable[..., Gateway]]:
    """Build and start a gateway on given exchanges; patient ones, unless a test is about what hangs."""
    built: list[Gateway] = []

    def build(*specs: ExchangeSpec, symbols: tuple[str, ...] = SYMBOLS, ready: bool = True, **settings: Any) -> Gateway:
        settings = {"timeframes": ["5m", "1h"]} | settings
        gateway = Gateway(specs, symbols, ManualClock(NOW_MS), **settings)
        built.append(gateway)
        gateway.start()
        if ready:
            assert gateway.wait_ready(30)
        return gateway

    yield build
    for gateway in built:
        gateway.stop()
