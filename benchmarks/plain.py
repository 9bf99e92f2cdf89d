"""The straightforward way: one market at a time, a DataFrame, pandas, `ta` and loops.

What the batch is measured against and what the tests check it with. Written from the description of the detectors and
not from the batch: rows instead of arrays, one thing after the other.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from ta.momentum import RSIIndicator

from scanner.config import StreamConfig

Row = dict[str, Any]


def analyse_plain(candles: pd.DataFrame, config: StreamConfig) -> Row:
    """Everything about one market from up to 100 sound candles: columns open, high, low, close, volume."""
    clusters = clusters_plain(candles, config)
    reversion = reversion_plain(candles, config)
    momentum = momentum_plain(candles, clusters, config)
    combined = config.momentum_bias * momentum["momentum_score"]
    combined += (1 - config.momentum_bias) * reversion["reversion_score"]
    kind = signal_type_plain(momentum, reversion, combined)
    return {**clusters, **reversion, **momentum, "combined_score": combined, "signal_type": kind}


def clusters_plain(candles: pd.DataFrame, config: StreamConfig) -> Row:
    recent = candles.tail(20).reset_index(drop=True)
    limit = config.volume_threshold_multiplier * recent["volume"].mean()
    runs: list[tuple[str, int]] = []  # direction, position of the last candle
    previous = None
    for position, candle in recent.iterrows():
        direction = None
        if candle["volume"] > limit:
            direction = "bullish" if candle["close"] > candle["open"] else "bearish"
            if direction == previous:
                runs.pop()
            runs.append((direction, int(str(position))))
        previous = direction
    if not runs:
        return _no_clusters()
    direction, end = runs[-1]
    after = recent.iloc[end + 1 : end + 4]
    body = after["close"] - after["open"]
    aligned = (body > 0).sum() if direction == "bullish" else (body < 0).sum()
    bullish = sum(1 for direction, _ in runs if direction == "bullish")
    share = bullish / len(runs)
    dominance = max(bullish, len(runs) - bullish) / len(runs)
    follow = int(aligned) / 3
    forming = dominance >= config.cluster_trend_threshold and follow >= config.cluster_followthrough_threshold
    return {
        "trend_formation_signal": forming,
        "cluster_strength": dominance * follow,
        "total_clusters": len(runs),
        "bullish_clusters": bullish,
        "bearish_clusters": len(runs) - bullish,
        "directional_ratio": share,
        "follow_through": follow,
    }


def _no_clusters() -> Row:
    counts = dict.fromkeys(("total_clusters", "bullish_clusters", "bearish_clusters"), 0)
    shares = dict.fromkeys(("cluster_strength", "directional_ratio", "follow_through"), 0.0)
    return {"trend_formation_signal": False, **counts, **shares}


def reversion_plain(candles: pd.DataFrame, config: StreamConfig) -> Row:
    recent = candles.tail(10)
    scale = _restated(candles, config, 0.05, 5)
    moves = recent["close"].diff() / recent["close"].shift() * scale
    streak = _streak([move for move in moves.dropna() if abs(move) > 0.001])
    volume = recent["volume"]
    changes = volume.diff() / volume.shift()
    high = volume.mean() > 0 and volume.tail(3).mean() / volume.mean() >= config.volume_exhaustion_multiplier
    spent = bool(high and changes.tail(2).mean() <= config.volume_decline_threshold)
    close = candles["close"]
    gain = (close.iloc[-1] - close.iloc[-6]) / close.iloc[-6]
    rsi = rsi_plain(close)
    tired = streak >= config.momentum_exhaustion_threshold
    excessive = bool(scale > 0 and abs(gain) * scale >= config.excessive_gain_threshold)
    score = 25.0 * sum([tired, spent, excessive, rsi > 70 or rsi < 30])
    falls = gain > 0 or (gain == 0 and rsi > 50)
    return {
        "reversion_score": score,
        "reversion_candidate": score > 50,
        "reversion_direction": -1 if falls else 1,
        "momentum_exhaustion": tired,
        "volume_exhaustion": spent,
        "excessive_gain": excessive,
        "consecutive_moves": streak,
        "recent_gain_pct": 100 * gain,
        "is_overbought": rsi > 70,
        "is_oversold": rsi < 30,
        "rsi": rsi,
    }


def _streak(moves: list[float]) -> int:
    length = 0
    for move in reversed(moves):
        if move * moves[-1] < 0:
            break
        length += 1
    return length


def rsi_plain(close: pd.Series) -> float:
    """RSI of the last candle as `ta` has it; 50 where it has none or nothing moved."""
    if len(close) < 14 or close.nunique() == 1:
        return 50.0
    return float(RSIIndicator(close, 14).rsi().iloc[-1])


def momentum_plain(candles: pd.DataFrame, clusters: Row, config: StreamConfig) -> Row:
    recent = candles.tail(20)
    close, volume = recent["close"], recent["volume"]
    move = (close.iloc[-1] - close.iloc[-10]) / close.iloc[-10]
    ratio = volume.tail(5).mean() / volume.mean() if volume.mean() > 0 else 1.0
    score = abs(move) * _restated(candles, config, 0.10, 9) * ratio * 100
    if clusters["trend_formation_signal"]:
        score *= 1 + clusters["cluster_strength"]
    return {
        "momentum_score": min(score, 100.0),
        "price_change_pct": 100 * move,
        "volume_ratio": ratio,
        "cluster_validated": clusters["trend_formation_signal"],
        "strength": "strong" if score > 80 else "moderate" if score > 50 else "weak",
    }


def _restated(candles: pd.DataFrame, config: StreamConfig, one_sigma: float, steps: int) -> float:
    """What a fractional move is multiplied with in this form of scoring."""
    if config.scoring == "absolute":
        return 1.0
    returns = candles["close"].pct_change().dropna()
    if (returns != 0).sum() < 20:
        return 0.0
    sigma = returns.abs().mean() * math.sqrt(math.pi / 2)
    return float(one_sigma / (sigma * math.sqrt(steps)))


def signal_type_plain(momentum: Row, reversion: Row, combined: float) -> str:
    side = "BUY" if momentum["price_change_pct"] > 0 else "SELL"
    if reversion["reversion_candidate"]:
        return "REVERSION_BULLISH" if reversion["reversion_direction"] == 1 else "REVERSION_BEARISH"
    if momentum["momentum_score"] > 70:
        return f"MOMENTUM_{side}"
    if combined > 60:
        return f"STRONG_{side}"
    return f"WEAK_{side}" if combined >= 40 else "NEUTRAL"
