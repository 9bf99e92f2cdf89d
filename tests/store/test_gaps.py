"""The gap ledger: what it keeps, how it tidies that, and how it explains every hole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.store.gap_files import Alive
from scanner.store.gaps import BACKFILLED, CAUSES, DOWN, NO_TRADE, NOT_KEPT, OUTAGE, UNEXPLAINED, Gap, explained, tidied
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, MINUTE_MS
from tests.store.making import BTC, MIDNIGHT, NOON, candles, listing

STEP = 5 * MINUTE_MS
symbols, causes = st.sampled_from([None, "A/B", "C/B"]), st.sampled_from([*CAUSES, BACKFILLED])
gaps = st.lists(st.builds(Gap, st.just("x"), symbols, causes, st.integers(0, 20), st.integers(0, 20)), max_size=12)


def down(begins: int, ends: int, symbol: str | None = None, cause: str = DOWN, detail: str | None = None) -> Gap:
    return Gap("binance", symbol, cause, begins, ends, detail)


def moments(found: list[Gap]) -> set[tuple[str | None, str, int]]:
    return {(gap.symbol, gap.cause, moment) for gap in found for moment in range(*gap.span)}


@given(gaps)
def test_tidying_keeps_every_moment_and_joins_what_touches(found: list[Gap]) -> None:
    tidy = tidied(found)
    assert moments(tidy) == {each for each in moments(found) if each[1] != BACKFILLED}
    assert sum(gap.span[1] - gap.span[0] for gap in tidy) == len(moments(tidy))


@given(gaps)
def test_a_gap_counts_as_backfilled_when_all_of_it_is(found: list[Gap]) -> None:
    fetched = {(symbol, moment) for symbol, cause, moment in moments(found) if cause == BACKFILLED}
    for gap in tidied(found):
        whole = all({(None, moment), (gap.symbol, moment)} & fetched for moment in range(*gap.span))
        assert gap.backfilled == (None if gap.cause in (NO_TRADE, NOT_KEPT) else whole)


@given(gaps, st.sets(st.integers(0, 20)))
def test_every_moment_without_a_candle_is_explained_once(found: list[Gap], opens: set[int]) -> None:
    there = np.array(sorted(opens), np.int64)
    holes = explained("x", "A/B", there, 1, found)
    inside = set(range(min(opens), max(opens))) - opens if opens else set()
    assert sorted(moment for hole in holes for moment in range(*hole.span)) == sorted(inside)
    ours = {each for each in moments(found) if each[0] == "A/B" or (each[0] is None and each[1] != NOT_KEPT)}
    told = {(cause, moment) for _, cause, moment in ours}  # `not_kept` of a whole exchange is about records
    for hole in holes:
        for moment in range(*hole.span):
            expected = [cause for cause in (NO_TRADE, OUTAGE, DOWN, NOT_KEPT) if (cause, moment) in told]
            assert hole.cause == [*expected, UNEXPLAINED][0]


def test_the_ledger_of_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        store.gaps.append(
            [down(MIDNIGHT, NOON, detail="died"), down(NOON, NOON), down(NOON, NOON + 1, "BTC/USDT", NO_TRADE)]
        )
        store.gaps.append(
            [down(NOON, MIDNIGHT + DAY_MS + 5, detail="died"), Gap("kraken", None, OUTAGE, NOON, NOON + 9)]
        )
        store.gaps.append([down(MIDNIGHT, NOON, cause=BACKFILLED)])
    assert listing(tmp_path / "gaps") == [
        "binance_2025-10-24.json",
        "binance_2025-10-25.json",
        "kraken_2025-10-24.json",
    ]
    entry = json.loads((tmp_path / "gaps" / "binance_2025-10-25.json").read_text())[0]
    assert (entry["from"], entry["cause"]) == ("2025-10-24T12:00:00+00:00", "down")
    ledger = TrainingStore(tmp_path).gaps
    whole, other, silent = ledger.read()
    assert (whole.span, whole.detail, whole.backfilled) == ((MIDNIGHT, MIDNIGHT + DAY_MS + 5), "died", False)
    assert (other.exchange, other.cause, silent.symbol) == ("kraken", OUTAGE, "BTC/USDT")
    assert [gap.to_ms for gap in ledger.read(NOON + 2, "binance")] == [whole.to_ms]
    assert ledger.read(MIDNIGHT + DAY_MS + 5) == []


@pytest.mark.parametrize(
    "text", ["{", "[1]", '[{"cause": "down"}]', '[{"exchange": "x", "cause": "?", "from": 1, "to": 2}]']
)
def test_what_is_no_gap_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "gaps").mkdir()
    (tmp_path / "gaps" / "binance_2025-10-24.json").write_text(text)
    (tmp_path / "gaps" / "notes.json").write_text("hello")
    with TrainingStore(tmp_path) as store:
        assert store.gaps.read() == []
        store.gaps.append([down(MIDNIGHT, NOON)])
        assert [gap.span for gap in store.gaps.read()] == [(MIDNIGHT, NOON)]


@pytest.mark.parametrize("text", [None, "", "[]", '{"binance": 5}', '{"binance": {"at": "soon"}}'])
def test_a_missing_or_damaged_sign_of_life_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "alive.json").write_text(text)
    assert TrainingStore(tmp_path).gaps.alive() == {}


def test_a_sign_of_life_is_read_as_it_was_written(tmp_path: Path) -> None:
    alive = {"binance": Alive(NOON, True), "kraken": Alive(NOON, outage_ms=MIDNIGHT, outage="HTTP 500")}
    with TrainingStore(tmp_path) as store:
        store.gaps.keep_alive(alive)
    assert TrainingStore(tmp_path).gaps.alive() == alive


def test_a_ledger_that_cannot_be_written_shows_in_the_health(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        (tmp_path / "alive.json").mkdir()
        store.gaps.keep_alive({"binance": Alive(NOON)})
        assert "alive.json cannot be written" in store.health()["cause"]
        (tmp_path / "alive.json").rmdir()
        store.gaps.keep_alive({"binance": Alive(NOON)})
        assert store.health()["state"] == "ok"


def test_holes_of_kept_candles_are_told_with_their_causes(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        store.append_candles(BTC, "5m", *candles(MIDNIGHT, 3))
        store.append_candles(BTC, "5m", *candles(MIDNIGHT + 10 * STEP, 3))
        store.gaps.append([down(MIDNIGHT + 4 * STEP + 7, MIDNIGHT + 9 * STEP), down(MIDNIGHT, NOON, "ETH/USDT")])
        store.gaps.append([down(MIDNIGHT + 3 * STEP, MIDNIGHT + 5 * STEP, "BTC/USDT", NO_TRADE)])
        assert [(hole.cause, (hole.from_ms - MIDNIGHT) / STEP) for hole in store.holes(BTC, "5m")] == [
            (NO_TRADE, 3),
            (DOWN, 5),
            (UNEXPLAINED, 9),
        ]


def test_when_nobody_traded_is_told_of_the_markets_asked_about_each_from_its_day_on(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        for begins in (MIDNIGHT, NOON, NOON + STEP, NOON + DAY_MS):
            for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT"):
                store.gaps.append([down(begins, begins + STEP, symbol, NO_TRADE)])
        store.gaps.append([down(NOON + 9 * STEP, NOON + DAY_MS, "BTC/USDT"), down(NOON, NOON + DAY_MS, None, OUTAGE)])
        store.gaps.append([Gap("kraken", "BTC/USDT", NO_TRADE, NOON + 5 * STEP, NOON + DAY_MS)])
        found = store.gaps.untraded_of("binance", {"BTC/USDT": 0, "ETH/USDT": NOON + DAY_MS, "NEW/USDT": NOON})
        assert store.gaps.untraded_of("binance", {}) == {}
    last = (NOON + DAY_MS, NOON + DAY_MS + STEP)
    assert found["BTC/USDT"] == [(MIDNIGHT, MIDNIGHT + STEP), (NOON, NOON + 2 * STEP), last]
    assert found["ETH/USDT"] == [last]
    assert found["NEW/USDT"] == []
    assert found.keys() == {"BTC/USDT", "ETH/USDT", "NEW/USDT"}
