"""How large a position may be for a given risk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scanner.errors import InvalidInput

LARGEST, SMALLEST = 1e15, 1e-15  # of any input: beyond, the results would not be numbers
DEFAULTS = {
    "accountBalance": 10_000.0,
    "riskPerTrade": 2.0,
    "entryPrice": 0.0,
    "stopLoss": 0.0,
    "leverage": 1.0,
    "feeRate": 0.001,
}
MAINTENANCE = 0.9  # share of the margin that may be lost before liquidation


def calculate_position(values: Mapping[str, object]) -> dict[str, Any]:
    """Size, margin, fees and warnings of one trade.

    Parameters
    ----------
    values : mapping
        accountBalance, entryPrice, stopLoss (account currency), riskPerTrade (percent), leverage (times), feeRate
        (a fraction per side); numbers or texts that are numbers. What is missing takes its default.

    Returns
    -------
    dict
        Leverage multiplies the position, so the loss at the stop is `leverage` times `risk_amount_usd`.

    Raises
    ------
    InvalidInput
        A value is no number, not above 0 (`feeRate`: below 0) or above 1e15, or the stop is at the entry; the message
        names it.
    """
    given = {name: _number(name, values.get(name, default)) for name, default in DEFAULTS.items()}
    balance, risk_pct, entry, stop, leverage, fee = given.values()
    if entry == stop:
        raise InvalidInput("stopLoss", stop, "is the entry price; a stop lies above or below it")
    risk = balance * risk_pct / 100
    distance = abs(entry - stop) / entry
    value = risk / distance * leverage
    units, margin, fees = value / entry, value / leverage, 2 * value * fee
    liquidation = _liquidation(entry, stop, leverage)
    broke = liquidation is not None and (liquidation > stop if stop < entry else liquidation < stop)
    return {
        "risk_amount_usd": round(risk, 2),
        "stop_distance_pct": round(100 * distance, 2),
        "position_value": round(value, 2),
        "units": round(units, 8),
        "margin_required": round(margin, 2),
        "total_fees": round(fees, 2),
        "adjusted_risk_usd": round(risk - fees, 2),
        "stop_distance_usd": round(abs(entry - stop) * units, 2),
        "liquidation_price": liquidation,
        "margin_usage_pct": round(100 * margin / balance, 2),
        "leverage": leverage,
        "account_balance": balance,
        "risk_per_trade_pct": risk_pct,
        "warnings": _warnings(margin, balance, leverage, risk_pct, broke),
        "safe_to_trade": not (margin > balance or broke),
    }


def _liquidation(entry: float, stop: float, leverage: float) -> float | None:
    """Price at which the margin is used up; None without leverage."""
    if leverage <= 1:
        return None
    sign = -1 if stop < entry else 1
    price = round(entry * (1 + sign * MAINTENANCE / leverage), 8)
    return price if price > 0 else None


def _warnings(margin: float, balance: float, leverage: float, risk_pct: float, broke: bool) -> list[str]:
    said = {
        "The margin is more than the account holds.": margin > balance,
        "The margin is more than half the account.": margin > balance / 2,
        "Leverage is above 3.": leverage > 3,
        "The risk is above 3 % of the account.": risk_pct > 3,
        "The position is liquidated before the stop is reached.": broke,
    }
    return [text for text, applies in said.items() if applies]


def _number(name: str, value: object) -> float:
    """`value` as a finite number in bounds, or InvalidInput."""
    span = f"from 0 to {LARGEST:g}" if name == "feeRate" else f"above 0 and up to {LARGEST:g}"
    expected = f"is not a number {span}"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InvalidInput(name, value, f"is of type {type(value).__name__}, not a number {span}")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise InvalidInput(name, value, expected) from None
    least = 0.0 if name == "feeRate" else SMALLEST
    if not math.isfinite(number) or not least <= number <= LARGEST:
        raise InvalidInput(name, value, expected)
    return number
