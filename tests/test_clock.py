"""Clocks: real, fast, standing still, turned by hand."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from scanner.clock import ManualClock, ScaledClock, WallClock
from tests.waiting import wait_for


def test_the_wall_clock_is_the_time_in_milliseconds() -> None:
    before = int(time.time() * 1000)
    assert before <= WallClock().now_ms() <= int(time.time() * 1000) + 1
    assert WallClock().speed == 1.0


def test_a_scaled_clock_runs_as_many_times_faster() -> None:
    began_ns = time.monotonic_ns()
    clock = ScaledClock(1_000, speed=10_000)
    wait_for(lambda: clock.now_ms() > 101_000)
    assert clock.now_ms() <= 1_000 + (time.monotonic_ns() - began_ns) / 1e6 * 10_000


def test_it_starts_where_it_is_told_and_never_goes_back() -> None:
    clock = ScaledClock(5_000_000, speed=0.1)
    seen = [clock.now_ms() for _ in range(1000)]
    assert 5_000_000 <= seen[0] < 5_000_500
    assert seen == sorted(seen)


def test_it_stands_still_at_its_end() -> None:
    clock = ScaledClock(0, speed=100_000, until_ms=2_000)
    assert wait_for(lambda: clock.now_ms() == 2_000)
    assert clock.now_ms() == 2_000


@given(st.integers(0, 2**50), st.lists(st.integers(0, 2**40), max_size=10))
def test_a_manual_clock_moves_only_when_told_to(start_ms: int, steps: list[int]) -> None:
    clock = ManualClock(start_ms)
    for step in steps:
        clock.advance(step)
    assert clock.now_ms() == clock.now_ms() == start_ms + sum(steps)
