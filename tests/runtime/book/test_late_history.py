"""What a book does where the history of a longer timeframe is not there yet, or its candles have run away from it."""

from __future__ import annotations

import numpy as np

from scanner.gateway.answers import Purpose
from scanner.runtime.asking import wanted
from scanner.runtime.batches import Context
from scanner.runtime.book.book import Book
from scanner.runtime.signals import finals
from scanner.timeframes import HOUR_MS, open_time_of
from tests.runtime.book.test_book import BTC, NOW, STEP, Exchange, cycle, opened


def answered(book: Book, exchange: Exchange, now_ms: int, timeframe: str) -> None:
    """Only the requests about one timeframe are."""
    asked = [request for request in wanted(book, now_ms) if request.timeframe == timeframe]
    book.take([exchange.answer(request, now_ms) for request in asked], now_ms)


def test_a_history_that_comes_after_the_first_assembled_candles_is_handed_out_whole() -> None:
    book, exchange = opened()
    answered(book, exchange, NOW, "5m")
    assert {part.timeframe for part in book.newly_closed()} == {"5m"}
    answered(book, exchange, NOW, "1h")
    hours = [part for part in book.newly_closed() if part.timeframe == "1h"]
    assert len(hours) == 2
    for part in hours:
        assert len(part.open_time) > 590
        assert (np.diff(part.open_time) == HOUR_MS).all()


def test_the_final_signal_of_a_candle_that_closes_before_the_history_has_come_waits_for_it() -> None:
    book, exchange = opened()
    later = NOW - NOW % HOUR_MS + HOUR_MS + 60_000
    for now_ms in (NOW, later):
        answered(book, exchange, now_ms, "5m")
        assert {batch.timeframe for batch in finals(book, now_ms, Context())} <= {"5m"}
    answered(book, exchange, later, "1h")
    made = [batch for batch in finals(book, later, Context()) if batch.timeframe == "1h"]
    assert [(int(batch.candle_time[0]), len(batch)) for batch in made] == [(open_time_of(NOW, HOUR_MS), 2)]


def test_after_a_sleep_longer_than_the_shortest_panel_no_candle_of_a_longer_one_is_made_up() -> None:
    """What was not seen of the shortest cannot be assembled: the longer ones are asked for again."""
    book, exchange = opened()
    exchange = Exchange(NOW + 800 * STEP)
    cycle(book, exchange, NOW)
    later = NOW + 700 * STEP
    cycle(book, exchange, later)
    assert not book.panels["1h"].filled[book.ready("1h")].any()
    assert {request.timeframe for request in wanted(book, later) if request.limit > 100} == {"1h"}
    made = [*cycle(book, exchange, later)]
    assert not book.panels["1h"].filled.any()
    assert int(book.coverage.complete_from_ms[book.row_of(BTC)]) == int(book.panels["5m"].open_time[0])
    hours = [int(batch.candle_time[0]) for batch in made if batch.timeframe == "1h"]
    assert hours == list(range(open_time_of(NOW, HOUR_MS), open_time_of(later, HOUR_MS), HOUR_MS))


def test_no_final_signal_is_made_of_part_of_a_window_after_a_long_sleep() -> None:
    book, exchange = opened()
    exchange = Exchange(NOW + 800 * STEP)
    cycle(book, exchange, NOW)
    made = [batch for batch in cycle(book, exchange, NOW + 560 * STEP) if batch.timeframe == "5m"]
    assert int(made[0].candle_time[0]) == int(book.panels["5m"].open_time[99])
    assert all((batch.gaps == 0).all() for batch in made)


def test_histories_asked_for_by_a_clock_far_behind_are_asked_for_again() -> None:
    """All that came was too old to be held."""
    book, _ = opened()
    exchange, later = Exchange(NOW + 5000 * STEP), NOW + 4600 * STEP
    book.take([exchange.answer(request, later) for request in wanted(book, NOW)], later)
    assert {(request.timeframe, request.purpose) for request in wanted(book, later)} == {
        ("5m", Purpose.BACKFILL),
        ("1h", Purpose.BACKFILL),
    }
    cycle(book, exchange, later)
    for panel in book.panels.values():
        assert not np.isnan(panel.close).any()
        assert not panel.filled.any()


def test_where_nothing_has_come_yet_no_more_is_asked_for_than_can_be_held() -> None:
    """As on an exchange whose only market is new: a request for all candles since 1970 would outweigh every other."""
    book, exchange = opened()
    asked = [request for request in wanted(book, NOW) if request.market == BTC]
    nothing = [exchange.answer(request, request.since_ms - 1) for request in asked]
    book.take(nothing, NOW)
    (request,) = [request for request in wanted(book, NOW) if request.market == BTC]
    assert request.limit <= book.panels["5m"].length + 2
