"""Which exchange suffers from what, when and for how long: a pure function of one seed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from scanner.simulated import faults as ways
from scanner.simulated.faults import ALL, Fault
from scanner.timeframes import MINUTE_MS

EXCHANGES = ("simulated", "simulatedfutures")
KLINES = {"simulated": "/api/v3/klines", "simulatedfutures": "/api/v1/kline"}
VICTIM = "ADA/USDT"  # is delisted for good some time, on both exchanges
PAUSE_MIN = (18, 40)  # minutes of market time an exchange is well between two spells
SPELL_MIN = (8, 22)
OUTAGE_MIN = 60
FROZEN_MIN = (25, 35)  # standing still is told by the time of the data, which takes some intervals
LONG_H = 4.0  # soaks shorter than this lose no symbol
MIXED = 0.25  # share of the spells that get a second fault half-way
ONLY_CANDLES = 0.3  # share of the spells in which prices go on


@dataclass(frozen=True)
class Kind:
    """One way to fail: what is set, and what status must say: a state of the exchange, and words of the cause."""

    name: str
    faults: tuple[Fault, ...]
    states: tuple[str, ...]
    cause: str = ""


# A frozen exchange gets the time it stands still at when its spell begins; names are lost beside the cut connections.
KINDS = (
    Kind("hang", (ways.Hang(),), ("down",), "no answer in time"),
    Kind("drip", (ways.Drip(16, 1.0),), ("down",), "no answer in time"),
    Kind("reset", (ways.Reset(),), ("down",), "ServerDisconnected|reset"),
    Kind("429", (ways.Status(429, 1),), ("limited",), "HTTP 429"),
    Kind("418", (ways.Status(418, 1),), ("banned",), "asks to wait 1 s"),
    Kind("451", (ways.Status(451),), ("restricted",), "HTTP 451"),
    Kind("403", (ways.Status(403),), ("restricted",), "HTTP 403"),
    Kind("500", (ways.Status(500),), ("down",), "HTTP 500"),
    Kind("web page", (ways.Html(),), ("down",), "a web page instead of data"),
    Kind("truncated", (ways.Truncated(),), ("down",), "HTTP 200"),
    Kind("empty", (ways.Empty(),), ("down",), "an empty answer"),
    Kind("nulls", (ways.Nulls(),), ("down",)),
    Kind("nan", (ways.Nulls("NaN"),), ("down",)),
    Kind("holes", (ways.Holes(),), ()),
    Kind("frozen", (), (), "over and over"),
    Kind("ahead", (ways.Skewed(2 * MINUTE_MS),), ()),
    Kind("behind", (ways.Skewed(-2 * MINUTE_MS),), ()),
    Kind("names", (ways.Reset(),), ("down",), "ServerDisconnected|reset|does not resolve"),
    Kind("delisted", (ways.Delisted(VICTIM),), (), "does not list it any more"),
    Kind("outage", (ways.Reset(),), ("down",), "ServerDisconnected|reset"),
)
PASSING = tuple(kind.name for kind in KINDS if kind.name != "delisted")
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Spell:
    """`exchange` suffers from `kind` on paths that start with `prefix`; ms since the beginning of the soak."""

    exchange: str
    kind: str
    prefix: str
    from_ms: int
    to_ms: int

    def __str__(self) -> str:
        where = "" if self.prefix == ALL else f" ({self.prefix})"
        begin, end = self.from_ms / MINUTE_MS, self.to_ms / MINUTE_MS
        return f"{self.exchange}: {self.kind}{where}, minute {begin:.0f} to {end:.0f}"


def schedule(seed: int, hours: float, kinds: Iterable[str] = PASSING) -> tuple[Spell, ...]:
    """All spells of a soak, oldest first. Its beginning and its end are left in peace."""
    dice, found = random.Random(seed), []
    for exchange in EXCHANGES:
        bag: list[str] = []
        at, end = dice.uniform(4, 12), hours * 60 - PAUSE_MIN[0]
        while True:
            if not bag:
                bag = list(kinds)
                dice.shuffle(bag)  # every kind comes up before one comes up again
            kind = bag.pop()
            minutes = _minutes(dice, kind)
            if at + minutes > end:
                break
            found += _spells(dice, exchange, kind, at, minutes)
            at += minutes + dice.uniform(*PAUSE_MIN)
        if hours >= LONG_H:
            found.append(Spell(exchange, "delisted", ALL, _ms(hours * 60 * dice.uniform(0.3, 0.8)), _ms(hours * 60)))
    return tuple(sorted(found, key=lambda spell: (spell.from_ms, spell.exchange)))


def _minutes(dice: random.Random, kind: str) -> float:
    return OUTAGE_MIN if kind == "outage" else dice.uniform(*(FROZEN_MIN if kind == "frozen" else SPELL_MIN))


def _spells(dice: random.Random, exchange: str, kind: str, at: float, minutes: float) -> list[Spell]:
    whole = kind in ("names", "outage", "frozen", "ahead", "behind") or dice.random() > ONLY_CANDLES
    prefix = ALL if whole else KLINES[exchange]
    found = [Spell(exchange, kind, prefix, _ms(at), _ms(at + minutes))]
    if dice.random() < MIXED:
        other = dice.choice(PASSING)
        if other not in (kind, "outage", "frozen"):
            found.append(Spell(exchange, other, ALL, _ms(at + minutes / 2), _ms(at + minutes)))
    return found


def _ms(minutes: float) -> int:
    return round(minutes * MINUTE_MS)
