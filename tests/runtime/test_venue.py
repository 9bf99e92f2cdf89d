"""How a venue ends."""

from __future__ import annotations

import time

from scanner.clock import WallClock
from scanner.runtime.venue import Venue
from scanner.simulated import SimulatedExchange, generated


class Slow(SimulatedExchange):
    """A server that takes all the time it is given."""

    given_s = -1.0

    def stop(self, timeout_s: float = 5.0) -> bool:
        self.given_s = timeout_s
        time.sleep(timeout_s)
        return False


def test_servers_are_waited_for_no_longer_than_there_is_time() -> None:
    servers = [Slow(generated(1, 2), WallClock()) for _ in range(2)]
    venue = Venue((), WallClock(), list(servers))
    began = time.monotonic()
    venue.close(within_s=0.2)
    assert time.monotonic() - began < 2
    assert 0 < servers[0].given_s <= 0.2
    assert servers[1].given_s == 0.0
