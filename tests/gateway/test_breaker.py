from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import BadAnswer, Banned, RateLimited, RefusedRegion, Unreachable
from scanner.gateway.breaker import BANNED_S, REGION_INTERVALS, THRESHOLD, Breaker, pause_s

DOWN = Unreachable("no answer")


def after(*failures, now=0.0, breaker=None, jitter=0.0):
    breaker = breaker or Breaker()
    for failure in failures:
        breaker = breaker.failed(failure, now, jitter)
    return breaker


def test_it_takes_three_failures_in_a_row_to_open():
    assert not after(DOWN, DOWN).is_open(0)
    assert after(DOWN, DOWN, DOWN).is_open(0)
    recovered = after(DOWN, DOWN).succeeded(0)
    assert not after(DOWN, DOWN, breaker=recovered).is_open(0)


def test_half_open_one_probe_decides():
    breaker = after(DOWN, DOWN, DOWN)
    now = breaker.open_until
    assert breaker.admit(now - 0.1) == (breaker, False)
    breaker, first = breaker.admit(now)
    breaker, second = breaker.admit(now)
    assert (first, second) == (True, False)
    assert breaker.succeeded(now).admit(now)[1]
    assert breaker.failed(DOWN, now, 0.0).is_open(now)


def test_a_probe_that_was_not_made_or_never_came_back_frees_the_place():
    breaker = after(DOWN, DOWN, DOWN)
    probing, _ = breaker.admit(10.0)
    assert probing.released().admit(10.0)[1]
    assert probing.admit(100.0)[1]


def test_pauses_double_up_to_the_longest():
    assert [pause_s(attempt, 5.0, 0.0) for attempt in range(6)] == [0.5, 1, 2, 4, 5, 5]
    assert pause_s(9, 5.0, 1.0) == 2.5


@pytest.mark.parametrize(
    ("failure", "wait_s"),
    [
        (RateLimited("", 7.0), 7),
        (RateLimited(""), 30),
        (Banned("", 3600.0), 3600),
        (Banned(""), 120),
        (RefusedRegion(""), 10),
    ],
)
def test_what_the_exchange_says_opens_it_at_once(failure, wait_s):
    assert after(failure).wait_s(0) == wait_s


def test_a_late_success_does_not_shorten_a_pause_that_was_asked_for():
    limited = after(RateLimited("", 60.0))
    assert limited.succeeded(10) == limited
    assert not limited.succeeded(60).is_open(60)
    assert not after(DOWN, DOWN, DOWN).succeeded(0.1).is_open(0.1)


def test_a_refused_region_is_asked_more_seldom_but_never_less_than_every_six_price_intervals():
    """So that it is back within two intervals of 30 s, at a cost of two cheap requests a minute."""
    breaker, now, waits = Breaker(), 0.0, []
    for _ in range(4):
        breaker = breaker.failed(RefusedRegion(""), now, 0.0)
        waits.append(breaker.wait_s(now))
        now = breaker.open_until
    assert waits == [10, 20, 30, 30] == [10, 20, REGION_INTERVALS * 5, 30]


def test_failures_that_began_before_it_opened_count_once():
    breaker = after(*[DOWN] * THRESHOLD)
    assert after(*[DOWN] * 20, breaker=breaker) == breaker


failures = st.sampled_from([DOWN, BadAnswer(""), RateLimited("", 3.0), Banned(""), RefusedRegion("")])
steps = st.lists(st.tuples(st.one_of(st.none(), failures), st.floats(0, 20), st.floats(0, 1)), max_size=40)


@given(steps)
def test_never_shut_for_good_never_open_to_two_probes(steps):
    breaker, now = Breaker(), 0.0
    for outcome, passed, jitter in steps:
        now += passed
        breaker = breaker.succeeded(now) if outcome is None else breaker.failed(outcome, now, jitter)
        assert breaker.wait_s(now) <= 1.1 * BANNED_S
    then = max(breaker.open_until, now)
    probing, admitted = breaker.admit(then)
    assert admitted
    assert not probing.succeeded(then).is_open(then)
    if breaker.failures >= THRESHOLD or breaker.told:
        assert not probing.admit(then)[1]


@given(st.floats(0, 1), st.floats(0, 1000))
def test_retry_after_is_a_floor_whatever_the_jitter(jitter, wait_s):
    assert after(RateLimited("", wait_s), jitter=jitter).wait_s(0) >= wait_s
