"""What the watchdog concludes from pulses: properties of every history, and each fault's name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.push.watchdog import CONFIRM, FLOOR, LIVELY, LONGEST, LOOKS, SLACK, Cause, Pulse, judge

INTERVAL_S = 5.0
EVENTS = st.lists(st.tuples(st.floats(0.0, 200.0), st.sampled_from(["advanced", "agreed", "denied"])), max_size=30)


def after(events: list[tuple[float, str]]) -> tuple[Pulse, float]:
    """A pulse that has seen these events, each so long after the one before, and the time of the last one."""
    pulse, now = Pulse.begun(0.0, INTERVAL_S), 0.0
    for wait, event in events:
        now += wait
        pulse = pulse.denied(now) if event == "denied" else getattr(pulse, event)(now, INTERVAL_S)
    return pulse, now


def beating(now: float, age: float = 0.0) -> Pulse:
    """A market that moved every second, for the last time `age` seconds ago."""
    pulse = Pulse.begun(now - age - 20, INTERVAL_S)
    for back in range(19, -1, -1):
        pulse = pulse.advanced(now - age - back, INTERVAL_S)
    return pulse


@given(EVENTS)
def test_patience_stays_between_the_liveliest_and_the_longest(events):
    pulse, _ = after(events)
    assert FLOOR * INTERVAL_S <= pulse.patience_s <= LONGEST * INTERVAL_S


@given(EVENTS)
def test_nothing_is_fresh_before_it_spoke_nor_after_its_patience(events):
    pulse, now = after(events)
    assert not Pulse.begun(now, INTERVAL_S).is_fresh(now)
    assert not pulse.is_fresh(pulse.sure_at + LONGEST * INTERVAL_S + 1)


@given(EVENTS)
def test_what_moves_forward_is_fresh_at_that_moment(events):
    pulse, now = after(events)
    assert pulse.advanced(now + 1, INTERVAL_S).is_fresh(now + 1)


@given(EVENTS)
def test_a_stream_dies_only_of_something_newer_elsewhere(events):
    pulse, now = after(events)
    assert pulse.denied_at is not None or not pulse.is_dead(now + 1e9, INTERVAL_S)


@given(EVENTS)
def test_a_word_that_comes_after_all_takes_the_denial_back(events):
    pulse, now = after(events)
    assert not pulse.denied(now).advanced(now + 1, INTERVAL_S).is_dead(now + 1e9, INTERVAL_S)


@given(st.floats(0.01, FLOOR * INTERVAL_S / SLACK))
def test_a_lively_market_is_found_dead_within_one_and_a_half_intervals(gap):
    """Looked at ten times an interval: overdue, denied by REST at that look, dead some looks later."""
    look_s, now = INTERVAL_S / LOOKS, 100.0
    pulse = Pulse.begun(0.0, INTERVAL_S)
    for back in range(20, -1, -1):
        pulse = pulse.advanced(now - back * gap, INTERVAL_S)
    looks = [now + i * look_s for i in range(1, 100)]
    overdue = next(at for at in looks if pulse.is_overdue(at))
    pulse = pulse.denied(overdue)
    dead = next(at for at in looks if pulse.is_dead(at, INTERVAL_S))
    assert dead - now <= (FLOOR + CONFIRM + 2 / LOOKS) * INTERVAL_S + 1e-6
    assert FLOOR + CONFIRM + 2 / LOOKS < 1.5


def test_a_market_nobody_trades_is_looked_at_ever_more_rarely():
    pulse, now, looks = beating(0.0), 0.0, 0
    while now < 3600:
        now += INTERVAL_S / LOOKS
        if pulse.is_overdue(now):
            pulse, looks = pulse.agreed(now, INTERVAL_S), looks + 1
    assert 3600 / (LONGEST * INTERVAL_S) <= looks <= 3600 / (LONGEST * INTERVAL_S) + 6


def test_a_quiet_market_that_trades_again_is_soon_watched_closely():
    pulse = replace(beating(0.0), patience_s=LONGEST * INTERVAL_S)
    for second in range(1, 12):
        pulse = pulse.advanced(float(second), INTERVAL_S)
    assert pulse.is_lively(INTERVAL_S)
    assert pulse.patience_s <= LIVELY * INTERVAL_S


@pytest.mark.parametrize(
    ("ages", "heard_age", "cause", "dead"),
    [
        ({"a": 0.1, "b": 7.0}, 0.1, Cause.HALF_DEAD, {"b"}),
        ({"a": 7.0, "b": 7.0}, 7.0, Cause.SILENT, {"a", "b"}),
        ({"a": 7.0, "b": 7.0}, 0.1, Cause.REPEATING, {"a", "b"}),
        ({"a": 0.1, "b": 0.2}, 0.1, None, set()),
    ],
)
def test_each_fault_has_its_name(ages, heard_age, cause, dead):
    now = 1000.0
    pulses = {name: beating(now, age) for name, age in ages.items()}
    pulses = {name: pulse.denied(now - 3) if ages[name] > 5 else pulse for name, pulse in pulses.items()}
    verdict = judge(pulses, now, INTERVAL_S, heard_at=now - heard_age)
    assert (verdict.cause, set(verdict.dead)) == (cause, dead)


def test_silence_alone_is_a_suspicion_not_a_verdict():
    pulses = {"a": beating(1000.0, 7.0), "b": beating(1000.0)}
    verdict = judge(pulses, 1000.0, INTERVAL_S, heard_at=1000.0)
    assert (verdict.cause, verdict.suspects) == (None, ("a",))


@pytest.mark.parametrize("cause", [Cause.CLOSED, Cause.REFUSED])
def test_a_connection_that_ended_takes_all_its_streams_along(cause):
    verdict = judge({"a": beating(0.0), "b": beating(0.0)}, 0.0, INTERVAL_S, heard_at=0.0, broken=cause)
    assert (verdict.cause, set(verdict.dead)) == (cause, {"a", "b"})
