"""Prices and candles as an exchange pushes them, through ccxt.pro; REST stays the truth that heals it.

`wire` is one connection, `lane` the markets on it, `kept` what it brought, `watchdog` the decisions; `feed` puts them
together.
"""

from __future__ import annotations

from collections.abc import Iterable

from scanner.errors import InvalidInput
from scanner.gateway.push.wire import why_not
from scanner.gateway.specs import ExchangeSpec


def check_transport(specs: Iterable[ExchangeSpec], transport: str) -> None:
    """Raises InvalidInput when one of the exchanges cannot be watched in this way."""
    for spec in specs if transport == "push" else ():
        reason = why_not(spec)
        if reason is not None:
            raise InvalidInput("transport", "push", f"cannot be had: {spec.id} {reason}; use 'rest'")
