"""Which file a record belongs to, and which records are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from scanner.records import iso
from scanner.store.moments import Key, file_cluster, file_signal, moment_ms
from scanner.timeframes import DAY_MS
from tests.store.making import MIDNIGHT, NOON, cluster, signal


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        float(NOON),
        "2025-10-24T12:00:00+00:00",
        "2025-10-24T12:00:00Z",
        "2025-10-24T12:00:00",
        "2025-10-24T14:00:00+02:00",
        datetime(2025, 10, 24, 12),
        datetime(2025, 10, 24, 12, tzinfo=UTC),
        datetime(2025, 10, 24, 7, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_times_are_utc_however_they_are_written(value):
    assert moment_ms(value) == NOON


@pytest.mark.parametrize("value", [None, True, "", "soon", -1, 10**18, float("nan"), float("inf"), [], {}])
def test_what_is_no_time_is_none(value):
    assert moment_ms(value) is None


def test_a_final_signal_belongs_to_the_day_its_candle_opened():
    filing = file_signal(signal(MIDNIGHT + 15_000, timeframe="1d", final=True), 0)
    assert filing == (MIDNIGHT - DAY_MS, Key("1d", MIDNIGHT - DAY_MS))


def test_a_live_signal_belongs_to_its_own_day_and_is_always_kept():
    assert file_signal(signal(MIDNIGHT + 15_000), 0) == (MIDNIGHT + 15_000, None)


def test_a_cluster_is_kept_once_per_timestamp():
    assert file_cluster(cluster(NOON), 0) == (NOON, Key("5m", NOON))


def test_a_record_without_a_time_goes_with_its_cycle():
    assert file_signal({}, NOON) == file_cluster({"timestamp": "soon"}, NOON) == (NOON, None)
    assert file_signal({"candle_closed": True, "timestamp": iso(NOON)}, 0) == (NOON, None)
