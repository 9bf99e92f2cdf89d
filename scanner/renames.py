"""Coins that changed their name: one plain table, and what follows from it.

An exchange renames the pairs of such a coin and its history goes on under the new name. Asking by either name means
both where one old coin is one new coin; where it is not (`units`), prices do not go on and the names stay apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scanner.errors import InvalidInput


class Rename(NamedTuple):
    """`old` is called `new` since a month (YYYY-MM, '' where unknown); an old coin became `units` new ones."""

    old: str
    new: str
    since: str = ""
    units: float = 1.0


# Base assets; the month in which large exchanges opened trading under the new name.
TABLE = (
    Rename("NANO", "XNO", "2022-01"),
    Rename("TOMO", "VIC", "2023-11"),
    Rename("AGIX", "FET", "2024-07", 0.43335),
    Rename("GAL", "G", "2024-07", 60),
    Rename("RNDR", "RENDER", "2024-07"),
    Rename("MATIC", "POL", "2024-09"),
    Rename("KLAY", "KAIA", "2024-10"),
    Rename("FTM", "S", "2025-01"),
    Rename("EOS", "A", "2025-05"),
)


@dataclass(frozen=True)
class Renames:
    """A table of renames and the questions asked of it."""

    table: tuple[Rename, ...] = TABLE

    def of(self, base: str) -> Rename | None:
        """The rename of which `base` is the old name."""
        return next((rename for rename in self.table if rename.old == base), None)

    def others(self, base: str) -> tuple[str, ...]:
        """Every other name of the same coin, older or newer; none across a rename that was no one to one."""
        found = [base]
        for name in found:  # grows while it is walked
            for rename in self.table:
                if rename.units == 1 and name in rename[:2]:
                    found += [other for other in rename[:2] if other not in found]
        return tuple(found[1:])

    def extended(self, text: str, called: str) -> Renames:
        """With the renames of a text such as ``OLD=NEW,GONE=``, which win; without a new name one is taken out.

        Raises
        ------
        InvalidInput
            It is written otherwise.
        """
        own = [_parsed(part.strip(), called) for part in text.split(",") if part.strip()]
        replaced = {rename.old for rename in own}
        kept = (rename for rename in self.table if rename.old not in replaced)
        return Renames((*kept, *(rename for rename in own if rename.new)))


def _parsed(text: str, called: str) -> Rename:
    old, equals, new = (part.strip().upper() for part in text.partition("="))
    if not equals or not _is_asset(old) or (new and not _is_asset(new)) or old == new:
        raise InvalidInput(called, text, "is not a rename such as 'MATIC=POL', or 'MATIC=' to take one out")
    return Rename(old, new)


def _is_asset(text: str) -> bool:
    return text.isascii() and text.isalnum() and len(text) <= 24


KNOWN = Renames()
