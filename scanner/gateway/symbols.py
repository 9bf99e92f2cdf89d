"""What a requested symbol is called on an exchange, or why it is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.renames import KNOWN, Renames

Listed = Mapping[str, Mapping[str, Any]]  # ccxt's market table: symbol -> facts


@dataclass(frozen=True)
class Resolved:
    """What became of the wanted symbols: each one is found or skipped, under its own name or a newer one.

    Attributes
    ----------
    found : dict
        Symbol as scanned -> as the exchange lists it. No listed symbol is given twice.
    skipped : dict
        Wanted symbol -> reason.
    renamed : dict
        Wanted symbol -> the symbol it is scanned as, for those not listed under the wanted name.
    """

    found: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def resolve_symbols(exchange: str, wanted: Iterable[str], listed: Listed, renames: Renames = KNOWN) -> Resolved:
    """Each wanted symbol as the exchange calls it, or the reason it is skipped.

    Parameters
    ----------
    wanted : iterable of str
        ``BTC/USDT``, or ``BTC/USDT:USDT`` for exactly the swap.
    listed : mapping
        The exchange's markets by unified symbol; of each, `active` and `linear` are read.
    renames : Renames
        A coin that is not listed by the wanted name is looked for by its other names, if any.
    """
    resolved = Resolved()
    symbols = dict.fromkeys(wanted)
    names = {symbol: listed_name(symbol, listed) for symbol in symbols}
    other = {symbol: _other_name(symbol, listed, renames) for symbol, name in names.items() if name is None}
    taken: dict[str, str] = {}
    for symbol in sorted(symbols, key=lambda symbol: names[symbol] is None):  # those under their own name first
        own = symbol if names[symbol] is not None else other[symbol]
        name = listed_name(own, listed) if own is not None else None
        if own is None or name is None:
            resolved.skipped[symbol] = _why_not(exchange, symbol, listed, renames)
        elif taken.get(name) == own != symbol:
            resolved.renamed[symbol] = own
        elif name in taken:
            resolved.skipped[symbol] = f"is the same market as {taken[name]} on {exchange}"
        else:
            resolved.found[own], taken[name] = name, own
            if own != symbol:
                resolved.renamed[symbol] = own
    return Resolved(_ordered(resolved, symbols), resolved.skipped, resolved.renamed)


def listed_name(symbol: str, listed: Listed) -> str | None:
    """The active market a symbol means: itself, else the linear swap settled in its quote currency."""
    return next((name for name in _candidates(symbol) if name in listed and is_active(listed[name])), None)


def is_active(market: Mapping[str, Any]) -> bool:
    """An exchange that does not say is taken to trade."""
    return market.get("active") is not False


def _ordered(resolved: Resolved, symbols: Iterable[str]) -> dict[str, str]:
    """What was found, in the order it was asked for."""
    own = (resolved.renamed.get(symbol, symbol) for symbol in symbols)
    return {symbol: resolved.found[symbol] for symbol in own if symbol in resolved.found}


def _candidates(symbol: str) -> tuple[str, ...]:
    """Names to look for, in order: the symbol itself, then the linear swap settled in its quote currency."""
    quote = symbol.partition("/")[2]
    return (symbol,) if ":" in symbol else (symbol, f"{symbol}:{quote}")


def _other_name(symbol: str, listed: Listed, renames: Renames) -> str | None:
    base, _, rest = symbol.partition("/")
    others = (f"{other}/{rest}" for other in renames.others(base))
    return next((other for other in others if listed_name(other, listed) is not None), None)


def _why_not(exchange: str, symbol: str, listed: Listed, renames: Renames) -> str:
    is_listed = any(name in listed for name in _candidates(symbol))
    reason = f"not active on {exchange}: halted or delisted" if is_listed else f"not listed on {exchange}"
    base, _, rest = symbol.partition("/")
    rename = renames.of(base)
    if rename is not None and listed_name(f"{rename.new}/{rest}", listed) is not None:
        return f"{reason}; it became {rename.units:g} {rename.new}, and {rename.new}/{rest} is listed"
    return reason
