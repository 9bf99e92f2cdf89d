"""Rows of a full scan, and a scan that gives them: what base routes are tested with, quickly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from scanner.errors import Unreachable
from scanner.gateway.specs import ExchangeSpec

MADE = pd.Timestamp("2026-11-03T09:14:31.250Z")


def row(symbol: str = "SOL/USDT", **columns: Any) -> dict[str, Any]:
    """A row with every column a signal is made of."""
    return {
        "symbol": symbol, "timeframe": "medium", "timestamp": MADE, "signal": "Buy", "signal_strength": 71.4,
        "price": 151.2, "momentum_short": 0.0184, "volume_usd": 2_450_000.0, "volume_ratio": 1.8, "rsi": 48.2,
        "macd": 0.3, "ema_5_13_bullish": True, "opportunity_score": 82.5, "composite_score": 64.1, "trend_score": 6.3,
        "confidence_score": 0.58, "combined_score": 69.9, "ichimoku_bullish": True, "vwap_bullish": True,
        "bb_position": 0.44, "entry_price": 151.2, "stop_loss": 148.1, "take_profit": 158.95, "risk_amount": 3.1,
        "reward_amount": 7.75, "risk_reward_ratio": 2.5, "stop_loss_pct": -2.05, "take_profit_pct": 5.13,
        "support_level": 148.8, "resistance_level": 163.0, "market_regime": "bull", "regime_confidence": 81.5,
        "regime_trend_strength": 31.2, "regime_volatility": "medium", "regime_suggested_threshold": 60,
    } | columns  # fmt: skip


class FakeScan:
    """Gives `rows` by exchange, `["SOL/USDT"]` where none are named; fails where told; waits while `gate` is clear."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]] | None = None) -> None:
        self.rows = rows or {}
        self.failing: dict[str, Exception] = {}
        self.asked: list[tuple[Any, ...]] = []  # exchange, timeframes, full analysis
        self.gate = threading.Event()
        self.gate.set()
        self.on_ask: Callable[[ExchangeSpec, dict[str, Any]], None] = lambda spec, options: None

    def __call__(
        self, exchange: ExchangeSpec, timeframes: Sequence[str], full_analysis: bool, **options: Any
    ) -> dict[str, pd.DataFrame]:
        self.asked.append((exchange.id, *timeframes, full_analysis))
        self.on_ask(exchange, options)
        if not self.gate.wait(60):
            raise Unreachable(f"{exchange.id}: the gate stayed shut")
        if exchange.id in self.failing:
            raise self.failing[exchange.id]
        found = self.rows.get(exchange.id, [row()])
        return {t: pd.DataFrame([{**each, "timeframe": t} for each in found]) for t in timeframes}
