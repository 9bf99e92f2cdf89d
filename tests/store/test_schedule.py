"""When files fall due, and the share of the time that writing takes."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.store.schedule import (
    BURST_S,
    FILES_AT_THAT_PACE,
    HISTORY,
    RETRY_S,
    REWRITE_S,
    ROWS_AT_THAT_PACE,
    WRITING_SHARE,
    Allowance,
    Schedule,
    delay_s,
)

NAME = "binance_BTCUSDT_5m.parquet"
COUNTS = st.integers(1, 10**7)
SECONDS = st.floats(0, 1e6)
MOVES = st.lists(
    st.tuples(st.sampled_from(["put", "take", "refuse", "write", "hurry"]), st.sampled_from("abc"), SECONDS)
)


@pytest.mark.parametrize(("new", "stored"), [(1, 0), (5000, 0), (HISTORY + 1, 1), (301, 300)])
def test_first_candles_and_histories_are_written_at_once(new, stored):
    assert delay_s(NAME, new, stored, 8000) == 0.0


@given(st.text(), st.integers(1, HISTORY), COUNTS, COUNTS)
def test_a_candle_waits_longer_in_a_longer_file_and_among_more_files(name, new, stored, count):
    delay = delay_s(name, new, stored, count)
    longest = REWRITE_S * max(1, stored / ROWS_AT_THAT_PACE) * max(1, count / FILES_AT_THAT_PACE)
    assert longest / 2 <= delay < longest * (1 + 1e-9) + 1e-9
    assert delay <= delay_s(name, new, 2 * stored, count)
    assert delay <= delay_s(name, new, stored, 2 * count)


def test_a_file_ten_times_as_long_among_ten_times_as_many_waits_a_hundred_times_as_long():
    short = delay_s(NAME, 1, ROWS_AT_THAT_PACE, FILES_AT_THAT_PACE)
    assert delay_s(NAME, 1, 10 * ROWS_AT_THAT_PACE, 10 * FILES_AT_THAT_PACE) == pytest.approx(100 * short)


def test_delays_are_spread_evenly_by_name():
    delays = [delay_s(f"binance_C{number}USDT_5m.parquet", 1, 1, 1) / REWRITE_S for number in range(1000)]
    assert statistics.mean(delays) == pytest.approx(0.75, abs=0.02)
    assert (min(delays) < 0.51, max(delays) > 0.99) == (True, True)


@given(MOVES)
def test_the_file_that_has_been_due_for_longest_is_next_and_each_once(moves):
    """Against a plain table of what is due when."""
    schedule, due, refused, now = Schedule(), dict[str, float](), set[str](), 0.0

    def put(name, moment):
        due[name] = min(moment, due.get(name, math.inf))

    for what, name, seconds in moves:
        if what == "put":
            schedule.put(name, now + seconds)
            put(name, now + seconds)
        elif what == "refuse":
            schedule.note_refused(name, now)
            refused.add(name)
            put(name, now + RETRY_S)
        elif what == "write":
            schedule.note_written(name)
            refused.discard(name)
        elif what == "hurry":
            schedule.hurry_refused(now)
            for each in refused:
                put(each, now)
        else:
            now += seconds
            _, wanted = min(((moment, each) for each, moment in due.items() if moment <= now), default=(0.0, None))
            assert schedule.next_due(now) == wanted
            due.pop(wanted, None)


def test_a_file_that_was_refused_is_tried_again_after_a_while_or_when_others_are_taken():
    schedule = Schedule()
    schedule.note_refused(NAME, 100.0)
    assert schedule.next_due(100.0 + RETRY_S - 1) is None
    schedule.hurry_refused(101.0)
    assert [schedule.next_due(101.0), schedule.next_due(1e9)] == [NAME, None]
    schedule.note_written(NAME)
    schedule.hurry_refused(102.0)
    assert schedule.next_due(1e9) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.001, 10)), min_size=1))
def test_writing_takes_its_share_of_the_time_and_one_burst_at_most(writes):
    """Each write: seconds that pass before it, and that it takes if it may begin."""
    now, written, longest = 0.0, 0.0, 0.0
    allowance = Allowance(now)
    for pause, takes in writes:
        now += pause
        if allowance.is_left(now):
            allowance.spend(takes)
            now, written, longest = now + takes, written + takes, max(longest, takes)
        assert written <= BURST_S + now * WRITING_SHARE + longest + 1e-6


@given(st.floats(0, 1e6), st.floats(0.001, 100))
def test_who_has_overdrawn_may_write_again_once_that_is_earned(now, excess):
    allowance = Allowance(now)
    allowance.spend(BURST_S + excess)
    assert not allowance.is_left(now)
    assert not allowance.is_left(now + 0.99 * excess / WRITING_SHARE)
    assert allowance.is_left(now + 1.01 * excess / WRITING_SHARE + 1e-3)
