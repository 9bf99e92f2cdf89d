"""What the pairs of an exchange trade, for whoever chooses among them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scanner.errors import BadAnswer, ExchangeFailure
from scanner.gateway.budget import OverBudget
from scanner.gateway.dollars import volumes_usd
from scanner.gateway.failures import own_errors
from scanner.gateway.selection import pairs_of
from scanner.gateway.symbols import Listed
from scanner.universe import Universe

AskAll = Callable[[str], Awaitable[Any]]  # all tickers of one kind, spot or swap


async def read_volumes(
    exchange_id: str, exchange: Any, universe: Universe | None, listed: Listed, ask: AskAll
) -> dict[str, float]:
    """Dollars traded in 24 hours by pair, where a universe wants to know; one that does not rank can do without.

    Raises
    ------
    ExchangeFailure, OverBudget
        The volumes are needed and not to be had.
    """
    if universe is None or exchange.has.get("fetchTickers") is not True:
        return {}
    names = {pair: name for pair, name in pairs_of(listed).items() if name is not None}
    tickers: dict[str, Any] = {}
    try:
        for kind in sorted({str(listed[name].get("type") or "spot") for name in names.values()}):
            with own_errors(exchange_id):
                tickers |= await ask(kind)
    except (OverBudget, ExchangeFailure):
        if universe.ranks:
            raise
    found = volumes_usd(names.values(), listed, tickers)
    if universe.ranks and found and not any(volume > 0 for volume in found.values()):
        raise BadAnswer(f"{exchange_id}: tells no market's volume, so none can be ranked")
    return {pair: found[name] for pair, name in names.items()}
