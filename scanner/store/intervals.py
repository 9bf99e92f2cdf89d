"""Stretches of time as pairs (from, to) of int ms, the end not included. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as possible, oldest first; empty ones are left out."""
    found: list[Span] = []
    for begins, ends in sorted(span for span in spans if span[0] < span[1]):
        if found and begins <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        else:
            found.append((begins, ends))
    return found


def common(span: Span, covers: Sequence[Span]) -> list[Span]:
    """The parts of `span` that lie in one of `covers`, which must be a union."""
    first = max(bisect_right(covers, span[0], key=lambda cover: cover[0]) - 1, 0)
    parts: list[Span] = []
    for begins, ends in covers[first:]:
        if begins >= span[1]:
            break
        if ends > span[0]:
            parts.append((max(begins, span[0]), min(ends, span[1])))
    return [part for part in parts if part[0] < part[1]]


def without(span: Span, covers: Sequence[Span]) -> list[Span]:
    """The parts of `span` that lie in none of `covers`, which must be a union."""
    left, begins = [], span[0]
    for inside in common(span, covers):
        left.append((begins, inside[0]))
        begins = inside[1]
    return [part for part in [*left, (begins, span[1])] if part[0] < part[1]]
