"""Stretches of time, against sets of moments."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scanner.store.intervals import Span, common, union, without

spans = st.tuples(st.integers(0, 30), st.integers(0, 30))
many = st.lists(spans, max_size=8)


def moments(found: list[Span]) -> set[int]:
    return {moment for begins, ends in found for moment in range(begins, ends)}


def assert_tidy(found: list[Span]) -> None:
    assert all(begins < ends for begins, ends in found)
    assert found == sorted(found)


@given(many)
def test_a_union_holds_the_same_moments_in_separate_spans(given: list[Span]) -> None:
    found = union(given)
    assert moments(found) == moments(given)
    assert_tidy(found)
    assert all(one[1] < other[0] for one, other in pairwise(found))
    assert union(found) == found


@given(spans, many)
def test_a_span_is_what_it_has_in_common_and_what_not(span: Span, given: list[Span]) -> None:
    covers = union(given)
    inside, outside = common(span, covers), without(span, covers)
    assert moments(inside) == moments([span]) & moments(covers)
    assert moments(outside) == moments([span]) - moments(covers)
    assert_tidy(inside)
    assert_tidy(outside)
