"""Which of an exchange's markets a full scan looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scanner.gateway.symbols import Listed, resolve_symbols

MOST_MARKETS = 460
KINDS = ("spot", "swap")
FOREX_PAIRS = frozenset(
    "EUR/USD GBP/USD USD/JPY AUD/USD USD/CAD NZD/USD GBP/JPY EUR/JPY USD/CHF EUR/GBP".split()  # noqa: SIM905
)


def scannable(listed: Listed, quote: str, market_type: str = "crypto", most: int = MOST_MARKETS) -> list[str]:
    """Symbols to scan, the first `most` in the exchange's order.

    Crypto: spot pairs and perpetual swaps quoted in `quote`. Forex: spot pairs of the ten majors, whatever `quote`
    says. Markets that the exchange calls inactive are left out.
    """
    wanted = _is_forex if market_type == "forex" else _is_crypto
    found = [symbol for symbol, facts in listed.items() if facts.get("active") is not False and wanted(facts, quote)]
    return found[:most]


def _is_crypto(facts: Mapping[str, Any], quote: str) -> bool:
    return facts.get("type") in KINDS and facts.get("quote") == quote


def _is_forex(facts: Mapping[str, Any], quote: str) -> bool:
    return facts.get("type") == "spot" and facts.get("symbol") in FOREX_PAIRS


def named(exchange: str, wanted: Iterable[str], listed: Listed) -> tuple[list[str], dict[str, str]]:
    """Listed symbols for the wanted ones (``BTC/USDT`` is ``BTC/USDT:USDT`` on a swap venue), and why not."""
    resolved = resolve_symbols(exchange, wanted, listed)
    return list(resolved.found.values()), resolved.skipped
