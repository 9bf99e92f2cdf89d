"""Watermarks and coverage as values: how they begin, what they forget, how they move to another book."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.finality import NEVER_MS
from scanner.runtime.book.watermarks import Coverage, PerMarket, Watermarks

KINDS = (Watermarks, Coverage)


def drawn(kind: type[Watermarks] | type[Coverage], markets: int, seed: int) -> Watermarks | Coverage:
    """One of which every market knows something else."""
    made, rng = kind.of_new(markets), np.random.default_rng(seed)
    for column in fields(made):
        values = getattr(made, column.name)
        values[:] = rng.permutation(markets) % 2 if values.dtype == bool else rng.permutation(markets)
    return made


def rows_of(made: PerMarket) -> list[tuple[int, ...]]:
    """What is known of each market."""
    return list(zip(*(getattr(made, column.name).tolist() for column in fields(made)), strict=True))


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(1, 8), st.integers(0, 99), st.data())
def test_all_that_is_known_of_a_market_moves_with_it_and_nothing_else(
    kind: type[Watermarks] | type[Coverage], markets: int, seed: int, data: st.DataObject
) -> None:
    before, new = drawn(kind, markets, seed), kind.of_new(markets + 3)
    rows = np.array(data.draw(st.lists(st.integers(0, markets - 1), unique=True)), dtype=np.int64)
    to = np.array(data.draw(st.permutations(range(markets + 3)))[: len(rows)], dtype=np.int64)
    known, blank = rows_of(before), rows_of(new)[0]
    before.carry(rows, new, to)
    expected = [blank] * (markets + 3)
    for row, target in zip(rows.tolist(), to.tolist(), strict=True):
        expected[target] = known[row]
    assert rows_of(new) == expected
    assert rows_of(before) == known
    for column in fields(new):
        getattr(new, column.name)[:] = 0  # copies: who goes on does not write in the book before
    assert rows_of(before) == known


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_forgotten_of_some_markets_is_known_of_the_others(kind: type[Watermarks] | type[Coverage]) -> None:
    made = drawn(kind, 4, 1)
    before = rows_of(made)
    made.forget(np.array([1, 3]))
    after = rows_of(made)
    assert [after[0], after[2]] == [before[0], before[2]]


def test_a_market_forgotten_is_as_new_but_its_final_signals_are_not_made_twice() -> None:
    made = drawn(Watermarks, 1, 1)
    made.told_through_ms[:] = 7
    made.forget(np.array([0]))
    made.late_until_ms[:] = 0
    assert rows_of(made) == rows_of(Watermarks.of_new(1, told_ms=7))


def test_a_market_from_disk_is_known_up_to_where_it_is_sure_and_late_from_there_to_the_news() -> None:
    made = Watermarks.of_new(2)
    made.begin(np.array([1]), sure_ms=np.array([30]), late_ms=np.array([50]), news_ms=np.array([90]))
    assert rows_of(made) == [rows_of(Watermarks.of_new(1))[0], (1, 30, -1, 30, 30, 50, 90)]
    assert made.late_from_ms[0] == NEVER_MS


@given(st.lists(st.integers(-1, 50), min_size=1, max_size=5), st.integers(0, 60))
def test_news_begin_after_what_was_told_and_never_before_the_start(told: list[int], started_ms: int) -> None:
    made = Watermarks.of_new(len(told))
    made.told_through_ms[:] = [step * 10 for step in told]
    news = made.news_from_ms(started_ms * 10 + 3, 10)
    np.testing.assert_array_equal(news, [max(step + 1, started_ms) * 10 for step in told])
