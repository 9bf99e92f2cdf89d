"""Trying an exchange: does it list its markets?"""

from __future__ import annotations

import threading
import time

from scanner.clock import Clock
from scanner.errors import Unreachable
from scanner.gateway.gateway import Gateway
from scanner.gateway.specs import ExchangeSpec

COMMON = ("BTC/USDT", "BTC/USD", "BTC/USDC", "BTC/EUR", "ETH/USDT", "ETH/USD")  # every exchange of use has one
LOOK_S = 0.1


def try_exchange(spec: ExchangeSpec, clock: Clock, deadline_s: float, stopping: threading.Event) -> None:
    """Return as soon as the exchange has listed its markets.

    Raises
    ------
    Unreachable
        It has not within `deadline_s`, or `stopping` was set first; the message has the cause.
    """
    gateway = Gateway([spec], COMMON, clock, timeframes=["1h"])
    ends = time.monotonic() + deadline_s
    try:
        gateway.start()
        while not gateway.wait_ready(LOOK_S):
            if stopping.is_set() or time.monotonic() > ends:
                cause = gateway.states()[spec.id].cause
                raise Unreachable(cause or f"{spec.id}: has not listed its markets within {deadline_s:g} s")
    finally:
        gateway.stop()
