"""Where a scan on demand asks: embedded servers are shared with a running scan, and end with their last user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from scanner.errors import InvalidInput, UnknownExchange
from scanner.runtime.base.places import specs_of
from scanner.runtime.venue import Venue, open_venue
from scanner.settings import Settings
from tests.waiting import wait_for


@pytest.fixture
def opener() -> Iterator[tuple[Callable[[Sequence[str]], Venue], list[Venue]]]:
    """Opens venues and remembers them; all are closed at the end of a test that has not."""
    made: list[Venue] = []

    def open_(exchanges: Sequence[str]) -> Venue:
        made.append(open_venue(exchanges, Settings(simulated=True)))
        return made[-1]

    yield open_, made
    for venue in made:
        for server in venue.servers:
            server.stop()


def test_a_real_exchange_is_asked_at_its_own_address(opener):
    with specs_of(["binance", "okx"], None, opener[0]) as specs:
        assert {name: (spec.ccxt_id, spec.urls) for name, spec in specs.items()} == {
            "binance": ("binance", None),
            "okx": ("okx", None),
        }
    assert not [server for venue in opener[1] for server in venue.servers]


def test_both_embedded_exchanges_share_one_server_that_ends_with_the_scan(opener):
    with specs_of(["simulatedfutures", "simulated"], None, opener[0]) as specs:
        assert list(specs) == ["simulatedfutures", "simulated"]
        (venue,) = opener[1]
        assert venue.servers[0].is_running
    wait_for(lambda: not venue.servers[0].is_running)


def test_a_running_venue_lends_its_server_even_beyond_its_own_end(opener):
    running = opener[0](["simulated"])
    with specs_of(["simulatedfutures"], running, opener[0]) as specs:
        assert running.servers[0].url in specs["simulatedfutures"].urls.values()
        running.close()
        assert running.servers[0].is_running
    wait_for(lambda: not running.servers[0].is_running)
    assert opener[1] == [running]


def test_a_venue_that_has_ended_lends_nothing(opener):
    ended = opener[0](["simulated"])
    ended.close()
    with specs_of(["simulated"], ended, opener[0]):
        assert len(opener[1]) == 2


def test_a_replay_is_not_served_by_a_generated_market(opener):
    running = opener[0](["simulated"])
    with pytest.raises(InvalidInput, match="SCANNER_REPLAY"), specs_of(["replay"], running, opener[0]):
        pass


def test_an_unknown_id_starts_nothing(opener):
    with pytest.raises(UnknownExchange), specs_of(["simulated", "nosuchexchange"], None, opener[0]):
        pass
    assert opener[1] == []
