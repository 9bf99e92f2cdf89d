"""Which candles to ask for when not all can be: in which order, and how far down it the weight reaches.

Pure. Urgent are repairs and closes; what is not urgent leaves alone the weight that closes about to come will need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scanner.gateway.answers import CandleRequest, Purpose
from scanner.markets import Market


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, what it weighs, and when its market and timeframe were last asked for (steady s; -inf: never)."""

    request: CandleRequest
    weight: int
    asked: float


@dataclass(frozen=True, slots=True)
class Room:
    """Weight there is: in all, for what is not urgent, and the most there can ever be."""

    free: int
    for_later: int
    most: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask and what to leave for another time, each in order of worth; every request is in one of them."""

    chosen: list[Wanted]
    deferred: list[Wanted]

    @property
    def weight(self) -> int:
        """Of all that is chosen."""
        return sum(want.weight for want in self.chosen)


def plan_requests(wanted: Iterable[Wanted], room: Room) -> Plan:
    """The beginning of `in_order(wanted)` that fits.

    The first one that does not fit ends the choice, so that a costly request is not starved by cheap ones; only one
    that could never fit is passed over. More room never chooses less.
    """
    chosen: list[Wanted] = []
    deferred: list[Wanted] = []
    spent, is_full = 0, False
    for want in in_order(wanted):
        if want.weight > room.most:
            deferred.append(want)
            continue
        most = room.free if is_urgent(want.request) else min(room.free, room.for_later)
        is_full = is_full or spent + want.weight > most
        if is_full:
            deferred.append(want)
        else:
            chosen.append(want)
            spent += want.weight
    return Plan(chosen, deferred)


def is_urgent(request: CandleRequest) -> bool:
    """Whether a final signal waits for these candles."""
    return request.purpose <= Purpose.CLOSE


def in_order(wanted: Iterable[Wanted]) -> list[Wanted]:
    """By purpose; within it what was asked longest ago, so that one that always fails starves nobody.

    Histories go market by market, and refreshes of forming candles by value first.
    """
    of: dict[Purpose, list[Wanted]] = {purpose: [] for purpose in Purpose}
    for want in wanted:
        of[want.request.purpose].append(want)
    return [
        *sorted(of[Purpose.GAP], key=lambda want: want.asked),
        *sorted(of[Purpose.CLOSE], key=lambda want: want.asked),
        *_market_by_market(of[Purpose.BACKFILL]),
        *sorted(of[Purpose.FORMING], key=lambda want: (-want.request.value, want.asked)),
        *sorted(of[Purpose.CHECK], key=lambda want: want.asked),
    ]


def _market_by_market(histories: Sequence[Wanted]) -> list[Wanted]:
    """All timeframes of one market, then the next: a market is of use once it has them all.

    Whose history is begun goes first, and whose history was asked for in vain goes last.
    """
    of: dict[Market, list[Wanted]] = {}
    for want in histories:
        of.setdefault(want.request.market, []).append(want)
    markets = sorted(of.values(), key=lambda missing: (max(want.asked for want in missing), len(missing)))
    return [want for missing in markets for want in missing]


def for_later(free: int, free_at_close: int, closes_weight: int, close_in_s: float, window_s: float) -> int:
    """Weight for what is not urgent, so that the closes to come find theirs.

    Parameters
    ----------
    free : int
        There is now.
    free_at_close : int
        There will be when the closes are asked for, if nothing is spent until then.
    closes_weight : int
        They will need.
    close_in_s : float
        Seconds until they are asked for. What is spent now is forgotten by then if that is `window_s` or more.
    """
    return free if close_in_s >= window_s else max(0, min(free, free_at_close - closes_weight))
