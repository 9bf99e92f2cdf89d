"""The bodies and queries of the base routes, as checked values. Null means left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scanner.api.parsing import Number
from scanner.errors import InvalidInput
from scanner.markets import EXCHANGE

SCAN_KEYS = ("timeframe", "exchange", "parallel", "signal", "minStrength", "fullAnalysis", "sync")
AGREEMENT_KEYS = ("symbol", "timeframes", "minOpportunity")
SIGNALS = ("BUY", "SELL", "HOLD")
ALL = "all"
MIN_STRENGTH = Number("minStrength", 0, 0, 100)


@dataclass(frozen=True)
class SignalFilter:
    """Which signals are wanted; None lets everything through. `interval` is one, never an alias."""

    exchange: str | None = None
    interval: str | None = None
    signal: str | None = None
    min_strength: float = 0.0


def signal_filter(query: Mapping[str, str], timeframe_of: Callable[[object, str], str]) -> SignalFilter:
    """The filters of ``/signals``; ``all`` is no filter. Raises InvalidInput."""
    exchange = _unless_all(query.get("exchange"))
    if exchange is not None and not EXCHANGE.fullmatch(exchange.lower()):
        raise InvalidInput("exchange", exchange, "is not an exchange id such as 'binance', nor 'all'")
    timeframe = _unless_all(query.get("timeframe"))
    return SignalFilter(
        exchange=exchange and exchange.lower(),
        interval=timeframe and timeframe_of(timeframe, "timeframe"),
        signal=signal_of(query.get("signal")),
        min_strength=MIN_STRENGTH.of(query),
    )


def signal_of(value: object) -> str | None:
    """BUY, SELL or HOLD in any case; None for ``all`` or nothing. Raises InvalidInput."""
    if value is None or value == "":
        return None
    word = value.upper() if isinstance(value, str) else value
    if word == ALL.upper():
        return None
    if word not in SIGNALS:
        raise InvalidInput("signal", value, f"is not one of all, {', '.join(SIGNALS)}")
    return str(word)


def _unless_all(text: str | None) -> str | None:
    return None if text is None or text.lower() == ALL else text


def flag(body: Mapping[str, object], key: str, default: bool) -> bool:
    """A JSON true or false. Raises InvalidInput."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidInput(key, value, "is not true or false")
    return value


def number_from(body: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    """A JSON number within a range. Raises InvalidInput."""
    value = body.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InvalidInput(key, value, f"is not a number from {low:g} to {high:g}")
    return float(value)
