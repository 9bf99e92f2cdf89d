"""Request weights as the real exchanges count them: in real time, however fast market time runs."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one client may ask for; the defaults are the exchanges' own for an address without an account."""

    binance_weight: int = 6000  # in each fixed minute
    binance_patience: int = 20  # refused requests in a row until the address is banned
    binance_ban_s: int = 120
    kucoin_weight: int = 2000  # in each window
    kucoin_window_s: int = 30


@dataclass(frozen=True)
class Verdict:
    """Whether a request may go on; `wait_s` is how long to stay away when it may not."""

    allowed: bool
    used: int
    wait_s: int = 0
    banned: bool = False


class MinuteBudget:
    """Binance: weight per fixed minute, and a ban for who goes on asking."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._minute, self._used, self._refused = -1, 0, 0
        self._banned_until = 0.0

    def spend(self, weight: int, now_s: float) -> Verdict:
        if int(now_s // 60) != self._minute:
            self._minute, self._used, self._refused = int(now_s // 60), 0, 0
        if now_s < self._banned_until:
            return Verdict(False, self._used, _whole(self._banned_until - now_s), banned=True)
        self._used += weight
        if self._used <= self._limits.binance_weight:
            return Verdict(True, self._used)
        self._refused += 1
        if self._refused > self._limits.binance_patience:
            self._banned_until = now_s + self._limits.binance_ban_s
            return Verdict(False, self._used, self._limits.binance_ban_s, banned=True)
        return Verdict(False, self._used, _whole((self._minute + 1) * 60 - now_s))


class WindowBudget:
    """KuCoin: weight per window, which starts with the first request after the last one ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._started, self._used = float("-inf"), 0

    def spend(self, weight: int, now_s: float) -> Verdict:
        if now_s - self._started >= self._limits.kucoin_window_s:
            self._started, self._used = now_s, 0
        if self._used + weight > self._limits.kucoin_weight:
            return Verdict(False, self._used, _whole(self.reset_ms(now_s) / 1000))
        self._used += weight
        return Verdict(True, self._used)

    def reset_ms(self, now_s: float) -> int:
        """Until the window ends."""
        return max(0, int((self._started + self._limits.kucoin_window_s - now_s) * 1000))


BINANCE_WEIGHTS = {
    "/api/v3/ping": 1,
    "/api/v3/time": 1,
    "/api/v3/exchangeInfo": 20,
    "/api/v3/klines": 2,
    "/sapi/v1/system/status": 1,
}
KUCOIN_WEIGHTS = {
    "/api/v3/currencies": 3,
    "/api/v1/contracts/active": 3,
    "/api/v1/kline/query": 3,
    "/api/v1/allTickers": 5,
    "/api/v1/ticker": 2,
    "/api/v1/timestamp": 2,
    "/api/v1/status": 4,
}


def binance_weight(path: str, symbol: str | None, symbols: str | None) -> int:
    """Weight of a request, from its path and the parameters that name markets."""
    if path == "/api/v3/ticker/24hr":
        return 2 if symbol else _by_count(symbols)
    if path in ("/api/v3/ticker/price", "/api/v3/ticker/bookTicker"):
        return 2 if symbol else 4
    return BINANCE_WEIGHTS.get(path, 1)


def _by_count(symbols: str | None) -> int:
    """24 h statistics: 2 for up to 20 markets, 40 for up to 100, 80 for more or all."""
    try:
        count = len(json.loads(symbols)) if symbols else 1000
    except (ValueError, TypeError):
        return 2
    return 2 if count <= 20 else 40 if count <= 100 else 80


def _whole(seconds: float) -> int:
    return max(1, int(-(-seconds // 1)))
