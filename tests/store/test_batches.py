"""Batches of candles as bytes: what was encoded is read again, whatever stands before or behind it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.store import batches, ohlcv
from scanner.store.batches import OPENING, State
from tests.store.making import MIDNIGHT, batches_of, rows, same_batches

NAMES = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))
ENTRIES = st.tuples(NAMES, st.builds(rows, st.integers(0, 10**6), st.integers(1, 5), st.floats()))
SEGMENTS = st.lists(st.lists(ENTRIES, min_size=1, max_size=4), max_size=4)


@given(SEGMENTS)
def test_a_segment_is_read_as_it_was_written(wanted):
    text = batches.segment_of(wanted)
    content = batches.read(text)
    same_batches(content.batches, wanted)
    assert (content.end, content.state) == (len(text), State.SOUND)


@given(st.data())
def test_a_segment_cut_anywhere_keeps_its_whole_batches(data):
    text = batches.segment_of(batches_of(3))
    length = data.draw(st.integers(0, len(text)))
    zeros = data.draw(st.sampled_from([0, 1, 500]))
    content = batches.read(text[:length] + bytes(zeros))
    same_batches(content.batches, batches_of(3)[: len(content.batches)])
    assert content.state is not State.FOREIGN
    assert (content.state is State.SOUND) == (zeros == 0 and content.end == length and length >= len(OPENING))
    whole = (length - len(OPENING)) * 3 // (len(text) - len(OPENING))
    assert len(content.batches) == max(whole, 0)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed(where, change):
    text = bytearray(batches.segment_of(batches_of(3)))
    where %= len(text)
    text[where] ^= change
    content = batches.read(bytes(text))
    assert content.state is not State.SOUND
    number = (where - len(OPENING)) * 3 // (len(text) - len(OPENING))
    same_batches(content.batches, [batch for other, batch in enumerate(batches_of(3)) if other != number])
    assert content.state is State.FOREIGN or number == 2  # whatever stands behind it must not be cut off


@given(st.binary())
def test_foreign_bytes_never_raise(data):
    assert batches.read(data).batches == batches.read(OPENING + data).batches == []


def test_missing_volumes_survive():
    odd = ohlcv.Rows(np.array([MIDNIGHT]), np.array([[1.0, 2.0, 0.5, 1.5, np.nan]]))
    same_batches(batches.read(OPENING + batches.encode([("a", odd)])).batches, [[("a", odd)]])
