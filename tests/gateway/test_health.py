from __future__ import annotations

from dataclasses import replace

import pytest

from scanner.errors import Banned, RateLimited, RefusedRegion, UnknownSymbol, Unreachable, Unsupported
from scanner.gateway.health import Health

LIVE = Health(listed=True, heard_at=100.0, last_data_ms=1)


@pytest.mark.parametrize(
    ("health", "state", "cause"),
    [
        (Health(), "connecting", None),
        (Health(listed=True, heard_at=100.0), "connecting", None),
        (LIVE, "live", None),
        (Health(listed=True, heard_at=84.0, last_data_ms=1), "late", "no data for 16 s"),
        (Health(listed=True, unusable="no symbol"), "down", "no symbol"),
        (Health(failure=Unreachable("no answer")), "down", "no answer"),
        (replace(LIVE, no_candles=Unreachable("500")), "down", "no candles: 500"),
        (replace(LIVE, no_candles=RateLimited("429")), "limited", "no candles: 429"),
        (replace(LIVE, no_prices=Unreachable("500")), "down", "no prices: 500"),
        (Health(failure=Unsupported("no candles")), "down", "no candles"),
        (Health(failure=RefusedRegion("451")), "restricted", "451"),
        (Health(failure=RateLimited("429")), "limited", "429"),
        (Health(failure=Banned("418")), "banned", "418"),
    ],
)
def test_each_state_and_its_cause(health, state, cause):
    assert health.state(now=100.0, interval_s=5.0) == (state, cause)


def test_three_intervals_are_not_late_yet():
    assert LIVE.state(115.0, 5.0)[0] == "live"
    assert LIVE.state(115.1, 5.0)[0] == "late"


DOWN, WRONG_SYMBOL = Unreachable("no answer"), UnknownSymbol("no such symbol")


def test_a_first_list_begins_the_wait_for_data_and_a_later_one_does_not_begin_it_anew():
    first = Health(failure=DOWN).listed_anew(100.0, None)
    assert first.state(115.0, 5.0) == ("connecting", None)
    assert first.listed_anew(115.0, None).state(115.1, 5.0)[0] == "late"


def test_a_list_that_is_as_it_was_changes_no_state():
    old = LIVE.listed_as_before("HTTP 500")
    assert (old.state(100.0, 5.0), old.listing) == (("live", None), "HTTP 500")
    assert old.listed_anew(100.0, None).listing is None


def test_good_prices_end_a_failure_but_not_a_lack_of_candles():
    health = LIVE.without_candles([DOWN])
    assert health.state(100.0, 5.0) == ("down", "no answer")
    assert health.with_prices(101.0, 7).state(101.0, 5.0) == ("down", "no candles: no answer")
    well = health.with_prices(101.0, 7).with_candles(102.0, 8)
    assert (well.state(102.0, 5.0), well.heard_at, well.last_data_ms) == (("live", None), 102.0, 8)


def test_candles_do_not_end_a_lack_of_prices():
    health = LIVE.without_prices(DOWN).with_candles(101.0, 7)
    assert health.state(101.0, 5.0) == ("down", "no prices: no answer")
    assert health.with_prices(102.0, 8).state(102.0, 5.0) == ("live", None)


def test_what_concerns_a_market_alone_is_over_with_the_next_good_data():
    assert LIVE.without_candles([WRONG_SYMBOL, Unsupported("no 5m candles")]) == LIVE
    assert LIVE.without_candles([DOWN, WRONG_SYMBOL]).no_candles is DOWN
    health = LIVE.without_prices(WRONG_SYMBOL)
    assert health.state(100.0, 5.0) == ("down", "no such symbol")
    assert health.with_candles(100.0, 1) == LIVE


@pytest.mark.parametrize(
    ("health", "is_idle"),
    [
        (LIVE, False),
        (LIVE.failing(DOWN), False),
        (Health().failing(Unsupported("no 5m candles")), True),
        (Health().listed_anew(0.0, "none of the symbols"), True),
        (Health().listed_anew(0.0, "none of the symbols").failing(DOWN), False),
    ],
)
def test_an_exchange_is_idle_where_waiting_does_not_help(health, is_idle):
    assert health.is_idle is is_idle
