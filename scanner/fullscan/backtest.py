"""What following the signals would have brought, candle by candle, without knowing the next one.

A signal is made on a closed candle and acted on at the open of the next. Stop and target are those of the row; where
one candle reaches both, the stop counts. One position per market at a time, the capital shared equally among markets,
no leverage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from scanner.core.candles import Float
from scanner.fullscan.classes import BUYS, SELLS, signal_class
from scanner.fullscan.levels import levels
from scanner.fullscan.row import indicators_of, support_and_resistance
from scanner.fullscan.settings import TimeframePlan, TradingConfig

FEE = 0.001  # a fraction per side


@dataclass(frozen=True)
class Trade:
    """One trade; `side` is 1 for long and -1 for short, `gain` a fraction of what was put in, fees taken off."""

    symbol: str
    side: int
    signal: str
    entered: str
    left: str
    entry: float
    exit: float
    reason: str  # stop, target, end
    gain: float


@dataclass
class Position:
    """An open trade; moved on by `exit_in`."""

    side: int
    signal: str
    entered: str
    entry: float
    stop: float
    target: float

    def exit_in(self, opened: float, high: float, low: float) -> tuple[float, str] | None:
        """Price and reason of an exit within a candle; a gap beyond a level is filled at the open."""
        worst, best = (low, high) if self.side > 0 else (high, low)
        if self.side * (worst - self.stop) <= 0:
            return (opened if self.side * (opened - self.stop) < 0 else self.stop), "stop"
        if self.side * (best - self.target) >= 0:
            return (opened if self.side * (opened - self.target) > 0 else self.target), "target"
        return None


def signals_of(table: pd.DataFrame, plan: TimeframePlan) -> list[str]:
    """The signal class that each row would have been given at its close."""
    numbers = table[["momentum_short", "momentum_long", "rsi", "macd"]].to_numpy(dtype=np.float64)
    known = np.isfinite(numbers).all(axis=1)
    return [
        signal_class(ms, ml, rsi, macd, bool(cloud), plan.thresholds) if whole else "Neutral"
        for (ms, ml, rsi, macd), cloud, whole in zip(numbers.tolist(), table["ichimoku_bullish"], known, strict=True)
    ]


def trades_of(
    symbol: str, frame: pd.DataFrame, plan: TimeframePlan, config: TradingConfig, look_back: int
) -> tuple[list[Trade], Float]:
    """The trades of one market over the newest `look_back` candles, and its value after each: float64[look_back].

    The value starts from 1 and includes what an open position is worth.
    """
    table = indicators_of(frame, plan, config)
    signals = signals_of(table, plan)
    first = max(len(table) - look_back, 1)
    trades: list[Trade] = []
    value, worth, position = 1.0, [], None
    for i in range(first, len(table)):
        candle, when = table.iloc[i], table.index[i].isoformat()
        if position is None:
            position = _entered(table.iloc[:i], signals[i - 1], float(candle["open"]), when)
        if position is not None:
            left = position.exit_in(candle["open"], candle["high"], candle["low"])
            if left is None and i == len(table) - 1:
                left = (float(candle["close"]), "end")
            if left is not None:
                trades.append(_closed(symbol, position, when, *left))
                value, position = value * (1 + trades[-1].gain), None
        worth.append(value * (1 + (_gain(position, float(candle["close"])) if position else 0.0)))
    return trades, np.array(worth)


def _entered(before: pd.DataFrame, signal: str, entry: float, when: str) -> Position | None:
    """The position that a signal of the last candle of `before` opens at the open of the next, if any."""
    side = 1 if signal in BUYS else -1 if signal in SELLS else 0
    if not side:
        return None
    last = {str(name): value for name, value in before.iloc[-1].items()}
    atr = last["atr"] if math.isfinite(last["atr"]) else None
    found = levels(signal, entry, atr, *support_and_resistance(before, last))
    return Position(side, signal, when, entry, found.stop_loss, found.take_profit)


def _gain(position: Position, price: float) -> float:
    return position.side * (price - position.entry) / position.entry - 2 * FEE


def _closed(symbol: str, position: Position, when: str, price: float, reason: str) -> Trade:
    gain = _gain(position, price)
    return Trade(
        symbol, position.side, position.signal, position.entered, when, position.entry, float(price), reason, gain
    )


def backtest(
    frames: Mapping[str, pd.DataFrame],
    plan: TimeframePlan,
    config: TradingConfig,
    look_back: int = 30,
    initial_capital: float = 10_000.0,
) -> dict[str, Any]:
    """Follow the signals of all markets over their newest `look_back` closed candles.

    Returns
    -------
    dict
        initial_capital, final_capital, total_return_pct, max_drawdown_pct (<= 0), trades, win_rate_pct,
        profit_factor (None without losses), average_trade_pct, by_symbol {symbol: {trades, return_pct}},
        equity (capital after each candle) and trade_list.
    """
    trades: list[Trade] = []
    by_symbol: dict[str, dict[str, float]] = {}
    values = []
    for symbol, frame in frames.items():
        mine, worth = trades_of(symbol, frame, plan, config, look_back)
        trades += mine
        values.append(np.concatenate([np.ones(look_back - len(worth)), worth]))
        by_symbol[symbol] = {"trades": len(mine), "return_pct": round(100 * (float(worth[-1]) - 1), 4)}
    equity = initial_capital * (np.mean(values, axis=0) if values else np.ones(look_back))
    return {
        "timeframe": plan.requested,
        "lookback_periods": look_back,
        "initial_capital": initial_capital,
        "final_capital": round(float(equity[-1]), 2),
        "total_return_pct": round(100 * (float(equity[-1]) / initial_capital - 1), 4),
        "max_drawdown_pct": round(100 * drawdown(np.concatenate([[initial_capital], equity])), 4),
        **_figures([trade.gain for trade in trades]),
        "by_symbol": by_symbol,
        "equity": [round(float(value), 2) for value in equity],
        "trade_list": [asdict(trade) for trade in trades],
    }


def drawdown(equity: Float) -> float:
    """Deepest fall from the highest value before it: a fraction, <= 0."""
    return float((equity / np.maximum.accumulate(equity) - 1).min())


def _figures(gains: list[float]) -> dict[str, Any]:
    won, lost = sum(gain for gain in gains if gain > 0), -sum(gain for gain in gains if gain < 0)
    count = max(len(gains), 1)
    return {
        "trades": len(gains),
        "win_rate_pct": round(100 * sum(gain > 0 for gain in gains) / count, 2),
        "profit_factor": round(won / lost, 4) if lost > 0 else None,
        "average_trade_pct": round(100 * sum(gains) / count, 4),
    }
