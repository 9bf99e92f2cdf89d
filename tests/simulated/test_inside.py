"""The way a price takes inside a candle: reached step by step, never ahead of itself."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.simulated.inside import DRAWS, part, paths, split
from scanner.simulated.source import Series, aggregate

FIVE = 300_000
fractions = st.lists(st.floats(0.001, 1.0), min_size=2, max_size=8).map(sorted)


def candles_of(seed: int, count: int = 4) -> tuple[Series, np.ndarray]:
    """Candles with two decimals, and the draws for their paths."""
    rng = np.random.default_rng(seed)
    body = np.round(100 + rng.normal(0, 2, (count, 2)), 2)
    high = np.round(body.max(axis=1) + rng.exponential(0.5, count) * rng.integers(0, 2, count), 2)
    low = np.round(body.min(axis=1) - rng.exponential(0.5, count) * rng.integers(0, 2, count), 2)
    candles = Series(np.arange(count) * FIVE, body[:, 0], high, low, body[:, 1], rng.integers(1, 50, count) * 1.0)
    return candles, rng.random((count, DRAWS))


@given(st.integers(0, 2**32 - 1))
def test_the_whole_way_is_the_candle(seed):
    candles, draws = candles_of(seed)
    whole = part(candles, paths(candles, draws, 2), 0.0, 1.0, 2)
    for made, given_ in zip(whole.columns(), candles.columns(), strict=True):
        np.testing.assert_allclose(made, given_, rtol=1e-12)


@given(st.integers(0, 2**32 - 1), fractions)
def test_a_forming_candle_only_grows(seed, moments):
    candles, draws = candles_of(seed)
    way = paths(candles, draws, 2)
    seen = [part(candles, way, 0.0, moment, 2) for moment in moments]
    for before, after in itertools.pairwise(seen):
        assert (after.high >= before.high).all()
        assert (after.low <= before.low).all()
        assert (after.volume >= before.volume).all()
        assert (after.open == candles.open).all()
    assert all((now.high <= candles.high).all() and (now.low >= candles.low).all() for now in seen)
    assert all((now.low <= now.close).all() and (now.close <= now.high).all() for now in seen)


@given(st.integers(0, 2**32 - 1))
def test_minutes_add_up_to_their_candle(seed):
    candles, draws = candles_of(seed)
    minutes = split(candles, paths(candles, draws, 2), 5, FIVE, 2)
    assert minutes.open_time.tolist() == list(range(0, 4 * FIVE, 60_000))
    made = aggregate(minutes, FIVE)
    for column, given_ in zip(made.columns(), candles.columns(), strict=True):
        np.testing.assert_allclose(column, given_, rtol=1e-12)


def test_a_candle_that_has_just_opened_shows_its_open_alone():
    candles, draws = candles_of(3)
    now = part(candles, paths(candles, draws, 2), 0.0, 0.0, 2)
    assert (now.high == candles.open).all()
    assert (now.low == candles.open).all()
    assert (now.volume == 0).all()
