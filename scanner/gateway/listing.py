"""The usable markets of an exchange, and what asking about each of them takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scanner.gateway.connection import candles_per_call
from scanner.gateway.symbols import resolve_symbols
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


def usable_markets(
    exchange_id: str, exchange: Any, wanted: Iterable[str], listed: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[Market, Listing], dict[str, str]]:
    """The wanted markets among ccxt's `listed` ones, and wanted symbol -> reason for the others."""
    found, skipped = resolve_symbols(exchange_id, wanted, listed)
    usable = {}
    for symbol, name in found.items():
        market, facts = Market(exchange_id, symbol), listed[name]
        contract = contract_of(str(exchange.id), facts)
        usable[market] = Listing(market, name, facts.get("type") or "spot", contract, candles_per_call(exchange, facts))
    return usable, skipped
