"""A short slice of the soak, and the schedule that it follows."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.soak.schedule import EXCHANGES, KINDS, schedule
from tests.soak.soaking import Report, soak

SEED, HOURS = 264, 0.6  # of the slice


def test_a_schedule_is_a_function_of_its_seed() -> None:
    assert schedule(7, 24) == schedule(7, 24)
    assert schedule(7, 24) != schedule(8, 24)


@given(st.integers(0, 10**9), st.floats(0.5, 24))
def test_a_soak_ends_in_peace(seed: int, hours: float) -> None:
    for spell in schedule(seed, hours):
        assert 0 < spell.from_ms < spell.to_ms
        assert spell.kind == "delisted" or spell.to_ms <= (hours * 60 - 18) * 60_000 + 1


def test_every_fault_comes_within_a_day() -> None:
    for exchange in EXCHANGES:
        assert {spell.kind for spell in schedule(7, 24) if spell.exchange == exchange} == {kind.name for kind in KINDS}


def test_a_slice_of_a_soak_leaves_nothing_behind_and_no_gap(tmp_path: Path) -> None:
    report = soak(SEED, HOURS, tmp_path, tell=lambda line: None)
    assert len({spell.kind for spell in report.spells}) >= 3
    assert not report.violations, report.text()


def test_a_report_says_how_to_repeat_what_failed() -> None:
    report = Report(42, 24, 120.0, schedule(42, 24), violations=["candles missing: 1"])
    assert report.text().endswith("violations: 1\nrepeat with: python -m tests.soak --seed 42 --hours 24")
