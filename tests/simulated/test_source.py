"""Bigger candles from smaller ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.simulated.source import Series, aggregate, empty, joined, on_grid

MINUTE = 60_000


def series(*rows: tuple[float, float, float, float, float], start: int = 0, step: int = MINUTE) -> Series:
    """Candles (open, high, low, close, volume), one a minute."""
    columns = np.array(rows, float).T
    return Series(start + np.arange(len(rows)) * step, *columns)


def test_a_bigger_candle_opens_first_closes_last_and_sums_volume():
    made = aggregate(series((10, 12, 9, 11, 5), (11, 15, 11, 14, 7), (14, 14, 8, 9, 1)), 3 * MINUTE)
    assert [column.tolist() for column in made.columns()] == [[0], [10], [15], [8], [9], [13]]


def test_an_untraded_candle_does_not_open_the_bigger_one():
    made = aggregate(series((10, 10, 10, 10, 0), (12, 13, 12, 13, 2), (13, 13, 13, 13, 0)), 3 * MINUTE)
    assert (made.open[0], made.high[0], made.low[0], made.close[0], made.volume[0]) == (12, 13, 12, 13, 2)


def test_where_nobody_traded_the_bigger_candle_is_flat():
    made = aggregate(series((10, 10, 10, 10, 0), (10, 10, 10, 10, 0)), 2 * MINUTE)
    assert (made.open[0], made.high[0], made.low[0], made.close[0], made.volume[0]) == (10, 10, 10, 10, 0)


def test_gaps_stay_gaps():
    early, late = series((1, 1, 1, 1, 1)), series((2, 2, 2, 2, 2), start=9 * MINUTE)
    assert aggregate(joined([early, late]), 3 * MINUTE).open_time.tolist() == [0, 9 * MINUTE]


def test_nothing_aggregates_to_nothing():
    assert len(aggregate(empty(), MINUTE)) == 0
    assert len(joined([])) == 0


def test_between_takes_both_ends():
    found = series(*[(1, 1, 1, 1, 1)] * 5).between(MINUTE, 3 * MINUTE)
    assert found.open_time.tolist() == [MINUTE, 2 * MINUTE, 3 * MINUTE]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 7))
def test_aggregating_equals_a_plain_loop(seed, count, group):
    rng = np.random.default_rng(seed)
    times = np.sort(rng.choice(120, count, replace=False)) * MINUTE
    prices = rng.integers(1, 100, (count, 4)).astype(float)
    volume = rng.integers(0, 3, count).astype(float)
    candles = Series(times, prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, 1], volume)
    made, length = aggregate(candles, group * MINUTE), group * MINUTE
    for i, opened in enumerate(made.open_time.tolist()):
        rows = [j for j in range(count) if times[j] // length * length == opened]
        rows = [j for j in rows if volume[j] > 0] or rows
        assert made.open[i] == candles.open[rows[0]]
        assert made.close[i] == candles.close[rows[-1]]
        assert made.high[i] == max(candles.high[j] for j in rows)
        assert made.low[i] == min(candles.low[j] for j in rows)
        assert made.volume[i] == sum(volume[j] for j in rows)
    assert set(made.open_time.tolist()) == {int(t) // length * length for t in times}


def test_prices_on_the_grid_are_the_nearest_decimal():
    assert on_grid(np.array([0.1234567, 3.999e-06]), np.array([3, 9])).tolist() == [0.123, 3.999e-06]
