"""Whose clock counts: the exchange's, once its answers agree that ours is off."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.clock import ManualClock
from scanner.gateway.exchange_clock import ExchangeClock, date_of

NOON_MS = 1_700_049_600_000
MINUTE_MS = 60_000


def dated(ms: int, **headers: str) -> dict[str, str]:
    return {"date": formatdate(ms / 1000, usegmt=True), **headers}


def after(*aheads_ms: int) -> ExchangeClock:
    """A clock that has seen answers ahead of ours by so much."""
    clock = ExchangeClock(ManualClock(NOON_MS))
    for ahead_ms in aheads_ms:
        clock.observe(dated(NOON_MS + ahead_ms))
    return clock


@pytest.mark.parametrize("ahead_ms", [2 * MINUTE_MS, -2 * MINUTE_MS])
def test_a_clock_that_is_off_is_believed_after_three_answers(ahead_ms):
    assert after(ahead_ms, ahead_ms).in_doubt
    assert after(ahead_ms, ahead_ms).ahead_ms == 0
    clock = after(ahead_ms, ahead_ms, ahead_ms)
    assert not clock.in_doubt
    assert clock.now_ms() - NOON_MS == pytest.approx(ahead_ms, abs=1000)


@given(st.lists(st.integers(-9000, 9000), max_size=20))
def test_transit_and_whole_seconds_change_nothing(aheads_ms):
    clock = after(*aheads_ms)
    assert (clock.ahead_ms, clock.in_doubt) == (0, False)


def test_one_old_answer_raises_doubt_and_no_more():
    clock = after(0, 0, -MINUTE_MS)
    assert (clock.ahead_ms, clock.in_doubt) == (0, True)
    clock.observe(dated(NOON_MS))
    assert not clock.in_doubt


@pytest.mark.parametrize(("speed", "tolerated_s"), [(1, 10), (20, 10), (120, 60), (3600, 1800)])
def test_where_market_time_runs_fast_half_a_second_on_the_way_is_tolerated(speed, tolerated_s):
    clock = ManualClock(NOON_MS)
    clock.speed = speed
    exchange = ExchangeClock(clock)
    exchange.observe(dated(NOON_MS - 1000 * tolerated_s + 1000))
    assert not exchange.in_doubt
    exchange.observe(dated(NOON_MS - 1000 * tolerated_s - 1000))
    assert exchange.in_doubt


def test_a_clock_that_is_set_right_is_believed_too():
    clock = after(*[2 * MINUTE_MS] * 3, 0)
    assert clock.in_doubt
    for _ in range(2):
        clock.observe(dated(NOON_MS))
    assert (clock.ahead_ms, clock.in_doubt) == (0, False)


def test_the_quickest_of_late_answers_counts():
    assert after(-122_000, -120_000, -121_000).ahead_ms == -120_000 + 500


def test_dates_that_contradict_each_other_are_not_listened_to_for_ever():
    ours = ManualClock(NOON_MS)
    clock = ExchangeClock(ours)
    for i in range(40):
        clock.observe(dated(ours.now_ms() + (i + 1) * 5 * MINUTE_MS))
        ours.advance(2000)
    assert (clock.ahead_ms, clock.in_doubt) == (0, False)


def test_fast_market_time_makes_transit_long_in_it():
    ours = ManualClock(NOON_MS)
    ours.speed = 1000.0
    clock = ExchangeClock(ours)
    for _ in range(3):
        clock.observe(dated(NOON_MS - 2 * MINUTE_MS))  # 120 ms on the way
    assert (clock.ahead_ms, clock.in_doubt) == (0, False)


def test_a_cached_answer_is_as_old_as_it_says():
    assert date_of(dated(NOON_MS - MINUTE_MS, age="60")) == NOON_MS


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, dated(NOON_MS, age="old"), {"date": ""}])
def test_an_answer_without_a_usable_date_says_nothing(headers):
    assert date_of(headers) is None
