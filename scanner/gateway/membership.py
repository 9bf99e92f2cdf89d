"""Who is scanned on one exchange: chosen anew from every fresh list of its markets. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scanner.gateway.listing import Listing, listings_of
from scanner.gateway.selection import INACTIVE, Member, Selection, candidates, choose
from scanner.gateway.snapshots import UniverseSnapshot
from scanner.gateway.symbols import Listed, Resolved, resolve_symbols
from scanner.markets import Market
from scanner.order import Capacity
from scanner.records import iso
from scanner.renames import KNOWN, Renames
from scanner.universe import Universe

MANY = 1000  # markets to be expected of a universe without a limit
MOST_LEFT = 1000  # markets that left whose reason is remembered
FEWEST_STAY = 0.5  # of the markets, in a choice that is believed at once
NO_ROOM = "no memory for more markets"


@dataclass(frozen=True)
class Wish:
    """What is to be scanned: these symbols, or what a universe chooses."""

    symbols: tuple[str, ...] = ()
    universe: Universe | None = None
    renames: Renames = KNOWN

    @property
    def expected(self) -> int:
        """How many markets there may be, before an exchange has listed any."""
        return len(self.symbols) if self.universe is None else self.universe.most or MANY


@dataclass(frozen=True)
class Members:
    """The outcome; replaced whole, so any thread may read it.

    Attributes
    ----------
    usable : dict
        The markets that are scanned.
    refused, left : dict
        Symbol -> reason: wanted by name and not to be had; scanned before and gone.
    delisted : frozenset of str
        Those that left because the exchange does not list them, or they do not trade, any more.
    renamed : dict
        Wanted symbol -> the symbol it is scanned as.
    unusable : str or None
        Why nothing can be scanned here.
    snapshot : UniverseSnapshot or None
        Who was in, for a universe.
    remembered : frozenset of str
        Who was in by the same universe in the run before, until there is a first choice.
    """

    usable: dict[Market, Listing] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    delisted: frozenset[str] = frozenset()
    renamed: dict[str, str] = field(default_factory=dict)
    unusable: str | None = None
    snapshot: UniverseSnapshot | None = None
    remembered: frozenset[str] = frozenset()

    @property
    def skipped(self) -> dict[str, str]:
        """Symbol -> why it is not scanned, or not any more."""
        return {**self.left, **self.refused}

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset(market.symbol for market in self.usable) or self.remembered

    def loses_many(self, after: Members) -> bool:
        """Whether `after`, the next choice, is without most of those who are scanned."""
        stay = len(self.usable.keys() & after.usable.keys())
        return stay < len(self.usable) * FEWEST_STAY


def members_of(
    exchange_id: str,
    exchange: Any,
    wish: Wish,
    listed: Listed,
    volumes: Mapping[str, float],
    before: Members,
    now_ms: int,
    capacity: Capacity | None = None,
) -> Members:
    """Who is scanned now that the exchange lists these markets.

    Parameters
    ----------
    volumes : mapping
        24 h volume in dollars by pair, for a universe.
    before : Members
        The outcome of the last time; `Members()` at first.
    capacity : Capacity or None
        The first time too many markets are a reason to scan none; later, newcomers have to stay out.
    """
    selection = _selected(exchange_id, wish, listed, volumes, before)
    if selection is not None and before.snapshot is not None and capacity is not None:
        selection = _within(selection, capacity.markets, before.symbols)
    resolved = resolve_symbols(exchange_id, _names(wish, selection), listed, wish.renames)
    usable = listings_of(exchange_id, exchange, resolved.found, listed)
    if selection is not None and capacity is not None and len(usable) > max(capacity.markets, len(before.usable)):
        why = f"{exchange_id}: the universe holds {len(usable)} markets, {capacity.markets} fit: {capacity.reason}"
        return replace(before, unusable=why)
    left_out = {} if selection is None else dict(selection.left_out)
    left = _left(exchange_id, before, resolved, left_out, now_ms)
    unusable = None if usable else _why_none(exchange_id, selection, listed)
    snapshot = None
    if wish.universe is not None and selection is not None:
        snapshot = _snapshot(exchange_id, wish.universe, selection, resolved, before, left, listed, now_ms)
    refused = {symbol: reason for symbol, reason in resolved.skipped.items() if symbol not in left}
    return Members(usable, refused, left, _delisted(before, left, left_out), resolved.renamed, unusable, snapshot)


def _selected(
    exchange_id: str, wish: Wish, listed: Listed, volumes: Mapping[str, float], before: Members
) -> Selection | None:
    """What the universe chooses; what it includes is included under whatever name it is listed by."""
    if wish.universe is None:
        return None
    own = resolve_symbols(exchange_id, wish.universe.include, listed, wish.renames).found
    rule = replace(wish.universe, include=tuple(dict.fromkeys([*wish.universe.include, *own])))
    through, left_out = candidates(rule, listed)
    chosen = choose(rule, tuple(through), volumes, before.symbols)
    return Selection(chosen.members, {**left_out, **chosen.left_out})


def _within(selection: Selection, most: int, current: frozenset[str]) -> Selection:
    """Those who are in stay; of the others the first for whom there is room come in."""
    room = most - sum(member.symbol in current for member in selection.members)
    kept: list[Member] = []
    out = {}
    for member in selection.members:
        if member.symbol in current or room > 0:
            room -= member.symbol not in current
            kept.append(member)
        else:
            out[member.symbol] = NO_ROOM
    return Selection(tuple(kept), {**selection.left_out, **out})


def _names(wish: Wish, selection: Selection | None) -> Sequence[str]:
    """What to look up: also what a universe includes by another name, or by the whole name of a swap."""
    if selection is None or wish.universe is None:
        return wish.symbols
    return (*selection.symbols, *(symbol for symbol in wish.universe.include if symbol not in selection.symbols))


def _left(
    exchange_id: str, before: Members, resolved: Resolved, left_out: Mapping[str, str], now_ms: int
) -> dict[str, str]:
    """Who was ever scanned and is not now, with when and why, the newest last."""
    left = {symbol: reason for symbol, reason in before.left.items() if symbol not in resolved.found}
    for symbol in sorted(before.symbols - set(resolved.found)):
        why = left_out.get(symbol) or resolved.skipped.get(symbol) or f"delisted: not listed on {exchange_id} any more"
        left[symbol] = f"left at {iso(now_ms)[:19]}: {why}"
    return dict(list(left.items())[-MOST_LEFT:])


def _delisted(before: Members, left: Mapping[str, str], left_out: Mapping[str, str]) -> frozenset[str]:
    gone = {symbol for symbol in before.symbols & set(left) if left_out.get(symbol) in (None, INACTIVE)}
    return frozenset(gone | (before.delisted & set(left)))


def _why_none(exchange_id: str, selection: Selection | None, listed: Listed) -> str:
    if selection is None:
        return f"{exchange_id}: none of the requested symbols can be used here"
    reasons = ", ".join(f"{count} {reason}" for reason, count in selection.reasons().items())
    return f"{exchange_id}: the universe matches none of its {len(listed)} markets: {reasons or 'no pair among them'}"


def _snapshot(
    exchange_id: str,
    rule: Universe,
    selection: Selection,
    resolved: Resolved,
    before: Members,
    left: Mapping[str, str],
    listed: Listed,
    now_ms: int,
) -> UniverseSnapshot:
    known = {member.symbol: member for member in selection.members}
    first = before.snapshot is None and not before.remembered
    return UniverseSnapshot(
        exchange_id,
        now_ms,
        rule,
        len(listed),
        tuple(known.get(symbol, Member(symbol)) for symbol in resolved.found),
        () if first else tuple(symbol for symbol in resolved.found if symbol not in before.symbols),
        {symbol: reason for symbol, reason in left.items() if symbol in before.symbols},
        selection.reasons(),
    )
