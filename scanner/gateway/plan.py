"""Which candles to ask for when not all can be: by purpose, then by value, then what was refreshed longest ago."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scanner.gateway.answers import CandleRequest
from scanner.gateway.budget import Budget


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, what it costs, and when its market and timeframe were last answered (-inf: never)."""

    request: CandleRequest
    weight: int
    refreshed: float


def plan_requests(wanted: Iterable[Wanted], budget: Budget, now: float) -> tuple[list[Wanted], list[Wanted]]:
    """What to ask now and what to leave for later, each in order of worth.

    The weights of the chosen never exceed what the budget has free at `now`. The first one that does not fit ends
    the choice, so that a costly request is not starved by cheap ones; only one that could never fit is passed over.
    """
    chosen: list[Wanted] = []
    deferred: list[Wanted] = []
    left = budget.free(now)
    for want in sorted(wanted, key=_worth):
        if want.weight > budget.allowance:
            deferred.append(want)
        elif want.weight <= left:
            chosen.append(want)
            left -= want.weight
        else:
            deferred.append(want)
            left = 0
    return chosen, deferred


def _worth(want: Wanted) -> tuple[int, float, float]:
    return (want.request.purpose, -want.request.value, want.refreshed)
