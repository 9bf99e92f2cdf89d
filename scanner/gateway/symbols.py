"""What a requested symbol is called on an exchange, or why it is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Old base asset -> its new name. Exchanges renamed the pairs; histories are not bridged.
RENAMED = {
    "MATIC": "POL",
    "FTM": "S",
    "RNDR": "RENDER",
    "EOS": "A",
    "KLAY": "KAIA",
    "GAL": "G",
    "TOMO": "VIC",
    "NANO": "XNO",
    "AGIX": "FET",
}

Listed = Mapping[str, Mapping[str, Any]]  # ccxt's market table: symbol -> facts


def resolve_symbols(exchange: str, wanted: Iterable[str], listed: Listed) -> tuple[dict[str, str], dict[str, str]]:
    """Each wanted symbol as the exchange calls it, or the reason it is skipped.

    Parameters
    ----------
    wanted : iterable of str
        ``BTC/USDT``, or ``BTC/USDT:USDT`` for exactly the swap.
    listed : mapping
        The exchange's markets by unified symbol; of each, `active` and `linear` are read.

    Returns
    -------
    (dict, dict)
        wanted -> listed symbol, and wanted -> reason. Every wanted symbol is in exactly one. No listed symbol is
        given twice: the second asker is skipped.
    """
    found: dict[str, str] = {}
    skipped: dict[str, str] = {}
    taken: dict[str, str] = {}
    for symbol in dict.fromkeys(wanted):
        name = _listed_name(symbol, listed)
        if name is None:
            skipped[symbol] = _why_not(exchange, symbol, listed)
        elif name in taken:
            skipped[symbol] = f"is the same market as {taken[name]} on {exchange}"
        else:
            found[symbol], taken[name] = name, symbol
    return found, skipped


def _candidates(symbol: str) -> tuple[str, ...]:
    """Names to look for, in order: the symbol itself, then the linear swap settled in its quote currency."""
    quote = symbol.partition("/")[2]
    return (symbol,) if ":" in symbol else (symbol, f"{symbol}:{quote}")


def _listed_name(symbol: str, listed: Listed) -> str | None:
    return next((name for name in _candidates(symbol) if name in listed and _is_active(listed[name])), None)


def _is_active(market: Mapping[str, Any]) -> bool:
    """An exchange that does not say is taken to trade."""
    return market.get("active") is not False


def _why_not(exchange: str, symbol: str, listed: Listed) -> str:
    is_listed = any(name in listed for name in _candidates(symbol))
    reason = f"not active on {exchange}: halted or delisted" if is_listed else f"not listed on {exchange}"
    base, _, rest = symbol.partition("/")
    successor = f"{RENAMED.get(base, '')}/{rest}"
    if _listed_name(successor, listed) is not None:
        return f"{reason}; {successor} is its new name"
    return reason
