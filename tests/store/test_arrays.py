"""The text of JSON array files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.store import arrays
from scanner.store.arrays import State

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
records = st.dictionaries(st.text(max_size=5), values | st.dictionaries(st.text(max_size=3), values), max_size=4)


def text_of(some):
    return arrays.whole([arrays.encode(record) for record in some])


@given(st.lists(records))
def test_what_goes_in_comes_out(some):
    text = text_of(some)
    assert json.loads(text) == some
    assert arrays.read(text) == (State.SOUND, some, len(text) - len(arrays.CLOSING) if some else 1)


@given(st.lists(records, max_size=4), st.data())
def test_a_file_cut_anywhere_gives_its_first_records(some, data):
    text = text_of(some)
    cut = text[: data.draw(st.integers(0, len(text)))]
    content = arrays.read(cut)
    assert content.state is not State.FOREIGN
    assert content.records == some[: len(content.records)]
    assert len(content.records) >= cut.count(b"},\n")


@given(st.lists(records, max_size=3), st.lists(records, min_size=1, max_size=3))
def test_an_addition_at_the_end_of_the_content_gives_the_longer_array(some, more):
    text = text_of(some)
    end = arrays.read(text).end
    lines = [arrays.encode(record) for record in more]
    assert text[:end] + arrays.addition(lines, bool(some)) + arrays.CLOSING == text_of(some + more)


@given(st.lists(records, min_size=1, max_size=3))
def test_an_array_laid_out_by_another_program_can_be_added_to(some):
    text = json.dumps(some, indent=2).encode() + b"\n\n  "
    end = arrays.read(text).end
    longer = text[:end] + arrays.addition([b'{"new":1}'], True) + arrays.CLOSING
    assert json.loads(longer) == [*some, {"new": 1}]


@given(st.binary())
def test_no_bytes_make_reading_fail(data):
    arrays.read(data)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"{}", 0),
        (b"[1,2]", 0),
        (b"PAR1", 0),
        (b"\xff\xfe", 0),
        (b"null", 0),
        (b" ", 0),
        (b'[\n{"a":1}\n]\nmore', 1),
        (b'[\n{"a":1},\n{"a":2}\0\0\0\0', 2),
        (b'[\n{"a":1},\n{"a":\0\0', 1),
        (b'[\n{"a":1},\n{"a":"\xff"},\n{"a":3}\n]\n', 1),
        (b'[\n{"a":1},\n{"a":NaN}\n]\n', 1),
        (b'[\n{"a":1},\n{"a":"\\ud800"}\n]\n', 1),
        (b'[\n{"a":1},\n7\n]\n', 0),
        (b"[" * 100_000, 0),
        (b'[{"a":' * 100_000, 0),
    ],
)
def test_foreign_bytes_are_recognised_and_what_stands_before_them_is_read(text, kept):
    content = arrays.read(text)
    assert (content.state, len(content.records)) == (State.FOREIGN, kept)


def test_missing_numbers_are_null_and_numpy_scalars_plain():
    text = arrays.encode({"a": math.nan, "b": -math.inf, "c": np.float64(0.5), "d": np.bool_(True), "e": np.int64(7)})
    assert json.loads(text) == {"a": None, "b": None, "c": 0.5, "d": True, "e": 7}


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**70, "\ud800"])
def test_a_value_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError):
        arrays.encode({"a": value})
