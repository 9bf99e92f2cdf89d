"""Assembled candles held to the exchange's own, and final candles that the exchange changes later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scanner.gateway.answers import CandleAnswer, Purpose
from scanner.gateway.plan import Room, Wanted, plan_requests
from scanner.runtime.asking import wanted
from scanner.runtime.book.book import Book
from scanner.runtime.book.closed import ClosedCandles
from scanner.runtime.checking import Checks, compare
from scanner.timeframes import HOUR_MS
from tests.runtime.book.test_book import BTC, ETH, NOW, STEP, Exchange, cycle, opened


@pytest.fixture
def held() -> tuple[Book, Exchange]:
    """A book with its histories, all of them handed out to the store."""
    book, exchange = opened()
    cycle(book, exchange, NOW)
    book.newly_closed()
    return book, exchange


def corrections(book: Book) -> list[ClosedCandles]:
    """Nothing has closed since the store had everything: what is handed out again has changed."""
    return book.newly_closed()


def test_markets_are_checked_in_turn_on_candles_that_have_long_been_closed(held: tuple[Book, Exchange]) -> None:
    book, _ = held
    checks = Checks()
    first, second = checks.wanted(book), checks.wanted(book)
    assert [(r.market, r.timeframe, r.purpose) for r in first] == [(m, "1h", Purpose.CHECK) for m in (BTC, ETH)]
    assert first == second
    for request in first:
        assert request.since_ms >= book.coverage.complete_from_ms.max()
        assert request.since_ms + request.limit * HOUR_MS <= NOW - HOUR_MS
        assert request.limit > 40


def test_a_book_without_histories_has_nothing_to_check() -> None:
    book, _ = opened()
    assert Checks().wanted(book) == []


def test_a_check_comes_after_everything_else(held: tuple[Book, Exchange]) -> None:
    book, _ = held
    requests = [*Checks().wanted(book), *wanted(book, NOW + STEP), *wanted(book, NOW + 1000)]
    plan = plan_requests([Wanted(request, 2, 0.0) for request in requests], Room(8, 8, 100))
    assert {want.request.purpose for want in plan.chosen} == {Purpose.CLOSE, Purpose.FORMING}
    assert {want.request.purpose for want in plan.deferred} == {Purpose.CHECK}


def test_candles_that_agree_are_counted_and_left_alone(held: tuple[Book, Exchange]) -> None:
    book, exchange = held
    requests = Checks().wanted(book)
    compare(book, [exchange.answer(request, NOW) for request in requests])
    assert (book.tally.checked, book.tally.mismatched) == (sum(request.limit for request in requests), 0)
    assert corrections(book) == []


def checked_with(book: Book, exchange: Exchange, factor: float) -> CandleAnswer:
    """An answer whose first candle has traded so many times as much."""
    answer = exchange.answer(Checks().wanted(book)[0], NOW)
    changed = replace(answer, volume=answer.volume * np.where(np.arange(len(answer)) == 0, factor, 1.0))
    compare(book, [changed])
    return changed


def test_one_that_differs_gives_way_to_the_exchanges_own_and_signals_stay(held: tuple[Book, Exchange]) -> None:
    book, exchange = held
    score = book.panels["1h"].score.copy()
    told = book.marks["1h"].told_through_ms.copy()
    answer = checked_with(book, exchange, 1.01)
    assert book.tally.mismatched == 1
    panel, moment = book.panels["1h"], int(answer.open_time[0])
    assert panel.volume[book.row_of(BTC), panel.column_of(moment)] == answer.volume[0]
    (part,) = corrections(book)
    assert (part.market, part.timeframe, part.open_time.tolist()) == (BTC, "1h", [moment])
    assert part.values[0, 4] == answer.volume[0]
    np.testing.assert_array_equal(panel.score, score)
    np.testing.assert_array_equal(book.marks["1h"].told_through_ms, told)
    cycle(book, exchange, NOW + STEP)
    assert panel.volume[book.row_of(BTC), panel.column_of(moment)] == answer.volume[0]  # not assembled anew


def test_a_difference_within_the_tolerance_is_none(held: tuple[Book, Exchange]) -> None:
    book, exchange = held
    checked_with(book, exchange, 1.0005)
    assert (book.tally.mismatched, corrections(book)) == (0, [])


def test_the_newest_final_candle_is_asked_for_once_more_and_a_revision_of_it_noticed(
    held: tuple[Book, Exchange],
) -> None:
    book, exchange = held
    newest = NOW - NOW % STEP - STEP
    requests = wanted(book, NOW + 30_000)
    assert [(request.since_ms, request.limit, request.again) for request in requests] == [(newest, 3, 1)] * 2
    answer = exchange.answer(requests[0], NOW + 30_000)
    book.take([replace(answer, close=answer.close * np.array([1.01, 1.0]))], NOW + 30_000)
    assert book.tally.revised == 1
    found = {part.timeframe: part for part in corrections(book)}
    assert found["5m"].values[0, 3] == answer.close[0] * 1.01
