"""When the signal stream runs: right after a close can be final, and every interval."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.runtime.rhythm import Rhythm

FIVE_MIN = 300_000
CLOSE = 1_700_000_100_000  # a boundary of 5 minutes
GRACE = 15_000


def runs(first_ms: int, count: int, interval_s: float = 30, grace_ms: int = GRACE, speed: float = 1) -> list[int]:
    """Market ms of so many runs after one that begins at `first_ms`."""
    now = [first_ms]
    rhythm = Rhythm(interval_s, FIVE_MIN, grace_ms, lambda: now[0], speed)
    found = []
    for _ in range(count):
        now[0] += round(rhythm.wait_s() * 1000 * speed)
        found.append(now[0])
    return found


def test_a_run_begins_right_after_the_grace_of_each_close_and_every_30_s() -> None:
    found = runs(CLOSE - 20_000, 11)
    assert found[0] == CLOSE + GRACE + 100  # 5 s after the first run would have been too soon
    assert [later - earlier for earlier, later in itertools.pairwise(found)] == [30_000] * 10
    assert found[-1] == CLOSE + FIVE_MIN + GRACE + 100


@given(
    first_s=st.integers(0, 100_000),
    interval_s=st.floats(1, 290),
    grace_ms=st.integers(0, 60_000),
    speed=st.sampled_from([1.0, 2.5, 60.0]),
)
def test_no_close_is_left_out_whatever_the_interval(
    first_s: int, interval_s: float, grace_ms: int, speed: float
) -> None:
    interval_s /= speed
    margin = round(100 * speed)
    found = runs(CLOSE + first_s * 1000, 800, interval_s, grace_ms, speed)
    spacings = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert max(spacings) <= interval_s * 1000 * speed + 3
    assert min(spacings) >= interval_s * 1000 * speed / 2 - 3
    first = -(-(found[0] - grace_ms - margin) // FIVE_MIN) * FIVE_MIN
    for close in range(first, found[-1] - grace_ms - margin - 10, FIVE_MIN):
        assert any(0 <= run - (close + grace_ms + margin) + 3 <= 6 for run in found)


@pytest.mark.parametrize(("interval_s", "every_ms"), [(300, FIVE_MIN), (700, 2 * FIVE_MIN), (45, FIVE_MIN / 7)])
def test_an_interval_that_does_not_fit_into_candles_is_made_a_little_shorter(
    interval_s: float, every_ms: float
) -> None:
    found = runs(CLOSE + 1, 10, interval_s)
    assert found[-1] - found[-2] == pytest.approx(every_ms, abs=2)
    assert (found[-1] - found[-2] * 1.0) <= interval_s * 1000


def test_a_clock_that_stands_still_stops_no_run() -> None:
    rhythm = Rhythm(0.25, FIVE_MIN, GRACE, lambda: CLOSE + 16_000, 600)
    assert 0.125 <= rhythm.wait_s() <= 0.375
