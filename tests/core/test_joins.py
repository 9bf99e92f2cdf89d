"""Joins that see no future."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.joins import newest_known

STEP = 12
CANDLES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40)), max_size=9, unique_by=lambda each: each[0])
ROWS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40)), max_size=9)


def joined(candles, rows):
    """Candles as (number, delay), rows as (close, delay)."""
    ordered = sorted(candles)
    close = np.array([number * STEP for number, _ in ordered], dtype=np.int64)
    known = close + np.array([delay for _, delay in ordered], dtype=np.int64)
    at = np.array([close for close, _ in rows], dtype=np.int64)
    return newest_known(close, known, at, at + np.array([delay for _, delay in rows], dtype=np.int64), STEP).tolist()


def naive(candles, rows):
    ordered = sorted(candles)
    found = []
    for close, delay in rows:
        may = [
            index
            for index, (number, late) in enumerate(ordered)
            if close - 2 * STEP < number * STEP <= close and number * STEP + late <= close + delay
        ]
        found.append(may[-1] if may else -1)
    return found


@given(CANDLES, ROWS)
def test_the_newest_closed_known_and_young_one_joins(candles, rows):
    assert joined(candles, rows) == naive(candles, rows)


def test_a_candle_joins_from_its_close_on_and_when_it_was_known():
    hourly = [(1, 1), (2, 1)]  # close at 12 and 24, known at 13 and 25
    rows = [(11, 5), (12, 0), (12, 1), (23, 1), (24, 0), (24, 1), (35, 1), (47, 1), (48, 1)]
    assert joined(hourly, rows) == [-1, -1, 0, 0, 0, 1, 1, 1, -1]


@given(CANDLES, ROWS, st.tuples(st.integers(1, 9), st.integers(0, 40)))
def test_what_closes_or_is_made_later_changes_nothing_before(candles, rows, added):
    number, late = added
    before = [row for row in rows if row[0] < number * STEP or sum(row) < number * STEP + late]
    others = [each for each in candles if each[0] != number]
    values = [sorted(others)[index] if index >= 0 else None for index in joined(others, before)]
    more = sorted([*others, added])
    assert [more[index] if index >= 0 else None for index in joined(more, before)] == values
