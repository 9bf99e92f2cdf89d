"""The usable markets of an exchange, and what asking about each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scanner.gateway.connection import candles_per_call
from scanner.gateway.symbols import Listed
from scanner.gateway.volumes import Contract, contract_of
from scanner.markets import Market


@dataclass(frozen=True, slots=True)
class Listing:
    """A usable market: what the exchange calls it and how its candles are to be read."""

    market: Market
    symbol: str  # as the exchange lists it
    kind: str  # spot or swap
    contract: Contract | None
    page: int  # candles one call gives


def listings_of(exchange_id: str, exchange: Any, found: Mapping[str, str], listed: Listed) -> dict[Market, Listing]:
    """The markets found among ccxt's `listed` ones; `found` maps symbols to what the exchange calls them."""
    usable = {}
    for symbol, name in found.items():
        market, facts = Market(exchange_id, symbol), listed[name]
        contract = contract_of(str(exchange.id), facts)
        usable[market] = Listing(market, name, facts.get("type") or "spot", contract, candles_per_call(exchange, facts))
    return usable
