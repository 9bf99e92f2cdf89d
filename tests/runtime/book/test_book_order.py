"""A book under disorder: answers late, twice, split, cut short, revised; the panels and signals stay the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.gateway.answers import CandleAnswer, CandleRequest, Purpose
from scanner.runtime.asking import wanted
from scanner.runtime.batches import Context
from scanner.runtime.book.book import Book
from scanner.runtime.signals import finals, score_history
from tests.runtime.book.test_book import BTC, COLUMNS, CONFIG, ETH, NOW, STEP, Exchange

EXCHANGE = Exchange(NOW + 40 * STEP)
LATER = NOW + 5 * STEP


@cache
def histories() -> list[CandleAnswer]:
    book = Book("binance", (BTC, ETH), CONFIG, NOW, simulated=False)
    return [EXCHANGE.answer(request, NOW) for request in wanted(book, NOW)]


def loaded() -> Book:
    book = Book("binance", (BTC, ETH), CONFIG, NOW, simulated=False)
    book.take(histories(), NOW)
    score_history(book)
    finals(book, NOW, Context())
    return book


def part(answer: CandleAnswer, keep: slice | np.ndarray, limit: int | None = None) -> CandleAnswer:
    columns = (getattr(answer, name)[keep] for name in ("open_time", *COLUMNS))
    request = answer.request if limit is None else replace(answer.request, limit=limit)
    return CandleAnswer(request, *columns, answer.began_ms)


def signals_of(book: Book, now_ms: int) -> dict[tuple[object, ...], float]:
    made = finals(book, now_ms, Context())
    return {
        (batch.timeframe, int(batch.candle_time[i]), market): float(batch.score[i])
        for batch in made
        for i, market in enumerate(batch.markets)
    }


def assert_same(one: Book, other: Book) -> None:
    for timeframe in one.timeframes:
        np.testing.assert_array_equal(one.marks[timeframe].final_through_ms, other.marks[timeframe].final_through_ms)
        for name in ("open", "high", "low", "close", "volume", "filled"):
            ours, theirs = (getattr(book.panels[timeframe], name) for book in (one, other))
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{timeframe} {name}")


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[CandleAnswer]]:
    """Fetches of the same candles at several moments, shuffled, repeated, and cut into calls anywhere."""
    book = loaded()
    moments = draw(st.lists(st.integers(0, 5 * STEP // 1000), min_size=1, max_size=3, unique=True))
    times = [NOW + 1000 * second for second in (*moments, 5 * STEP // 1000 + 1)]
    answers = [
        EXCHANGE.answer(CandleRequest(request.market, "5m", request.since_ms, 9), moment)
        for moment in times
        for request in wanted(book, NOW)
    ]
    shuffled = draw(st.permutations(answers + draw(st.lists(st.sampled_from(answers), max_size=4))))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    return [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]


@settings(max_examples=40)
@given(deliveries())
def test_order_repetition_and_splitting_of_answers_change_nothing(calls: list[list[CandleAnswer]]) -> None:
    plain, shuffled = loaded(), loaded()
    last = max(answer.began_ms for call in calls for answer in call)
    plain.take([answer for call in calls for answer in call if answer.began_ms == last], last)
    told: dict[tuple[object, ...], float] = {}
    for call in calls:
        shuffled.take(call, last)
    told = signals_of(shuffled, last)
    assert_same(plain, shuffled)
    assert told == signals_of(plain, last)
    assert len([key for key in told if key[0] == "5m"]) == 2 * 5


def test_a_candle_revised_before_it_is_final_is_taken_as_revised() -> None:
    book = loaded()
    request = CandleRequest(BTC, "5m", NOW - NOW % STEP, 4)
    closes = request.since_ms + STEP
    early = replace(EXCHANGE.answer(request, closes - 1), began_ms=closes + 5000)
    book.take([early], closes + 5000)
    revised = EXCHANGE.answer(request, closes + 30_000)
    revised.volume[0] += 7
    book.take([revised], closes + 30_000)
    times, candles = book.candles_of(BTC, "5m")
    assert candles.volume[times == request.since_ms] == revised.volume[0]
    assert book.tally.revised == 0


def test_a_revision_after_a_final_signal_corrects_the_candle_and_not_the_signal() -> None:
    book, now = loaded(), NOW + STEP + 30_000
    request = CandleRequest(BTC, "5m", NOW - NOW % STEP, 4)
    answer = EXCHANGE.answer(request, now)
    book.take([answer], now)
    assert len(signals_of(book, now)) == 1
    book.newly_closed()
    score = book.panels["5m"].score.copy()
    revised = replace(answer, close=answer.close * np.array([1.01, 1]), began_ms=now + 30_000)
    book.take([revised], now + 30_000)
    score_history(book)
    assert signals_of(book, now + 30_000) == {}
    np.testing.assert_array_equal(book.panels["5m"].score, score)
    stored = [part for part in book.newly_closed() if part.timeframe == "5m"]
    assert [(part.market, part.open_time.tolist(), part.values[0, 3]) for part in stored] == [
        (BTC, [request.since_ms], revised.close[0])
    ]
    assert book.tally.revised == 1


def test_a_candle_that_comes_after_it_counted_as_untraded_takes_its_place() -> None:
    book, now = loaded(), NOW + 3 * STEP
    requests = [CandleRequest(market, "5m", NOW - NOW % STEP, 8) for market in (BTC, ETH)]
    btc, eth = (EXCHANGE.answer(request, now) for request in requests)
    book.take([part(btc, np.array([0, 2, 3])), eth], now)
    row = book.row_of(BTC)
    assert book.panels["5m"].filled[row].sum() == 1
    book.take([replace(btc, began_ms=now + 1000)], now + 1000)
    assert not book.panels["5m"].filled[row].any()
    assert book.tally.revised == 1


def test_an_answer_cut_at_200_rows_says_nothing_about_what_lies_beyond() -> None:
    book = Book("binance", (BTC, ETH), CONFIG, NOW, simulated=False)
    answers = [EXCHANGE.answer(request, NOW) for request in wanted(book, NOW)]
    cut = [
        part(a, slice(0, 200))
        if a.request == CandleRequest(BTC, "5m", a.request.since_ms, a.request.limit, Purpose.BACKFILL)
        else a
        for a in answers
    ]
    book.take(cut, NOW)
    row = book.row_of(BTC)
    assert book.marks["5m"].final_through_ms[row] == cut[0].open_time[198]
    assert not book.panels["5m"].filled[row].any()
    while book.marks["5m"].final_through_ms[row] < NOW - NOW % STEP - STEP:
        rest = EXCHANGE.answer(next(r for r in wanted(book, NOW) if r.market == BTC), NOW)
        book.take([part(rest, slice(0, 200))], NOW)
    whole = Book("binance", (BTC, ETH), CONFIG, NOW, simulated=False)
    whole.take(answers, NOW)
    np.testing.assert_array_equal(book.panels["5m"].close, whole.panels["5m"].close)
