from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.rows import CAPPED_FROM, next_page, sound_columns

MIN = 60_000
GOOD = [5 * MIN, 10.0, 12.0, 9.0, 11.0, 3.0]


def with_field(index: int, value: object) -> list[object]:
    return [*GOOD[:index], value, *GOOD[index + 1 :]]


def test_a_good_row_is_kept_as_it_is():
    table = sound_columns([GOOD], MIN)
    assert [column[0] for column in table[:6]] == GOOD
    assert table.open_time.dtype == np.int64
    assert table.dropped == 0


def test_no_rows_are_no_candles():
    table = sound_columns([], MIN)
    assert [len(column) for column in table[:6]] == [0] * 6


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0])
def test_a_row_with_an_impossible_field_is_dropped(index, value):
    table = sound_columns([GOOD, with_field(index, value)], MIN)
    assert (len(table.open_time), table.dropped) == (1, 1)


@pytest.mark.parametrize(("index", "value"), [(0, 5 * MIN + 1), (0, 0), (1, 0.0), (4, 0.0), (3, 12.5), (0, 1e300)])
def test_other_unsound_rows(index, value):
    assert sound_columns([with_field(index, value)], MIN).dropped == 1


def test_a_row_without_volume_traded_nothing_but_exists():
    assert sound_columns([with_field(5, 0.0)], MIN).dropped == 0


def test_the_last_word_on_a_candle_wins():
    table = sound_columns([GOOD, [4 * MIN, *GOOD[1:]], with_field(4, 10.5)], MIN)
    assert table.open_time.tolist() == [4 * MIN, 5 * MIN]
    assert table.close.tolist() == [11.0, 10.5]
    assert table.dropped == 0


@pytest.mark.parametrize("rows", ["<html>", [["a", "b"]], [[1, 2], [3]]])
def test_what_is_no_table_is_refused(rows):
    with pytest.raises((ValueError, TypeError)):
        sound_columns(rows, MIN)


field = st.one_of(st.none(), st.floats(), st.integers(-5, 5), st.just(float(MIN)))


@given(st.lists(st.tuples(*[field] * 6), max_size=20))
def test_whatever_comes_only_sound_candles_leave(rows):
    table = sound_columns(rows, MIN)
    assert (np.diff(table.open_time) > 0).all()
    assert (table.open_time % MIN == 0).all()
    for column in table[1:5]:
        assert (np.isfinite(column) & (column > 0)).all()
    assert (table.volume >= 0).all()
    assert len(table.open_time) + table.dropped <= len(rows)


def test_the_next_page_begins_where_this_one_was_to_end():
    assert next_page([0, MIN, 7 * MIN], 0, 200, MIN) == 200 * MIN
    assert next_page([], 0, 200, MIN) == 200 * MIN


def test_an_unbroken_page_that_ends_early_was_capped():
    capped = [i * MIN for i in range(CAPPED_FROM)]
    assert next_page(capped, 0, 200, MIN) == CAPPED_FROM * MIN
    assert next_page(capped[:-1], 0, 200, MIN) == 200 * MIN


@given(st.integers(0, 100), st.integers(1, 300), st.sets(st.integers(0, 400)))
def test_paging_always_gets_on(since, asked, candles):
    times = [minute * MIN for minute in sorted(candles)]
    assert since * MIN < next_page(times, since * MIN, asked, MIN) <= (since + asked) * MIN
