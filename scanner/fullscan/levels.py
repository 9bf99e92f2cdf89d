"""Where to get out: stop, target, support and resistance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scanner.fullscan.classes import BUYS, SELLS

REWARD = 2.5  # times the risk
CLOSEST, FARTHEST = 0.005, 0.08  # of the price, between which a stop makes sense
NEUTRAL_REACH = 0.03


@dataclass(frozen=True)
class Levels:
    """Prices of one row; `risk_amount` and `reward_amount` are per unit, the pct are signed against the entry."""

    entry_price: float
    stop_loss: float
    take_profit: float
    risk_amount: float
    reward_amount: float
    risk_reward_ratio: float
    stop_loss_pct: float
    take_profit_pct: float
    support_level: float | None
    resistance_level: float | None


def levels(signal: str, price: float, atr: float | None, support: float | None, resistance: float | None) -> Levels:
    """Stop and target of a signal class.

    The stop is the nearest of 1.5 ATR, just beyond support (or resistance), and 3 % that is between 0.5 and 8 %
    away; the target is 2.5 times as far, or just before the level in its way.

    Parameters
    ----------
    price : float
        Last close, above 0.
    atr, support, resistance : float or None
        In price units; None where unknown.
    """
    if signal in BUYS:
        stop, target = _long(price, atr, support, resistance)
    elif signal in SELLS:
        stop, target = _short(price, atr, support, resistance)
    else:
        stop, target = price * (1 - NEUTRAL_REACH), price * (1 + NEUTRAL_REACH)
    places = decimals_of(price)
    risk, reward = abs(price - stop), abs(target - price)
    return Levels(
        entry_price=round(price, places),
        stop_loss=round(stop, places),
        take_profit=round(target, places),
        risk_amount=round(risk, places),
        reward_amount=round(reward, places),
        risk_reward_ratio=round(reward / risk, 2),
        stop_loss_pct=round(100 * (stop - price) / price, 2),
        take_profit_pct=round(100 * (target - price) / price, 2),
        support_level=None if support is None else round(support, places),
        resistance_level=None if resistance is None else round(resistance, places),
    )


def _long(price: float, atr: float | None, support: float | None, resistance: float | None) -> tuple[float, float]:
    """Stop below, target above."""
    candidates = [0.97 * price]
    candidates += [] if atr is None else [price - 1.5 * atr]
    candidates += [] if support is None else [0.995 * support]
    stop = max(x for x in candidates if CLOSEST < (price - x) / price < FARTHEST)
    target = price + REWARD * (price - stop)
    ahead = None if resistance is None else 0.995 * resistance
    return stop, ahead if ahead is not None and price < ahead < target else target


def _short(price: float, atr: float | None, support: float | None, resistance: float | None) -> tuple[float, float]:
    """Stop above, target below."""
    candidates = [1.03 * price]
    candidates += [] if atr is None else [price + 1.5 * atr]
    candidates += [] if resistance is None else [1.005 * resistance]
    stop = min(x for x in candidates if CLOSEST < (x - price) / price < FARTHEST)
    target = price - REWARD * (stop - price)
    ahead = None if support is None else 1.005 * support
    return stop, ahead if ahead is not None and target < ahead < price else target


def decimals_of(price: float) -> int:
    """Decimals for amounts at this price: 8, and more where that would leave fewer than six significant digits."""
    return max(8, 5 - math.floor(math.log10(price)))
