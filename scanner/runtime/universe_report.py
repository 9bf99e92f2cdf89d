"""What `status` says of the choice of markets, and what is remembered of the newest one that was kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scanner.gateway.snapshots import UniverseSnapshot
from scanner.markets import Market
from scanner.records import iso
from scanner.renames import Renames
from scanner.store.reader import StoreReader
from scanner.universe import Universe


def renamed(found: Mapping[str, str], renames: Renames) -> dict[str, str]:
    """Requested market -> what it is scanned as, and since when that is its name."""
    texts = {}
    for market, symbol in found.items():
        rename = renames.of(Market.parse(market).base)
        since = f", its name since {rename.since}" if rename is not None and rename.since else ""
        texts[market] = f"{symbol}{since}"
    return texts


def remembered(rule: Universe | None, store: StoreReader, exchanges: Iterable[str]) -> dict[str, frozenset[str]]:
    """Who was in by the same rule when it was last applied, by exchange."""
    kept = {exchange: store.newest_universe(exchange) for exchange in exchanges} if rule is not None else {}
    return {
        exchange: frozenset(str(market["symbol"]) for market in record["markets"])
        for exchange, record in kept.items()
        if record is not None and rule is not None and record.get("rule") == rule.as_dict()
    }


def universe_status(rule: Universe | None, snapshots: Mapping[str, UniverseSnapshot]) -> dict[str, Any] | None:
    """The rule, and how it last turned out on each exchange; None for a list of symbols."""
    if rule is None:
        return None
    return {
        "rule": rule.as_dict(),
        "exchanges": {name: _outcome(snapshot) for name, snapshot in snapshots.items()},
    }


def _outcome(snapshot: UniverseSnapshot) -> dict[str, Any]:
    return {
        "time": iso(snapshot.at_ms),
        "listed": snapshot.listed,
        "markets": len(snapshot.members),
        "joined": list(snapshot.joined),
        "left": list(snapshot.left),
        "left_out": dict(snapshot.left_out),
    }
