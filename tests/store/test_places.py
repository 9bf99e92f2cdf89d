"""Parquet files that follow each other: what stays where it was, and how long they become."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.store import footer, ohlcv, places
from tests.store.making import MIDNIGHT

STEP = 300_000
PRICES = np.random.default_rng(1).lognormal(4, 0.1, (60_000, 5)).round(2)


def candles(first, count):
    numbers = np.arange(first, first + count)
    return ohlcv.Rows(MIDNIGHT + STEP * numbers, PRICES[numbers])


def readable(file):
    return ohlcv.read(BytesIO(file))


def assert_old_readers_fare_well(old, new, held):
    """Those who have read the old description, and those who know the old size."""
    described = footer.begins(old)
    assert readable(new[:described] + old[described:]).equals(held)
    if len(new) != len(old):
        assert len(new) > len(old)
        assert readable(new[: len(old)]).equals(held)


@pytest.mark.parametrize(("count", "more"), [(1, 0), (300, 0.55), (12_000, 0.15)])
def test_a_file_that_grows_is_hardly_longer_than_its_candles_need(count, more):
    file = ohlcv.encode(candles(0, count))
    sizes = []
    for number in range(count, count + 300):
        longer = places.continued(file, candles(number, 1))
        assert_old_readers_fare_well(file, longer, candles(0, number))
        file = longer
        sizes.append(len(file))
    assert readable(file).equals(candles(0, count + 300))
    assert len(set(sizes)) < 10
    assert len(file) < (1 + more) * len(ohlcv.encode(candles(0, count + 300))) + 4 * places.BLOCK
    assert len(places._groups(file)) < 10


changes = st.lists(
    st.one_of(
        st.tuples(st.just("later"), st.integers(1, 400)),
        st.tuples(st.just("revised"), st.floats(0, 1)),
        st.tuples(st.just("removed"), st.floats(0, 1)),
        st.tuples(st.just("cut"), st.floats(0, 1)),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(st.sampled_from([0, 1, 300, 5_200]), changes)
def test_whatever_changes_the_file_holds_it_and_readers_of_the_one_before_fare_well(count, changes):
    held, newest = candles(0, count), count
    file = ohlcv.encode(held)
    for what, how in changes:
        wanted, longer = held, None
        at = int(how * (len(held) - 1)) if what != "later" and len(held) else 0
        if what == "later":
            wanted = ohlcv.merge(held, candles(newest, how))
            longer = places.continued(file, candles(newest, how))
            newest += how
        elif what == "revised":
            wanted = ohlcv.Rows(held.open_time, held.values.copy())
            wanted.values[at : at + 1] += 1
        elif what == "removed":
            wanted = ohlcv.Rows(
                np.delete(held.open_time, slice(at, at + 1)), np.delete(held.values, slice(at, at + 1), 0)
            )
        else:
            wanted = ohlcv.Rows(held.open_time[at:], held.values[at:])
        longer = longer or places.rewritten(file, held, wanted)
        assert readable(longer).equals(wanted)
        if len(longer) >= len(file):
            assert_old_readers_fare_well(file, longer, held)
        else:  # far too long before
            assert len(file) > places.WASTE * len(longer)
        file, held = longer, wanted


def test_a_revised_candle_moves_its_own_group_only():
    file = ohlcv.encode(candles(0, 20_000))
    revised = ohlcv.Rows(candles(0, 20_000).open_time, PRICES[:20_000].copy())
    revised.values[7_000] += 1
    new = places.rewritten(file, candles(0, 20_000), revised)
    before, after = ([group.span for group in places._groups(each)] for each in (file, new))
    assert [number for number in range(4) if before[number] != after[number]] == [1]
    assert readable(new).equals(revised)
    assert len(new) < 1.5 * len(file)


def test_only_the_newest_groups_are_read_and_written_by_later_candles():
    file = places.continued(ohlcv.encode(candles(0, 12_000)), candles(12_000, 3))
    longer = places.continued(file, candles(12_003, 4))
    assert [group.length for group in places._groups(longer)] == [5_000, 5_000, 2_000, 7]
    assert readable(longer).equals(candles(0, 12_007))
    assert ohlcv.read(BytesIO(longer), int(candles(12_006, 1).open_time[0])).equals(candles(12_000, 7))
    assert len(pd.read_parquet(BytesIO(longer))) == 12_007


def test_a_file_with_too_many_groups_is_written_anew(monkeypatch):
    monkeypatch.setattr(places, "_staying", lambda lengths, more: len(lengths))
    monkeypatch.setattr(places, "MOST_GROUPS", 5)
    file = ohlcv.encode(candles(0, 10))
    for number in range(10, 15):
        file = places.continued(file, candles(number, 1))
    assert places.continued(file, candles(15, 1)) is None
    anew = places.rewritten(file, candles(0, 15), candles(0, 16))
    assert [group.length for group in places._groups(anew)] == [16]
    assert_old_readers_fare_well(file, anew, candles(0, 15))


def test_what_cannot_be_continued_is_said():
    file = ohlcv.encode(candles(10, 3))
    assert places.continued(file, candles(10, 3)) is None
    assert places.continued(file, candles(0, 3)) is None
    assert places.continued(file, ohlcv.NONE) is None
    foreign = BytesIO()
    pd.DataFrame({"timestamp": [MIDNIGHT], "close": [1.0]}).to_parquet(foreign)
    for other in (b"", b"not Parquet", ohlcv.encode(ohlcv.NONE), foreign.getvalue()):
        assert places.continued(other, candles(20, 3)) is None


def test_a_file_of_another_writer_is_followed_too():
    frame = pd.DataFrame(dict(zip(ohlcv.COLUMNS, PRICES[:100].T, strict=True)))
    foreign = BytesIO()
    frame.assign(timestamp=pd.to_datetime(candles(0, 100).open_time, unit="ms")).to_parquet(foreign)
    file = foreign.getvalue()
    new = places.rewritten(file, readable(file), candles(0, 101))
    assert readable(new).equals(candles(0, 101))
    assert_old_readers_fare_well(file, new, candles(0, 100))


def test_what_cannot_be_followed_is_written_alone():
    alone = ohlcv.encode(candles(0, 10))
    long = ohlcv.encode(candles(0, 50_000))
    for file in (b"", b"not Parquet", long):
        assert places.rewritten(file, ohlcv.NONE, candles(0, 10)) == alone
    assert readable(places.rewritten(ohlcv.encode(ohlcv.NONE), ohlcv.NONE, candles(0, 10))).equals(candles(0, 10))
    assert not len(readable(places.rewritten(alone, candles(0, 10), ohlcv.NONE)))


def test_a_description_that_pyarrow_does_not_take_is_never_written(monkeypatch):
    monkeypatch.setattr(footer, "put_together", lambda *_: b"PAR1")
    file = ohlcv.encode(candles(0, 10))
    assert places.continued(file, candles(10, 1)) is None
    assert readable(places.rewritten(file, candles(0, 10), candles(0, 11))).equals(candles(0, 11))
