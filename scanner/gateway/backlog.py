"""What was put off, and for how long: a shortage of weight is seen, not guessed from stale data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from scanner.gateway.answers import CandleRequest, Deferred, Purpose
from scanner.markets import Market


class Backlog:
    """The requests that the newest sweep put off; replaced whole, so any thread may ask for `figures`."""

    def __init__(self) -> None:
        self._since: Mapping[tuple[Market, str, Purpose], float] = MappingProxyType({})

    def replace(self, deferred: Iterable[CandleRequest], now: float) -> None:
        """Take note of what waits now (steady s); what waited before and still does is as old as it was."""
        keys = [(request.market, request.timeframe, request.purpose) for request in deferred]
        self._since = MappingProxyType({key: self._since.get(key, now) for key in keys})

    def figures(self, now: float) -> dict[str, Deferred]:
        """By purpose, as ``gap``, ``close``, ``backfill``, ``forming`` and ``check``."""
        since = self._since
        found = {}
        for purpose in Purpose:
            times = [time for (_, _, why), time in since.items() if why is purpose]
            found[purpose.name.lower()] = Deferred(len(times), now - min(times)) if times else Deferred()
        return found
