"""One market's candles as one row of the scan."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd

from scanner.fullscan import scores
from scanner.fullscan.classes import signal_class, signal_state
from scanner.fullscan.fibonacci import confluence, fibonacci, nearest
from scanner.fullscan.indicators import Columns, trend_score, with_indicators
from scanner.fullscan.levels import levels
from scanner.fullscan.profile import anchored_poc, fixed_range_poc, volume_profile
from scanner.fullscan.regime import market_regime
from scanner.fullscan.settings import TimeframePlan, TradingConfig, get_dynamic_config

Row = dict[str, Any]


class Kind(NamedTuple):
    """What a column may hold: a type, its bounds, and whether it may be missing (None)."""

    type: type
    low: float = -math.inf
    high: float = math.inf
    optional: bool = False


TEXT, FLAG, NUMBER = Kind(str), Kind(bool), Kind(float)
MAYBE, PRICE, MAYBE_PRICE = Kind(float, optional=True), Kind(float, 0), Kind(float, 0, optional=True)
PERCENT, MAYBE_PERCENT = Kind(float, 0, 100), Kind(float, 0, 100, True)

COLUMNS: dict[str, Kind] = {
    "symbol": TEXT,
    "exchange": TEXT,
    "price": PRICE,
    "momentum_short": NUMBER,
    "momentum_long": NUMBER,
    "rsi": PERCENT,
    "macd": NUMBER,
    "volume_usd": PRICE,
    "volume_ratio": PRICE,
    "signal": TEXT,
    "signal_strength": PERCENT,
    "signal_state": TEXT,
    "trend_score": Kind(float, 0, 10),
    "confidence_score": Kind(float, 0, 1),
    "composite_score": PERCENT,
    "volume_composite_score": PERCENT,
    "opportunity_score": PERCENT,
    "combined_score": PERCENT,
    "timeframe": TEXT,
    "timestamp": Kind(datetime),
    "bb_position": MAYBE,
    "trend_strength": MAYBE_PERCENT,
    "stoch_k": MAYBE_PERCENT,
    "stoch_d": MAYBE_PERCENT,
    "ichimoku_bullish": FLAG,
    "vwap_bullish": FLAG,
    "rsi_bearish_div": FLAG,
    "ema_5_13_bullish": FLAG,
    "ema_9_21_bullish": FLAG,
    "ema_50_200_bullish": FLAG,
    "poc_price": MAYBE_PRICE,
    "anchored_poc": MAYBE_PRICE,
    "fixed_poc": MAYBE_PRICE,
    "poc_distance": NUMBER,
    "fib_direction": Kind(str, optional=True),
    "fib_nearest_r": MAYBE,
    "fib_nearest_e": MAYBE,
    "fib_confluence": PERCENT,
    "entry_price": PRICE,
    "stop_loss": PRICE,
    "take_profit": PRICE,
    "risk_amount": PRICE,
    "reward_amount": PRICE,
    "risk_reward_ratio": PRICE,
    "stop_loss_pct": NUMBER,
    "take_profit_pct": NUMBER,
    "support_level": MAYBE,
    "resistance_level": MAYBE,
    "market_regime": TEXT,
    "regime_confidence": PERCENT,
    "regime_trend_strength": PERCENT,
    "regime_volatility": TEXT,
    "regime_suggested_threshold": Kind(int, 60, 80),
}


def indicators_of(frame: pd.DataFrame, plan: TimeframePlan, config: TradingConfig) -> pd.DataFrame:
    """Candles with the indicator columns that a plan and a config ask for."""
    return with_indicators(frame, Columns(plan.short, plan.long, config.rsi_period, config.macd_params))


def market_row(
    frame: pd.DataFrame,
    plan: TimeframePlan,
    *,
    symbol: str,
    exchange: str,
    now_ms: int,
    config: TradingConfig | None = None,
) -> Row:
    """Everything a scan says about one market.

    Parameters
    ----------
    frame : DataFrame
        open, high, low, close, volume (base currency); oldest first, at least `plan.base` rows, finite, prices
        above 0. The last candle may still be forming.
    now_ms : int
        Market time of the analysis.

    Returns
    -------
    dict
        The keys of `COLUMNS` in their order; plain Python values, None where something cannot be known.
    """
    config = config or get_dynamic_config()
    table = indicators_of(frame, plan, config)
    last = {str(name): value for name, value in table.iloc[-1].items()}
    values = _numbers(table, last)
    values |= _volume_facts(table, last, config.volume_profile_bins)
    values |= _score_facts(values, plan)
    values |= _trade_facts(table, last, values)
    values |= _regime_facts(table, last)
    values |= {
        "symbol": symbol,
        "exchange": exchange,
        "timeframe": plan.requested,
        "timestamp": datetime.fromtimestamp(now_ms / 1000, UTC),
    }
    return {name: values[name] for name in COLUMNS}


def _numbers(table: pd.DataFrame, last: Mapping[str, Any]) -> Row:
    """The indicators of the last row; a momentum or RSI that is missing is neutral."""
    return {
        "price": float(last["close"]),
        **{name: _or(last[name], 0.0) for name in ("momentum_short", "momentum_long", "macd")},
        "rsi": _within(_or(last["rsi"], 50.0), 100.0),
        "volume_ratio": _or(last["volume_ratio"], 1.0),
        "volume_usd": float((table["volume"] * table["close"]).mean()),
        "trend_score": trend_score(table),
        "bb_position": _maybe(last["bb_position"]),
        "trend_strength": _percent(last["adx"]),
        "stoch_k": _percent(last["stoch_k"]),
        "stoch_d": _percent(last["stoch_d"]),
        "ichimoku_bullish": bool(last["ichimoku_bullish"]),
        "vwap_bullish": bool(last["close"] > last["vwap"]),
        "rsi_bearish_div": bool(last["rsi_bearish_div"]),
        "ema_5_13_bullish": bool(last["ema_5"] > last["ema_13"]),
        "ema_9_21_bullish": bool(last["ema_9"] > last["ema_21"]),
        "ema_50_200_bullish": bool(last["ema_50"] > last["ema_200"]),
    }


def _volume_facts(table: pd.DataFrame, last: Mapping[str, Any], edges: int) -> Row:
    """Where the volume is, and the swing's levels."""
    high, low, close, volume = (table[name].to_numpy(dtype="float64") for name in ("high", "low", "close", "volume"))
    price = float(close[-1])
    profile, swing = volume_profile(close, volume, edges), fibonacci(high, low)
    distance = None if profile.poc is None else (price - profile.poc) / profile.poc
    return {
        "profile": profile,
        "measured_poc_distance": distance,
        "poc_price": profile.poc,
        "anchored_poc": anchored_poc(high, close, volume, edges),
        "fixed_poc": fixed_range_poc(high, low, close, volume, edges),
        "poc_distance": distance or 0.0,
        "fib_direction": swing.direction,
        "fib_nearest_r": nearest(swing.retracements.values(), price),
        "fib_nearest_e": nearest(swing.extensions.values(), price),
        "fib_confluence": confluence(price, swing, profile.poc, _maybe(last["vwap"])),
        "momentum_7": _or(last["momentum_7"], 0.0),
        "momentum_30": _or(last["momentum_30"], 0.0),
    }


def _score_facts(row: Row, plan: TimeframePlan) -> Row:
    """Scores, class and state from the numbers of a row."""
    ms, ml, rsi, macd = (row[name] for name in ("momentum_short", "momentum_long", "rsi", "macd"))
    vr, ts, bb, cloud = (row[name] for name in ("volume_ratio", "trend_score", "bb_position", "ichimoku_bullish"))
    opportunity = scores.opportunity_score(ms, ml, rsi, macd, bb, ts, vr, row["stoch_k"], row["rsi_bearish_div"])
    composite = scores.composite_score(ms, ml, rsi, macd, ts, vr, cloud)
    volume = scores.volume_composite_score(vr, row["profile"], row["measured_poc_distance"])
    strength = scores.signal_strength(ms, ml, rsi, macd, vr)
    return {
        "opportunity_score": opportunity,
        "composite_score": composite,
        "volume_composite_score": volume,
        "signal_strength": strength,
        "combined_score": scores.combined_score(opportunity, composite, volume, strength),
        "confidence_score": scores.confidence_score(ms, ml, rsi, macd, ts, vr),
        "signal": signal_class(ms, ml, rsi, macd, cloud, plan.thresholds),
        "signal_state": signal_state(row["momentum_7"], row["momentum_30"], vr, rsi, macd, bb),
    }


def _trade_facts(table: pd.DataFrame, last: Mapping[str, Any], row: Row) -> Row:
    """Stop, target, support and resistance."""
    support, resistance = support_and_resistance(table, last)
    return dataclasses.asdict(levels(row["signal"], row["price"], _maybe(last["atr"]), support, resistance))


def support_and_resistance(table: pd.DataFrame, last: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The Bollinger bands, or the extremes of the last 20 candles where there are no bands."""
    support, resistance = _maybe(last["bb_lower"]), _maybe(last["bb_upper"])
    recent = table.iloc[-20:]
    return (
        float(recent["low"].min()) if support is None else support,
        float(recent["high"].max()) if resistance is None else resistance,
    )


def _regime_facts(table: pd.DataFrame, last: Mapping[str, Any]) -> Row:
    high, low, close = (table[name].to_numpy(dtype="float64") for name in ("high", "low", "close"))
    emas = (float(last["ema_20"]), float(last["ema_50"]), float(last["ema_200"]))
    found = market_regime(high, low, close, emas, _percent(last["adx"]), _maybe(last["atr"]))
    return {
        "market_regime": found.regime,
        "regime_confidence": found.confidence,
        "regime_trend_strength": found.trend_strength,
        "regime_volatility": found.volatility,
        "regime_suggested_threshold": found.suggested_threshold,
    }


def _maybe(value: float) -> float | None:
    """A finite float, or None."""
    return float(value) if math.isfinite(value) else None


def _or(value: float, neutral: float) -> float:
    return float(value) if math.isfinite(value) else neutral


def _within(value: float, most: float) -> float:
    """`value` from 0 to `most`: sums in floating point may step over by an ulp."""
    return min(max(value, 0.0), most)


def _percent(value: float) -> float | None:
    found = _maybe(value)
    return None if found is None else _within(found, 100.0)
