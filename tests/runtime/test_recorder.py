"""What counts as kept: only what the disk took."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.config import StreamConfig
from scanner.runtime import signals
from scanner.runtime.asking import wanted
from scanner.runtime.batches import Context
from scanner.runtime.book.book import Book
from scanner.runtime.recorder import Recorder
from scanner.store.store import TrainingStore
from scanner.timeframes import length_ms
from tests.runtime.test_warm import EXCHANGE, MARKETS, NOW


@pytest.fixture
def book() -> Book:
    config = StreamConfig(timeframes={"scalp": "5m"})
    filled = Book("binance", MARKETS, config, NOW - length_ms("5m"), simulated=False)
    for now_ms in (NOW - length_ms("5m"), NOW):
        filled.take([EXCHANGE.answer(request, now_ms) for request in wanted(filled, now_ms)], now_ms)
    signals.score_history(filled)
    return filled


def test_a_live_signal_the_disk_refused_is_kept_in_the_next_cycle_though_it_has_not_changed(
    tmp_path: Path, book: Book
) -> None:
    with TrainingStore(tmp_path) as store:
        recorder, (live,) = Recorder(store, book.config), signals.finals(book, NOW, Context())
        object.__setattr__(live, "closed", False)
        day = next(iter(live.records()))["timestamp"][:10]
        obstacle = store.signals_path / f"{MARKETS[0].exchange}_{MARKETS[0].symbol.replace('/', '')}_{day}.json"
        obstacle.mkdir()
        recorder.keep([live], MARKETS, NOW)
        assert store.health()["not_kept"] == 1
        obstacle.rmdir()
        (again,) = recorder.keep([live], MARKETS, NOW)
        assert again.markets == (MARKETS[0],)
        assert recorder.keep([live], MARKETS, NOW) == []


def test_a_live_signal_is_kept_once_a_folder_that_another_had_taken_is_ours_again(tmp_path: Path, book: Book) -> None:
    with TrainingStore(tmp_path) as store:
        recorder, (live,) = Recorder(store, book.config), signals.finals(book, NOW, Context())
        object.__setattr__(live, "closed", False)
        (tmp_path / "scanner.lock").unlink()
        with TrainingStore(tmp_path):
            recorder.keep([live], MARKETS, NOW)
        assert store.health()["not_kept"] == 2 * len(MARKETS)  # their clusters too
        (again,) = recorder.keep([live], MARKETS, NOW)
        assert again.markets == MARKETS
