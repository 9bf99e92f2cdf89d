"""Descriptions of Parquet files, in pieces."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from scanner.store import footer, ohlcv
from tests.store.making import MIDNIGHT


def candles(count):
    return ohlcv.Rows(MIDNIGHT + 300_000 * np.arange(count), np.random.default_rng(count).random((count, 5)))


@pytest.mark.parametrize("count", [0, 1, 5001, 100_000])
def test_a_description_taken_apart_is_put_together_again(count):
    file = ohlcv.encode(candles(count))
    pieces = footer.taken_apart(file)
    assert len(pieces.groups) == max(1, -(-count // ohlcv.GROUP))
    assert footer.put_together(pieces, pieces.groups, count) == file[footer.begins(file) :]


def test_descriptions_of_other_writers_are_understood():
    """Statistics, dictionaries, several types and what pandas says of itself included."""
    frame = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"], "c": [True, False], "d": pd.to_datetime([0, 1], unit="s")})
    for version in ("1.0", "2.6"):
        buffer = io.BytesIO()
        frame.to_parquet(buffer, version=version, write_page_index=True)
        pieces = footer.taken_apart(buffer.getvalue())
        again = footer.put_together(pieces, pieces.groups, 2)
        assert again == buffer.getvalue()[footer.begins(buffer.getvalue()) :]


def test_a_file_is_described_without_some_of_its_groups():
    history = candles(12_000)
    file = ohlcv.encode(history)
    pieces = footer.taken_apart(file)
    ending = footer.put_together(pieces, pieces.groups[::2], 7_000)
    fewer = file[: footer.begins(file)] + ending
    assert pq.read_metadata(io.BytesIO(fewer)).num_row_groups == 2
    left = ohlcv.merge(history.before(int(history.open_time[5_000])), history.since(int(history.open_time[10_000])))
    assert ohlcv.read(io.BytesIO(fewer)).equals(left)


def test_what_is_no_description_is_refused():
    file = ohlcv.encode(candles(3))
    for text in (b"", b"PAR1" * 4, file[:-9], file[:-60] + file[-8:], bytes(1000)):
        with pytest.raises(ValueError, match="footer: "):
            footer.taken_apart(text)
