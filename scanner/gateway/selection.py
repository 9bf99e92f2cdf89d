"""Which of the markets an exchange lists a universe chooses. Pure: tables in, names out; what was chosen before is an
argument.

A market joins at rank `top` or better and leaves only beyond `BAND` times that; likewise for its volume. Between the
two it stays what it was, so that markets at the edge do not come and go with every refresh. One that is in stays too
when its volume is not told or zero, which bad answers say of any market; it takes up a place.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from scanner.gateway.dollars import DOLLARS
from scanner.gateway.symbols import Listed, listed_name
from scanner.markets import SYMBOL
from scanner.universe import BAND, Universe

_GEARED = re.compile(r"(?P<stem>[A-Z0-9]+?)(?P<gear>[2-5][LS]|UP|DOWN|BULL|BEAR)", re.ASCII)
_TWINS = {"UP": "DOWN", "DOWN": "UP", "BULL": "BEAR", "BEAR": "BULL"}
INACTIVE, UNWRITABLE = "not active", "its name cannot stand in a file's name"
OTHER_QUOTE, NAMED, LEVERAGED, PEGGED = (
    "another quote",
    "excluded by name",
    "a leveraged token",
    "dollar against dollar",
)
UNRANKED, TOO_SMALL, TOO_FAR = "its volume in dollars is not known", "below min_volume_usd", "not among the top"


@dataclass(frozen=True, slots=True)
class Member:
    """A chosen market: its rank by volume among all that the rule lets through, from 1, and that volume.

    None where the rule does not rank, or the volume is not known.
    """

    symbol: str
    rank: int | None = None
    volume_usd: float | None = None


@dataclass(frozen=True)
class Selection:
    """What a universe chooses: members by rank, the named ones without a rank last, and why not the others."""

    members: tuple[Member, ...]
    left_out: Mapping[str, str]  # pair -> reason

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(member.symbol for member in self.members)

    def reasons(self) -> dict[str, int]:
        """How many markets were left out for each reason, the most frequent first."""
        return dict(Counter(self.left_out.values()).most_common())


def pairs_of(listed: Listed) -> dict[str, str | None]:
    """Every pair that is listed as spot or as linear perpetual swap -> the market it means, None when not active."""
    written = {
        name.partition(":")[0]
        for name, facts in listed.items()
        if facts.get("type", "spot") in ("spot", "swap") and _settled_in_quote(name)
    }
    return {pair: listed_name(pair, listed) for pair in sorted(written)}


def candidates(rule: Universe, listed: Listed) -> tuple[dict[str, str], dict[str, str]]:
    """Pairs that `rule` lets through before any ranking -> listed symbol; and pair -> reason for all others.

    What `include` names goes through when it can be scanned at all.
    """
    pairs = pairs_of(listed)
    bases = {pair.partition("/")[0] for pair in pairs}
    through, left_out = {}, {}
    for pair, name in pairs.items():
        reason = _unscannable(pair, name) or (None if pair in rule.include else _unwanted(pair, rule, bases))
        if reason is None and name is not None:
            through[pair] = name
        elif reason is not None:
            left_out[pair] = reason
    return through, left_out


def choose(rule: Universe, through: Sequence[str], volumes: Mapping[str, float], current: Collection[str]) -> Selection:
    """The members among the pairs that went `through`.

    Parameters
    ----------
    volumes : mapping
        24 h volume in dollars of each pair, NaN or missing where unknown; not needed by a rule that does not rank.
    current : collection of str
        Who was chosen the last time.
    """
    told = {pair: volumes.get(pair, math.nan) for pair in through}
    kept = {pair for pair in through if rule.ranks and pair in current and not told[pair] > 0}
    known = {pair: math.nan if pair in kept else volume for pair, volume in told.items()}
    ranked = sorted((pair for pair in through if not math.isnan(known[pair])), key=lambda pair: (-known[pair], pair))
    ranks = {pair: rank for rank, pair in enumerate(ranked, 1)}
    members, left_out = [], {}
    for pair in (*ranked, *(pair for pair in through if pair not in ranks)):
        by_name = pair in rule.include or pair in kept
        reason = None if by_name else _fails(rule, ranks.get(pair), known[pair], pair in current, len(kept))
        if reason is None:
            members.append(Member(pair, ranks.get(pair), known[pair] if pair in ranks else None))
        else:
            left_out[pair] = reason
    return Selection(tuple(members), left_out)


def _fails(rule: Universe, rank: int | None, volume: float, is_in: bool, taken: int) -> str | None:
    """Why a market is not chosen by rank and volume; one that is in has some slack. `taken` places are not free."""
    if not rule.ranks:
        return None
    if rank is None:
        return UNRANKED
    slack = BAND if is_in else 1.0
    if rule.min_volume_usd is not None and volume < rule.min_volume_usd / slack:
        return TOO_SMALL
    return TOO_FAR if rule.top is not None and rank > math.floor(rule.top * slack) - taken else None


def _unscannable(pair: str, name: str | None) -> str | None:
    if not SYMBOL.fullmatch(pair):
        return UNWRITABLE
    return INACTIVE if name is None else None


def _unwanted(pair: str, rule: Universe, bases: Collection[str]) -> str | None:
    base, _, quote = pair.partition("/")
    if rule.quote and quote not in rule.quote:
        return OTHER_QUOTE
    if rule.excludes(pair):
        return NAMED
    if base in DOLLARS and quote in DOLLARS:
        return PEGGED
    return LEVERAGED if _is_leveraged(base, bases) else None


def _is_leveraged(base: str, bases: Collection[str]) -> bool:
    """BTC3L beside BTC; BTCUP beside BTC and BTCDOWN. JUP is a coin of its own."""
    geared = _GEARED.fullmatch(base)
    if geared is None or geared["stem"] not in bases:
        return False
    twin = _TWINS.get(geared["gear"])
    return twin is None or f"{geared['stem']}{twin}" in bases


def _settled_in_quote(name: str) -> bool:
    """Spot, or a perpetual swap settled in its quote: BTC/USDT and BTC/USDT:USDT, not BTC/USD:BTC, no dated future."""
    pair, colon, settle = name.partition(":")
    return not colon or settle == pair.partition("/")[2]
