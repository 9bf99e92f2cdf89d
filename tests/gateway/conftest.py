"""The double, a gateway that is always stopped, and a check that nothing stays behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scanner.clock import ManualClock
from scanner.gateway import ExchangeSpec, Gateway
from tests.gateway.double import NOW_MS, Double

SYMBOLS = ("BTC/USDT", "ETH/USDT")


def wait_for(condition: Callable[[], object], deadline_s: float = 10.0) -> None:
    """Return when `condition` holds; fail at the deadline."""
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, "condition did not come true in time"
        time.sleep(0.01)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    wait_for(lambda: set(threading.enumerate()) <= threads, 3)


@pytest.fixture
def double() -> Iterator[Double]:
    double = Double().start()
    yield double
    double.stop()


@pytest.fixture
def gateway_of() -> Iterator[Callable[..., Gateway]]:
    """Build and start a gateway on given exchanges; by default quick ones, so that tests are."""
    built: list[Gateway] = []

    def build(*specs: ExchangeSpec, symbols: tuple[str, ...] = SYMBOLS, ready: bool = True, **settings: Any) -> Gateway:
        settings = {"timeframes": ["5m", "1h"], "timeout_s": 1.0, "price_interval_s": 0.2} | settings
        gateway = Gateway(specs, symbols, ManualClock(NOW_MS), **settings)
        built.append(gateway)
        gateway.start()
        if ready:
            assert gateway.wait_ready(10)
        return gateway

    yield build
    for gateway in built:
        gateway.stop()
