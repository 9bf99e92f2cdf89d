"""The late ledger: the past can be seen as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import StoreFailure
from scanner.store import late
from scanner.store.late import SETTLED_MS, Late, as_of, changes, try_late
from scanner.store.ohlcv import NONE, Rows, merge
from scanner.store.store import TrainingStore
from scanner.timeframes import MINUTE_MS
from tests.store.making import BTC, ETH, MIDNIGHT, SWAP, listing, make_unreadable

STEP = 5 * MINUTE_MS


def rows(closes):
    """Candles by number since midnight."""
    moments = np.array([MIDNIGHT + number * STEP for number in sorted(closes)], dtype=np.int64)
    return Rows(moments, np.array([[float(closes[number])] * 5 for number in sorted(closes)]).reshape(-1, 5))


def due(number):
    """When a candle counts as known."""
    return MIDNIGHT + (number + 1) * STEP + SETTLED_MS


BATCHES = st.lists(
    st.tuples(st.integers(0, 30), st.dictionaries(st.integers(0, 20), st.integers(1, 3), min_size=1)), max_size=8
)


@given(BATCHES, st.integers(0, 31))
def test_candles_are_seen_as_they_were_known(batches, moment):
    at = sorted(((MIDNIGHT + minutes * STEP, rows(closes)) for minutes, closes in batches), key=lambda each: each[0])
    as_of_ms = MIDNIGHT + moment * STEP
    now, then, noted = NONE, NONE, []
    for at_ms, came in at:
        came = Rows(*(column[came.open_time + STEP <= at_ms] for column in came))
        noted += changes(BTC, "5m", now, came, at_ms) if len(came) else ()
        now = merge(now, came)
        then = now if at_ms <= as_of_ms else then
    written = [try_late(json.loads(json.dumps(change.as_record()))) for change in noted]
    seen = as_of(now, "5m", written, as_of_ms)
    assert seen.equals(as_of(then, "5m", [], as_of_ms))


def test_what_comes_in_time_or_changes_nothing_is_not_noted():
    assert not list(changes(BTC, "5m", NONE, rows({1: 5}), due(1)))
    assert not list(changes(BTC, "5m", rows({1: 5, 2: 5}), rows({1: 5, 2: 5}), due(9)))


def test_what_comes_late_is_noted_with_what_was_there():
    (found,) = changes(BTC, "5m", rows({1: 5, 2: 5, 3: 5}), rows({1: 5, 2: 6, 3: 5, 4: 5}), due(9))
    assert (found.from_ms, found.to_ms) == (MIDNIGHT + 2 * STEP, MIDNIGHT + 4 * STEP)
    assert found.before.equals(rows({2: 5, 3: 5}))


@pytest.mark.parametrize(
    "spoilt", [{"known_at": 1e99}, {"timeframe": "7m"}, {"before": [[1, 2]]}, {"before": "x"}, {"symbol": 3}]
)
def test_records_that_are_not_ours_are_passed_over(spoilt):
    record = Late(BTC, "5m", due(1), MIDNIGHT, MIDNIGHT, NONE).as_record()
    assert try_late(record) is not None
    assert try_late({**record, **spoilt}) is None


def test_the_store_notes_what_it_is_given_late(tmp_path):
    with TrainingStore(tmp_path) as store:
        store.append_closed([(BTC, "5m", rows({1: 5, 2: 5})), (ETH, "5m", rows({1: 5}))], due(2))
        assert [change.market for change in store.late.read(BTC, 0)] == [BTC]
        store.append_closed([(BTC, "5m", rows({2: 6, 3: 5})), (SWAP, "5m", rows({1: 5}))], due(9))
        store.append_closed([(BTC, "5m", rows({4: 5}))])
    reader = TrainingStore(tmp_path)
    noted = reader.late.read(BTC, due(2))
    assert [(change.known_ms, change.before.values[:, 0].tolist()) for change in noted] == [(due(9), [5.0])]
    kept = reader.candles(BTC, "5m")
    assert as_of(kept, "5m", noted, due(5)).equals(rows({1: 5, 2: 5, 4: 5}))
    assert as_of(kept, "5m", reader.late.read(BTC, due(1)), due(1)).equals(NONE)
    assert listing(tmp_path / "late") == ["binance_2025-10-24.json", "kucoinfutures_2025-10-24.json"]


def test_a_ledger_that_cannot_be_written_stops_nothing_and_one_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    with TrainingStore(tmp_path) as store:
        (tmp_path / "late" / "binance_2025-10-24.json").mkdir()
        store.append_closed([(BTC, "5m", rows({1: 5}))], due(2))
        assert len(store.candles(BTC, "5m")) == 1
        assert store.health()["cause"].startswith("late/binance_2025-10-24.json")
        assert store.late.read(BTC, 0) == []
        (tmp_path / "late" / "binance_2025-10-24.json").rmdir()
        (tmp_path / "late" / "binance_2025-10-24.json").touch()
        make_unreadable(monkeypatch)
        with pytest.raises(StoreFailure, match=r"late/binance_2025-10-24\.json: cannot be read: Permission denied"):
            store.late.read(BTC, 0)
        assert store.late.read(SWAP, 0) == []
    assert late.SETTLED_MS == 5 * MINUTE_MS
