"""Rows of a full scan as the signals that clients read. Pure.

Clients format most numbers unguarded, so what a row does not know gets a neutral value here instead of null; only
support and resistance may be null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from scanner.api.base_parsing import SIGNALS, SignalFilter
from scanner.runtime.base.table import Row, number

Signal = dict[str, Any]

SIDES = {
    "Strong Buy": "BUY",
    "Buy": "BUY",
    "Weak Buy": "BUY",
    "Strong Sell": "SELL",
    "Sell": "SELL",
    "Weak Sell": "SELL",
}
EXCHANGES = ("binance", "kucoinfutures", "coinbase", "kraken")  # offered whether they were scanned or not
FILTERS = {
    "timeframes": ["1m", "5m", "15m", "1h", "4h", "1d"],
    "signals": list(SIGNALS),
    "minStrength": 0,
    "maxStrength": 100,
}


def filters_offered(scanned: Iterable[str]) -> dict[str, Any]:
    """What a client may offer to choose from."""
    return {"exchanges": list(dict.fromkeys([*EXCHANGES, *scanned])), **FILTERS}


def signals_of(rows: Iterable[Row]) -> list[Signal]:
    """One signal per row, in their order; the id of a row is always the same and no other row's."""
    signals = [signal_of_row(row) for row in rows]
    taken: set[str] = set()
    for signal in signals:
        if signal["id"] in taken:  # one symbol, one second, two exchanges
            signal["id"] += f"_{signal['exchange']}"
        taken.add(signal["id"])
    return signals


def select(signals: Iterable[Signal], wanted: SignalFilter, interval_of: Callable[[str], str]) -> list[Signal]:
    """The signals that pass, in their order; an alias and the interval it means are the same."""
    return [signal for signal in signals if passes(signal, wanted, interval_of)]


def passes(signal: Signal, wanted: SignalFilter, interval_of: Callable[[str], str]) -> bool:
    return (
        wanted.exchange in (None, signal["exchange"])
        and (wanted.interval is None or wanted.interval == interval_of(signal["timeframe"]))
        and wanted.signal in (None, signal["signal"])
        and signal["strength"] >= wanted.min_strength
    )


def signal_of_row(row: Row) -> Signal:
    made = _utc(row["timestamp"])
    return {
        "id": f"{row['symbol']}_{int(made.timestamp())}",
        "symbol": row["symbol"],
        "exchange": row["exchange"],
        "timeframe": row["timeframe"],
        "signal": side_of(row),
        "strength": strength_of(row),
        "price": number(row, "price", 0.0),
        "change": number(row, "momentum_short", 0.0) * 100,
        "volume": number(row, "volume_usd", 0.0),
        "timestamp": made.isoformat(),
        "indicators": _indicators(row),
        "advanced": _advanced(row),
        "risk_reward": _risk_reward(row),
        "market_regime": _market_regime(row),
    }


def side_of(row: Row) -> str:
    """BUY, SELL or HOLD."""
    return SIDES.get(str(row.get("signal")), "HOLD")


def strength_of(row: Row) -> int:
    """0..100 in the direction of the signal: a strength of 0 is the strongest sell there can be, and shown as 100."""
    bullish = min(max(number(row, "signal_strength", 50.0), 0.0), 100.0)
    return round(100 - bullish if side_of(row) == "SELL" else bullish)


def _utc(moment: Any) -> datetime:
    """A row's time in UTC; one without offset is UTC already."""
    made: datetime = moment.to_pydatetime() if hasattr(moment, "to_pydatetime") else moment
    return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)


def _indicators(row: Row) -> dict[str, Any]:
    ratio = number(row, "volume_ratio", 1.0)
    return {
        "rsi": number(row, "rsi", 50.0),
        "macd": "bullish" if number(row, "macd", 0.0) > 0 else "bearish",
        "ema": "above" if _true(row, "ema_5_13_bullish") else "below",
        "volume": "very_high" if ratio > 2 else "high" if ratio > 1.5 else "medium",
    }


def _advanced(row: Row) -> dict[str, Any]:
    scores = ("opportunity_score", "composite_score", "trend_score", "confidence_score", "combined_score")
    return {
        **{name: number(row, name, 0.0) for name in scores},
        "ichimoku_bullish": _true(row, "ichimoku_bullish"),
        "vwap_bullish": _true(row, "vwap_bullish"),
        "bb_position": number(row, "bb_position", 0.5),
    }


def _risk_reward(row: Row) -> dict[str, float | None]:
    amounts = ("stop_loss", "take_profit", "risk_amount", "reward_amount", "risk_reward_ratio")
    return {
        "entry_price": number(row, "entry_price", number(row, "price", 0.0)),
        **{name: number(row, name, 0.0) for name in amounts},
        "stop_loss_pct": number(row, "stop_loss_pct", 0.0),
        "take_profit_pct": number(row, "take_profit_pct", 0.0),
        "support_level": _or_null(row, "support_level"),
        "resistance_level": _or_null(row, "resistance_level"),
    }


def _market_regime(row: Row) -> dict[str, Any]:
    return {
        "regime": _text(row, "market_regime", "unknown"),
        "confidence": number(row, "regime_confidence", 0.0),
        "trend_strength": number(row, "regime_trend_strength", 0.0),
        "volatility": _text(row, "regime_volatility", "medium"),
        "suggested_threshold": int(number(row, "regime_suggested_threshold", 65)),
    }


def _true(row: Row, column: str) -> bool:
    """Whether a flag is set; missing and NaN are not."""
    value = row.get(column)
    return bool(value) and value == value


def _or_null(row: Row, column: str) -> float | None:
    value = number(row, column, float("nan"))
    return value if value == value else None


def _text(row: Mapping[str, Any], column: str, default: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) and value else default
