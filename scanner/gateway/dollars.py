"""What markets traded in the last 24 hours, in US dollars. Pure: ccxt's tables in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from scanner.gateway.symbols import Listed

# Taken as one dollar: the dollar and the coins that stand for it.
DOLLARS = (
    *("USDT", "USDC", "USD", "FDUSD", "BUSD", "TUSD", "DAI", "USDE", "USD1", "USDP", "PYUSD", "RLUSD", "USDD", "USDS"),
    *("GUSD", "XUSD", "BFUSD", "USTC", "SUSD"),
)  # fmt: skip
Tickers = Mapping[str, Mapping[str, Any]]


def volumes_usd(names: Iterable[str], listed: Listed, tickers: Tickers) -> dict[str, float]:
    """24 h quote volume of each listed symbol in dollars; NaN where it or the dollar's worth of its quote is unknown.

    A quote that is no dollar is worth what the exchange itself pays for it.
    """
    rates: dict[str, float] = {}
    found = {}
    for name in names:
        quote = str(listed[name].get("quote") or "")
        if quote not in rates:
            rates[quote] = _dollars_for(quote, tickers)
        found[name] = _quote_volume(listed[name], tickers.get(name) or {}) * rates[quote]
    return found


def _dollars_for(asset: str, tickers: Tickers) -> float:
    """Price of `asset` in dollars, from a pair quoted in dollars or from a dollar quoted in it."""
    if asset in DOLLARS:
        return 1.0
    for dollar in DOLLARS:
        for name in (f"{asset}/{dollar}", f"{asset}/{dollar}:{dollar}"):
            if (price := _last(tickers.get(name))) > 0:
                return price
        if (price := _last(tickers.get(f"{dollar}/{asset}"))) > 0:
            return 1 / price
    return math.nan


def _quote_volume(facts: Mapping[str, Any], ticker: Mapping[str, Any]) -> float:
    """The ticker's; else base volume times price; else what the list of markets itself says (KuCoin's swaps)."""
    told = _number(ticker.get("quoteVolume"))
    if not math.isnan(told):
        return told
    traded = _number(ticker.get("baseVolume")) * _last(ticker)
    return traded if not math.isnan(traded) else _number((facts.get("info") or {}).get("turnoverOf24h"))


def _last(ticker: Mapping[str, Any] | None) -> float:
    return _number((ticker or {}).get("last"))


def _number(value: object) -> float:
    """A finite number that is not negative, also one written as text; else NaN."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) and number >= 0 else math.nan
