"""How a venue ends."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from scanner.clock import WallClock
from scanner.runtime import venue as venues
from scanner.runtime.venue import Venue
from scanner.simulated import SimulatedExchange, generated


class Slow(SimulatedExchange):
    """A server that takes all the time it is given, by a watch of its own."""

    given_s = -1.0

    def __init__(self, watch: list[float]) -> None:
        super().__init__(generated(1, 2), WallClock())
        self._watch = watch

    def stop(self, timeout_s: float = 5.0) -> bool:
        self.given_s = timeout_s
        self._watch[0] += timeout_s
        return False


def test_servers_are_waited_for_no_longer_than_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = [1000.0]
    monkeypatch.setattr(venues, "time", SimpleNamespace(monotonic=lambda: watch[0]))
    servers = [Slow(watch) for _ in range(2)]
    Venue((), WallClock(), list(servers)).close(within_s=0.25)
    assert [server.given_s for server in servers] == [0.25, 0.0]
