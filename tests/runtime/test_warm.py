"""A book that begins with what is on disk: what it still asks for, what it makes, and what it does not believe."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanner.errors import StoreFailure
from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.runtime import signals
from scanner.runtime.asking import wanted
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.book.book import Book
from scanner.runtime.recorder import Recorder
from scanner.runtime.warm import UNSURE, proven, warm
from scanner.runtime.watch import GapWatch
from scanner.store.gap_files import GapFiles
from scanner.store.gaps import NO_TRADE, Gap
from scanner.store.ohlcv import Rows
from scanner.store.store import TrainingStore
from scanner.timeframes import HOUR_MS, length_ms
from tests.runtime.book.test_book import BTC, CONFIG, ETH, NOW, STEP, Exchange

EXCHANGE = Exchange(NOW + 700 * STEP)
MARKETS = (BTC, ETH)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrainingStore]:
    """A store in which a scan has left what it had until `NOW`."""
    with TrainingStore(tmp_path) as opened:
        book = Book("binance", MARKETS, CONFIG, NOW, simulated=False)
        cycle(book, opened, NOW)
        opened.flush()
        yield opened


def begun(store: TrainingStore, now_ms: int) -> tuple[Book, list[str]]:
    book = Book("binance", MARKETS, CONFIG, now_ms, simulated=False)
    return book, warm(book, store, MARKETS, now_ms)


def cycle(book: Book, store: TrainingStore, now_ms: int, exchange: Exchange = EXCHANGE) -> list[SignalBatch]:
    """What the signal stream does with a book; returns the final signals, the late ones included."""
    answers, _ = proven(book, [exchange.answer(request, now_ms) for request in wanted(book, now_ms)])
    book.take(answers, now_ms)
    signals.score_history(book)
    made = [*signals.finals(book, now_ms, Context()), *signals.late_finals(book, now_ms)]
    recorder = Recorder(store, CONFIG)
    recorder.keep_candles(book.newly_closed(), NOW)
    return made


def assert_same_history(warmed: Book, cold: Book) -> None:
    for timeframe, panel in cold.panels.items():
        for name in (*panel.COLUMNS, "filled"):
            np.testing.assert_allclose(getattr(warmed.panels[timeframe], name), getattr(panel, name), err_msg=name)


def test_only_what_came_since_is_asked_for(store: TrainingStore) -> None:
    later = NOW + 7 * STEP
    book, told = begun(store, later)
    assert told == []
    asked = wanted(book, later)
    assert {(request.market, request.timeframe) for request in asked} == {(BTC, "5m"), (ETH, "5m")}
    newest = NOW - NOW % STEP - STEP
    assert {request.since_ms for request in asked} == {newest - UNSURE * STEP}  # the newest sure one once more


def test_a_warm_book_is_a_cold_one_to_the_last_score(store: TrainingStore) -> None:
    later = NOW + 30 * STEP  # over the end of two hours
    warmed, _ = begun(store, later)
    cycle(warmed, store, later)
    cold = Book("binance", MARKETS, CONFIG, later, simulated=False)
    cold.take([EXCHANGE.answer(request, later) for request in wanted(cold, later)], later)
    signals.score_history(cold)
    assert_same_history(warmed, cold)


def test_nothing_is_said_to_be_fresh_before_the_first_answer(store: TrainingStore) -> None:
    book, _ = begun(store, NOW + STEP)
    prices = np.full(2, np.nan), np.zeros(2, dtype=np.int64)
    assert signals.live(book, NOW + STEP, *prices, Context(), {}) == []
    assert signals.finals(book, NOW + STEP, Context()) == []
    assert signals.late_finals(book, NOW + STEP) == []


def test_candles_that_closed_meanwhile_get_their_final_signals_once_and_say_when(store: TrainingStore) -> None:
    later = NOW + 30 * STEP
    book, _ = begun(store, later)
    made = cycle(book, store, later)
    opened = sorted((batch.timeframe, int(batch.candle_time[0])) for batch in made)
    first = NOW - NOW % STEP
    assert opened == [("1h", NOW - NOW % HOUR_MS), ("1h", NOW - NOW % HOUR_MS + HOUR_MS)] + [
        ("5m", first + i * STEP) for i in range(30)
    ]
    assert {batch.at_ms for batch in made} == {later}
    assert cycle(book, store, later + 1000) == []


def test_late_signals_are_those_that_would_have_been_made_in_time(store: TrainingStore) -> None:
    later = NOW + 5 * STEP
    steady = Book("binance", MARKETS, CONFIG, NOW, simulated=False)
    in_time = {}
    for now in range(NOW, later + 1, STEP):
        steady.take([EXCHANGE.answer(request, now) for request in wanted(steady, now)], now)
        signals.score_history(steady)
        in_time.update({int(b.candle_time[0]): b for b in signals.finals(steady, now, Context())})
    book, _ = begun(store, later)
    late = {int(batch.candle_time[0]): batch for batch in cycle(book, store, later)}
    assert late.keys() == in_time.keys()
    assert {record["market_breadth"] for batch in late.values() for record in batch.records()} == {None}
    for open_ms, batch in late.items():
        np.testing.assert_allclose(batch.score, in_time[open_ms].score)
        # the panel holds five candles less before each of them
        np.testing.assert_allclose(batch.percentile, in_time[open_ms].percentile, atol=1.0)


def test_no_late_signal_is_made_of_part_of_a_window(store: TrainingStore) -> None:
    later = NOW + 570 * STEP
    book, _ = begun(store, later)
    made = [batch for batch in cycle(book, store, later) if batch.timeframe == "5m"]
    panel = book.panels["5m"]
    assert int(made[0].candle_time[0]) == int(panel.open_time[99])
    assert len(made) == panel.length - 100


def test_many_late_signals_are_spread_over_cycles(store: TrainingStore) -> None:
    later = NOW + 30 * STEP
    book, _ = begun(store, later)
    book.take([EXCHANGE.answer(request, later) for request in wanted(book, later)], later)
    book.coverage.unproven[:] = False
    signals.score_history(book)
    rounds = []
    while made := signals.late_finals(book, later, most=10):
        rounds.append([(b.timeframe, int(b.candle_time[0])) for b in made])
    assert len(rounds) > 3
    everything = [candle for made in rounds for candle in made]
    assert len(everything) == len(set(everything)) == 32


def test_a_late_signal_that_was_kept_already_is_not_kept_again(store: TrainingStore) -> None:
    later = NOW + 3 * STEP
    book, _ = begun(store, later)
    made = cycle(book, store, later)
    recorder = Recorder(store, CONFIG, later)
    assert len(recorder.unknown(made)) == 3
    recorder.keep(made[:1], MARKETS, later)
    assert [int(batch.candle_time[0]) for batch in recorder.unknown(made)] == [
        int(batch.candle_time[0]) for batch in made[1:]
    ]
    assert recorder.tally.delay_s == []  # they say nothing about how quick this run is


def test_after_too_long_a_pause_everything_is_asked_for(store: TrainingStore) -> None:
    book, told = begun(store, NOW + 690 * STEP)
    assert (told, book.marks["5m"].loaded.any()) == ([], False)
    assert {request.timeframe for request in wanted(book, NOW + 690 * STEP)} == {"5m", "1h"}


def test_one_unusable_file_costs_its_market_alone(store: TrainingStore) -> None:
    path = store.ohlcv_path / "binance_BTCUSDT_1h.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    book, told = begun(store, NOW + STEP)
    assert [text.partition(": ohlcv/binance_BTCUSDT_1h.parquet: is damaged")[0] for text in told] == [
        "binance:BTC/USDT begins anew"
    ]
    assert {request.market for request in wanted(book, NOW + STEP) if request.limit > 100} == {BTC}
    cycle(book, store, NOW + STEP)
    assert book.ready("1h").all()


@pytest.mark.parametrize("spoil", [(1000, 1.0), (0, -1.0)], ids=["off the grid", "negative"])
def test_what_cannot_be_candles_is_not_believed(store: TrainingStore, spoil: tuple[int, float]) -> None:
    shift, factor = spoil
    rows = store.candles(BTC, "5m")
    columns = rows.values.T * factor
    store.append_candles(BTC, "5m", rows.open_time + shift, *columns)
    store.flush()
    _, told = begun(store, NOW + STEP)
    assert told == ["binance:BTC/USDT begins anew: what is stored on 5m are no candles of that length"]


def test_stored_candles_that_the_exchange_contradicts_are_forgotten(store: TrainingStore) -> None:
    later = NOW + 4 * STEP
    book, _ = begun(store, later)
    answers = [EXCHANGE.answer(request, later) for request in wanted(book, later)]
    btc = next(answer for answer in answers if answer.request.market == BTC)
    doubled = dataclasses.replace(btc, **{name: 2 * getattr(btc, name) for name in ("open", "high", "low", "close")})
    left, told = proven(book, [doubled, *(answer for answer in answers if answer is not btc)])
    assert [answer.request.market for answer in left] == [ETH]
    assert told == ["binance:BTC/USDT begins anew: what is stored differs from what its exchange says"]
    book.take(left, later)
    assert {request.market for request in wanted(book, later) if request.limit > 100} == {BTC}
    cycle(book, store, later)
    cold = Book("binance", MARKETS, CONFIG, later, simulated=False)
    cold.take([EXCHANGE.answer(request, later) for request in wanted(cold, later)], later)
    signals.score_history(book)
    signals.score_history(cold)
    assert_same_history(book, cold)


def test_one_revised_candle_is_taken_over_and_no_contradiction(store: TrainingStore) -> None:
    later = NOW + 4 * STEP
    book, _ = begun(store, later)
    answers = [EXCHANGE.answer(request, later) for request in wanted(book, later)]
    revised = [_with_first_close(answer, 101.0) for answer in answers]
    left, told = proven(book, revised)
    assert (len(left), told) == (2, [])
    book.take(left, later)
    panel = book.panels["5m"]
    assert (panel.close[:, panel.column_of(int(revised[0].open_time[0]))] == 101.0).all()


def test_a_revision_is_taken_over_where_only_the_shortest_timeframe_is_stored(store: TrainingStore) -> None:
    """As after a backfill of it alone: of the longer ones nothing is known yet when it comes."""
    for path in store.base_path.glob("ohlcv/*_1h.parquet"):
        path.unlink()
    later = NOW + 4 * STEP
    book, _ = begun(store, later)
    answers = [EXCHANGE.answer(request, later) for request in wanted(book, later)]
    revised = [_with_first_close(answer, 101.0) if answer.request.timeframe == "5m" else answer for answer in answers]
    book.take(proven(book, revised)[0], later)
    assert book.tally.revised == 2
    assert {batch.timeframe for batch in cycle(book, store, later)} >= {"5m"}
    assert (book.panels["1h"].close[:, -20:] > 0).all()


@pytest.mark.parametrize("timeframe", ["5m", "1h"])
def test_candles_with_a_hole_are_gone_on_from_only_where_nobody_traded(
    store: TrainingStore, tmp_path_factory: pytest.TempPathFactory, timeframe: str
) -> None:
    """Any other hole would be filled as if nobody had."""
    rows, later = store.candles(BTC, timeframe), NOW + STEP
    there = np.abs(np.arange(len(rows)) - 400) > 20
    with TrainingStore(tmp_path_factory.mktemp("holed")) as holed:
        for market in MARKETS:
            for each in CONFIG.styles.values():
                kept = store.candles(market, each)
                kept = Rows(rows.open_time[there], rows.values[there]) if (market, each) == (BTC, timeframe) else kept
                holed.append_candles(market, each, kept.open_time, *kept.values.T)
        holed.flush()
        gone = rows.open_time[~there]
        book, _ = begun(holed, later)
        asked = {(request.market, request.timeframe) for request in wanted(book, later) if request.limit > 100}
        assert asked == {(BTC, "1h")} | ({(BTC, "5m")} if timeframe == "5m" else set())
        holed.gaps.append([Gap("binance", BTC.symbol, NO_TRADE, int(gone[0]), int(gone[-1]) + length_ms(timeframe))])
        book, _ = begun(holed, later)
        assert not [request for request in wanted(book, later) if request.limit > 100]


class Holed(Exchange):
    """An exchange on which nobody traded for a while, as far as its shortest candles say."""

    def __init__(self, until_ms: int, hole: set[int]) -> None:
        super().__init__(until_ms)
        self._hole = hole

    def answer(self, request: CandleRequest, now_ms: int) -> CandleAnswer:
        whole = super().answer(request, now_ms)
        there = np.array([request.timeframe != "5m" or each not in self._hole for each in whole.open_time.tolist()])
        columns = {
            name: getattr(whole, name)[there] for name in ("open_time", "open", "high", "low", "close", "volume")
        }
        return dataclasses.replace(whole, **columns)


def test_a_hole_that_the_exchange_has_too_costs_one_cold_start(
    store: TrainingStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is noted then that nobody traded, so that the next start goes on from disk."""
    rows, later = store.candles(BTC, "5m"), NOW + STEP
    there = np.abs(np.arange(len(rows)) - 400) > 20
    exchange = Holed(NOW + 700 * STEP, set(rows.open_time[~there].tolist()))
    with TrainingStore(tmp_path_factory.mktemp("holed")) as holed:
        holed.append_candles(BTC, "5m", rows.open_time[there], *rows.values[there].T)
        asked = []
        for _ in range(2):
            book = Book("binance", (BTC,), CONFIG, later, simulated=False)
            warm(book, holed, (BTC,), later)
            asked.append({request.timeframe for request in wanted(book, later) if request.limit > 100})
            cycle(book, holed, later, exchange)
            GapWatch(holed.gaps).advanced(book, later)
            holed.flush()
    assert asked == [{"5m", "1h"}, set()]


def test_holes_are_believed_of_nobody_where_the_ledger_cannot_be_read(
    store: TrainingStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable(*_: Any) -> None:
        raise StoreFailure("gaps: cannot be read: Permission denied")

    monkeypatch.setattr(GapFiles, "untraded_of", unreadable)
    assert begun(store, NOW + STEP)[0].marks["5m"].loaded.all()  # without a hole nobody asks
    rows = store.candles(BTC, "5m")
    later = rows.open_time[-1] + 2 * STEP + np.arange(2) * STEP
    store.append_candles(BTC, "5m", later, *rows.values[:2].T)
    store.flush()
    book, _ = begun(store, int(later[-1]) + STEP)
    assert book.marks["5m"].loaded.tolist() == [False, True]
    assert "which candles nobody traded is not known: gaps: cannot be read" in caplog.text


def _with_first_close(answer: CandleAnswer, close: float) -> CandleAnswer:
    return dataclasses.replace(answer, close=np.concatenate([[close], answer.close[1:]]))


def test_a_market_that_joins_later_begins_with_what_is_stored_too(store: TrainingStore) -> None:
    later = NOW + 2 * STEP
    book = Book("binance", (BTC,), CONFIG, later, simulated=False)
    warm(book, store, (BTC,), later)
    cycle(book, store, later)
    grown = book.with_markets((*book.markets, ETH), later + STEP)
    assert warm(grown, store, [ETH], later + STEP) == []
    assert not [request for request in wanted(grown, later + STEP) if request.limit > 100]
    alone = grown.with_markets([BTC], later + STEP)
    cycle(alone, store, later + 3 * STEP)
    away = later + 5 * STEP
    grown = alone.with_markets((*alone.markets, ETH), away)
    warm(grown, store, [ETH], away)
    made = {
        (str(m), int(b.candle_time[0])) for b in cycle(grown, store, away) for m in b.markets if b.timeframe == "5m"
    }
    first = NOW - NOW % STEP
    assert {open_ms for market, open_ms in made if market == str(ETH)} == {first + i * STEP for i in range(7)}
