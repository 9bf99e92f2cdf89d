"""Who was in a scan, and since when: what a refresh of a universe leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scanner.gateway.selection import Member
from scanner.records import iso
from scanner.universe import Universe


@dataclass(frozen=True, slots=True)
class UniverseSnapshot:
    """Who was in the scan of one exchange from a market time on, and why.

    `joined` and `left` (symbol -> reason) are against the refresh before, and empty in the first of a run. `left_out`
    counts the other markets of the exchange by reason; `listed` are all of them.
    """

    exchange: str
    at_ms: int
    rule: Universe
    listed: int
    members: tuple[Member, ...]
    joined: tuple[str, ...]
    left: Mapping[str, str]
    left_out: Mapping[str, int]

    def record(self) -> dict[str, Any]:
        """As plain values, for the store: markets by rank, volumes in whole dollars."""
        return {
            "timestamp": iso(self.at_ms),
            "exchange": self.exchange,
            "rule": self.rule.as_dict(),
            "listed": self.listed,
            "count": len(self.members),
            "markets": [
                {
                    "symbol": member.symbol,
                    "rank": member.rank,
                    "volume_usd": None if member.volume_usd is None else round(member.volume_usd),
                }
                for member in self.members
            ],
            "joined": list(self.joined),
            "left": dict(self.left),
            "left_out": dict(self.left_out),
        }
