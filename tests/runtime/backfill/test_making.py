"""Signals of a history: nothing in them comes from later, and what is kept already stays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scanner.config import WINDOW, StreamConfig
from scanner.core.candles import Candles
from scanner.core.panel import Panel
from scanner.markets import Market
from scanner.records import iso
from scanner.runtime.backfill.keeping import Keeping
from scanner.runtime.backfill.making import Made, make
from scanner.runtime.backfill.progress import Report
from scanner.runtime.backfill.surroundings import surroundings
from scanner.runtime.book.table import HISTORY
from scanner.store.store import TrainingStore
from scanner.timeframes import MINUTE_MS

FIVE = 5 * MINUTE_MS
DAWN = 1_761_264_000_000
BEFORE, COUNT, MARKETS = WINDOW + HISTORY - 1, 40, 4
NOON = DAWN + (BEFORE + 100) * FIVE
CONFIG = StreamConfig(timeframes={"scalp": "5m"})


def panel_of(seed: int = 5) -> Panel:
    """`COUNT` candles after their history; the last market was listed 50 candles before."""
    rng = np.random.default_rng(seed)
    panel, length = Panel(MARKETS, FIVE, BEFORE + COUNT), BEFORE + COUNT
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (MARKETS, length)), axis=1))
    opened, volume = np.roll(close, 1, axis=1), rng.lognormal(0, 1, (MARKETS, length))
    columns = (opened, np.maximum(opened, close), np.minimum(opened, close), close, volume)
    row, slot = np.indices(close.shape)
    panel.put(row.ravel(), DAWN + slot.ravel() * FIVE, Candles(*(column.ravel() for column in columns)))
    for name in Panel.COLUMNS:
        getattr(panel, name)[-1, : BEFORE - 50] = np.nan
    return panel


def made_of(panel: Panel) -> list[Made]:
    first_ms = DAWN + BEFORE * FIVE
    return make(panel, "5m", first_ms, surroundings(panel, first_ms, BEFORE, CONFIG), CONFIG, NOON)


def test_every_candle_gets_a_signal_of_its_own_time() -> None:
    for made in made_of(panel_of()):
        np.testing.assert_array_equal(made.rows["candle_time"], DAWN + (BEFORE + np.arange(COUNT)) * FIVE)
        np.testing.assert_array_equal(made.closes_ms, made.rows["candle_time"] + FIVE)
        assert (made.rows["at_ms"] == NOON).all()


@pytest.mark.parametrize("cut", [1, 17, COUNT - 1])
def test_the_future_changes_nothing_before_it(cut: int) -> None:
    whole, changed = panel_of(), panel_of()
    for name in Panel.COLUMNS[:5]:
        getattr(changed, name)[:, BEFORE + cut :] *= 3.7
    for ours, theirs in zip(made_of(whole), made_of(changed), strict=True):
        assert ours.rows[:cut].tobytes() == theirs.rows[:cut].tobytes()
        assert ours.rows[cut:].tobytes() != theirs.rows[cut:].tobytes()


def test_a_young_market_has_no_percentile_and_its_missing_candles_are_gaps() -> None:
    young, old = made_of(panel_of())[-1].rows, made_of(panel_of())[0].rows
    assert np.isnan(young["percentile"]).all()
    assert young["gaps"].tolist() == [max(WINDOW - 51 - i, 0) for i in range(COUNT)]
    assert not np.isnan(old["percentile"]).any()
    assert not old["gaps"].any()


def test_what_is_kept_already_stays_as_it_was(tmp_path: Path) -> None:
    market, made, report = Market("simulated", "BTC/USDT"), made_of(panel_of())[0], Report()
    known = {
        "symbol": "BTC/USDT",
        "timeframe": "5m",
        "candle_closed": True,
        "candle_time": iso(int(made.rows["candle_time"][3])),
    }
    with TrainingStore(tmp_path) as store:
        store.append_signals({market: [known]}, NOON)
        keeping = Keeping(store, CONFIG, {"simulated": True}, report)
        for _ in range(2):
            keeping.keep(market, [made], lambda: True)
    kept = [record for path in (tmp_path / "signals").glob("*.json") for record in json.loads(path.read_text())]
    assert (len(kept), kept.count(known)) == (COUNT, 1)
    assert sum(report.signals.values()) == COUNT - 1
    assert report.known["5m"] == 1 + COUNT
    clusters = [record for path in (tmp_path / "clustering").glob("*.json") for record in json.loads(path.read_text())]
    assert len(clusters) == report.clusters["5m"] > 0
    assert all(record["backfilled"] for record in [*clusters, *(each for each in kept if each != known)])


def test_nothing_is_kept_when_told_to_end(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        keeping = Keeping(store, CONFIG, {"simulated": True}, Report())
        keeping.keep(Market("simulated", "BTC/USDT"), [made_of(panel_of())[0]], lambda: False)
    assert list((tmp_path / "signals").glob("*.json")) == []
