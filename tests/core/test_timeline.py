"""Kept candles on a gapless line of time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.timeline import on_timeline

NAN = float("nan")


def line(closes, untraded=(), step=10):
    """Closes by open time, on the timeline: when it begins, its closes and volumes."""
    moments = np.array(sorted(closes), dtype=np.int64)
    values = np.array([[closes[moment]] * 4 + [5.0] for moment in moments.tolist()]).reshape(-1, 5)
    spans = np.array(untraded, dtype=np.int64).reshape(-1, 2)
    first, candles = on_timeline(moments, values, step, spans[:, 0], spans[:, 1])
    return first, candles.close.tolist(), candles.volume.tolist()


def same(found, expected):
    np.testing.assert_array_equal(np.array(found), np.array(expected))


def test_unknown_candles_are_missing():
    first, close, volume = line({20: 1.0, 30: 2.0, 60: 3.0})
    assert first == 20
    same(close, [1, 2, NAN, NAN, 3])
    same(volume, [5, 5, NAN, NAN, 5])


def test_untraded_candles_have_the_close_before_them():
    _, close, volume = line({20: 1.0, 60: 3.0}, [(30, 50), (70, 90)])
    same(close, [1, 1, 1, NAN, 3, 3, 3])
    same(volume, [5, 0, 0, NAN, 5, 0, 0])


def test_nothing_is_carried_over_an_unknown_candle():
    _, close, _ = line({20: 1.0, 60: 3.0}, [(40, 60)])
    same(close, [1, NAN, NAN, NAN, 3])


def test_a_longer_candle_that_is_untraded_in_part_is_unknown():
    same(line({0: 1.0, 30: 2.0}, [(10, 15), (20, 30)])[1], [1, NAN, NAN, 2])
    same(line({0: 1.0}, [(10, 35)])[1], [1, 1, 1])


def test_candles_off_the_grid_are_left_out_and_none_are_an_empty_line():
    same(line({3: 9.0, 10: 1.0})[1], [1])
    assert line({})[1] == line({3: 9.0}, [(10, 20)])[1] == []


@given(st.dictionaries(st.integers(0, 20), st.floats(1, 9)), st.sets(st.integers(0, 25)))
def test_every_candle_is_as_a_loop_would_have_it(closes, untraded):
    _, found, _ = line(
        {number * 10: close for number, close in closes.items()},
        [(number * 10, number * 10 + 10) for number in sorted(untraded)],
    )
    expected, last = [], NAN
    for number in range(min(closes, default=0), max([*closes, *untraded], default=-1) + 1) if closes else ():
        last = closes.get(number, last if number in untraded else NAN)
        expected.append(last)
    same(found, expected[: len(found)])
    assert all(np.isnan(value) for value in expected[len(found) :])
    assert len(found) <= len(expected)
