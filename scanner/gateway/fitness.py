"""Whether an exchange offers what a scan needs, as far as that can be told without asking it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ccxt.async_support as ccxt

from scanner.gateway.specs import ExchangeSpec
from scanner.universe import Universe


def shortcoming(exchange: Any, base_timeframe: str, universe: Universe | None = None) -> str | None:
    """What this ccxt exchange lacks, None when it will do."""
    if exchange.has.get("fetchOHLCV") is not True:
        return "has no candles"
    if base_timeframe not in (exchange.timeframes or {}):
        return f"has no {base_timeframe} candles"
    if universe is not None and universe.ranks and exchange.has.get("fetchTickers") is not True:
        return "has no tickers in bulk, so top and min_volume_usd cannot be ranked; name symbols, or leave both out"
    return None


def shortcomings(
    specs: Iterable[ExchangeSpec], base_timeframe: str, universe: Universe | None = None
) -> dict[str, str]:
    """Exchange id -> what it lacks, for those that cannot be scanned. Makes no connection."""
    found = {spec.id: shortcoming(getattr(ccxt, spec.ccxt_id)(), base_timeframe, universe) for spec in specs}
    return {name: lack for name, lack in found.items() if lack is not None}
