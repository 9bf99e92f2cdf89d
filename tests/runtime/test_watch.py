"""What a run notes in the gap ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.gateway.answers import ExchangeState, WeightState
from scanner.markets import Market
from scanner.runtime.asking import wanted
from scanner.runtime.book.book import Book
from scanner.runtime.recorder import Recorder
from scanner.runtime.warm import proven, warm
from scanner.runtime.watch import COLD_WAIT_S, GapWatch
from scanner.store.gaps import DOWN, NO_TRADE, OUTAGE, UNEXPLAINED, Gap
from scanner.store.store import TrainingStore
from scanner.timeframes import HOUR_MS, MINUTE_MS
from tests.runtime.book.test_book import BTC, CONFIG, ETH, NOW, STEP, Exchange

MARKETS = (BTC, ETH)
UNUSED = WeightState(0, 4200, 6000, 60.0)


class Quiet(Exchange):
    """An exchange on which nobody trades ETH in every seventh 5m candle, nor in the whole of some hours."""

    def _candle(self, market, start, step, now_ms):  # type: ignore[no-untyped-def]
        inside = (self.times >= start) & (self.times < start + step) & (self.times <= now_ms)
        if market == ETH:
            inside &= (self.times // STEP % 7 != 0) & (self.times // HOUR_MS % 11 != 0)
        if not inside.any():
            return None
        part = self.walks[market].rows(inside)
        return [part.open[0], part.high.max(), part.low.min(), part.close[-1], part.volume.sum()]


EXCHANGE = Quiet(NOW + 1500 * STEP)


class Life:
    """A process on a data folder: it watches, is fed, and ends or dies."""

    without = ""  # a symbol of which no answer comes

    def __init__(self, folder: Path, now_ms: int) -> None:
        self.store = TrainingStore(folder)
        self.store.open()
        self.now_ms, self.seconds = now_ms, 0.0
        self.watch = GapWatch(self.store.gaps, lambda: self.seconds)
        self.beat("connecting")
        self.book = Book("binance", MARKETS, CONFIG, now_ms, simulated=False)
        warm(self.book, self.store, MARKETS, now_ms)

    def beat(self, state: str = "live", cause: str | None = None, heard_ms: int | None = None) -> None:
        self.seconds += 100
        self.watch.beat(
            {"binance": ExchangeState("binance", state, cause, 2, heard_ms, UNUSED, {})}, lambda name: self.now_ms
        )

    def cycle(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.beat()
        asked = [request for request in wanted(self.book, now_ms) if request.market.symbol != self.without]
        answers = [EXCHANGE.answer(request, now_ms) for request in asked]
        self.book.take(proven(self.book, answers)[0], now_ms)
        self.watch.advanced(self.book, now_ms)
        Recorder(self.store, CONFIG).keep_candles(self.book.newly_closed())

    def die(self) -> None:
        self.store.close()  # what a killed process had in memory is lost besides; see the tests with real ones

    def end(self) -> None:
        self.watch.end(lambda name: self.now_ms)
        self.store.close()


def noted(folder: Path, cause: str) -> list[Gap]:
    return [gap for gap in TrainingStore(folder).gaps.read() if gap.cause == cause]


def causes(folder: Path, timeframe: str) -> set[str]:
    return {hole.cause for market in MARKETS for hole in TrainingStore(folder).holes(market, timeframe)}


@pytest.mark.parametrize("ends", ["end", "die"])
def test_the_time_between_two_lives_is_noted_and_in_the_end_backfilled(tmp_path: Path, ends: str) -> None:
    first = Life(tmp_path, NOW)
    first.cycle(NOW)
    first.cycle(NOW + 2 * STEP)
    getattr(first, ends)()
    second = Life(tmp_path, NOW + 30 * STEP)
    (down,) = noted(tmp_path, DOWN)
    assert (down.span, down.symbol, down.backfilled) == ((NOW + 2 * STEP, NOW + 30 * STEP), None, False)
    assert down.detail == ("the scan had ended" if ends == "end" else "the process had died")
    second.cycle(NOW + 30 * STEP)
    second.end()
    assert noted(tmp_path, DOWN)[0].backfilled is True
    assert causes(tmp_path, "5m") == causes(tmp_path, "1h") == {NO_TRADE}


def test_what_a_life_did_not_get_to_fetch_the_next_one_does(tmp_path: Path) -> None:
    first = Life(tmp_path, NOW)
    first.cycle(NOW)
    first.die()
    Life(tmp_path, NOW + 20 * STEP).die()  # before anything was loaded
    third = Life(tmp_path, NOW + 30 * STEP)
    assert {gap.backfilled for gap in noted(tmp_path, DOWN)} == {False}
    third.cycle(NOW + 30 * STEP)
    third.end()
    assert [gap.backfilled for gap in noted(tmp_path, DOWN)] == [True]


def test_a_market_that_never_comes_holds_up_no_gap_for_ever(tmp_path: Path) -> None:
    first = Life(tmp_path, NOW)
    first.cycle(NOW)
    first.end()
    second = Life(tmp_path, NOW + 20 * STEP)
    more = (*second.book.markets, Market("binance", "NEVER/USDT"))
    second.book = second.book.with_markets(more, NOW + 20 * STEP)
    second.without = "NEVER/USDT"
    second.cycle(NOW + 20 * STEP)
    assert noted(tmp_path, DOWN)[0].backfilled is False
    second.seconds += COLD_WAIT_S
    second.cycle(NOW + 21 * STEP)
    second.end()
    assert noted(tmp_path, DOWN)[0].backfilled is True


def test_nobody_trading_is_noted_on_every_timeframe_and_explains_every_hole(tmp_path: Path) -> None:
    life = Life(tmp_path, NOW)
    for i in range(30):
        life.cycle(NOW + i * STEP)
    life.end()
    assert {gap.symbol for gap in noted(tmp_path, NO_TRADE)} == {"ETH/USDT"}
    assert causes(tmp_path, "5m") == causes(tmp_path, "1h") == {NO_TRADE}
    assert noted(tmp_path, DOWN) == noted(tmp_path, OUTAGE) == []


def test_too_long_a_pause_leaves_a_hole_that_says_why(tmp_path: Path) -> None:
    first = Life(tmp_path, NOW)
    first.cycle(NOW)
    first.end()
    later = NOW + 900 * STEP
    second = Life(tmp_path, later)
    second.cycle(later)
    second.end()
    assert causes(tmp_path, "5m") == {DOWN, NO_TRADE}
    assert causes(tmp_path, "1h") == {NO_TRADE}
    whole = next(gap for gap in noted(tmp_path, DOWN) if gap.symbol is None)
    assert whole.backfilled is False
    assert {gap.symbol for gap in noted(tmp_path, DOWN)} == {None, "BTC/USDT", "ETH/USDT"}


def test_an_outage_lasts_from_the_last_good_data_to_the_next(tmp_path: Path) -> None:
    life = Life(tmp_path, NOW)
    life.cycle(NOW)
    life.now_ms = NOW + MINUTE_MS
    life.beat("late", "no data for 30 s", NOW + 10_000)
    life.beat("down", "HTTP 500", NOW + 10_000)
    assert [(gap.from_ms, gap.to_ms, gap.detail) for gap in life.watch.open_gaps()] == [
        (NOW + 10_000, None, "no data for 30 s")
    ]
    assert noted(tmp_path, OUTAGE) == []
    life.now_ms = NOW + 8 * STEP
    life.beat("connecting")
    assert life.watch.open_gaps()
    life.beat("live")
    (outage,) = noted(tmp_path, OUTAGE)
    assert (outage.span, outage.backfilled) == ((NOW + 10_000, NOW + 8 * STEP), False)
    life.cycle(NOW + 9 * STEP)
    life.end()
    assert noted(tmp_path, OUTAGE)[0].backfilled is True
    assert life.watch.open_gaps() == []


def test_an_outage_in_which_the_process_dies_is_noted_by_the_next(tmp_path: Path) -> None:
    life = Life(tmp_path, NOW)
    life.now_ms = NOW + MINUTE_MS
    life.beat("down", "HTTP 500", NOW)
    life.die()
    Life(tmp_path, NOW + STEP).end()
    assert [(gap.span, gap.detail) for gap in noted(tmp_path, OUTAGE)] == [((NOW, NOW + MINUTE_MS), "HTTP 500")]
    assert [gap.span for gap in noted(tmp_path, DOWN)] == [(NOW + MINUTE_MS, NOW + STEP)]


def test_a_market_without_answers_for_too_long_has_an_outage_of_its_own(tmp_path: Path) -> None:
    life = Life(tmp_path, NOW)
    life.cycle(NOW)
    silent = NOW + 700 * STEP
    for now in (*range(NOW, silent, 300 * STEP), silent):
        life.now_ms = now
        requests = [request for request in wanted(life.book, now) if request.market == BTC]
        life.book.take([EXCHANGE.answer(request, now) for request in requests], now)
        life.watch.advanced(life.book, now)
    life.cycle(silent + STEP)
    life.end()
    found = [gap for gap in noted(tmp_path, OUTAGE) if gap.symbol is not None]
    assert [(gap.symbol, gap.detail) for gap in found] == [("ETH/USDT", "no answer about this market")]


def test_a_first_start_has_nothing_to_explain(tmp_path: Path) -> None:
    Life(tmp_path, NOW).end()
    assert TrainingStore(tmp_path).gaps.read() == []
    assert UNEXPLAINED not in causes(tmp_path, "5m")
