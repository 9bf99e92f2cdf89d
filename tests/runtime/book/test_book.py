"""The book of an exchange: what it asks for, when a candle is final, what signals it makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scanner.config import StreamConfig
from scanner.core.analysis import analyse
from scanner.core.candles import Candles, Int
from scanner.core.finality import SPOILT_MS
from scanner.core.panel import Panel
from scanner.gateway.answers import CandleAnswer, CandleRequest, Purpose
from scanner.markets import Market
from scanner.runtime.asking import wanted
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.book.book import Book
from scanner.runtime.signals import finals, live, score_history
from scanner.timeframes import HOUR_MS, MINUTE_MS

STEP = 5 * MINUTE_MS
NOW = 1_700_006_400_000 // HOUR_MS * HOUR_MS + 2 * MINUTE_MS  # two minutes into a 5m candle and an hour
BTC, ETH = Market("binance", "BTC/USDT"), Market("binance", "ETH/USDT")
CONFIG = StreamConfig(timeframes={"scalp": "5m", "swing": "1h"})


class Exchange:
    """An obviously right exchange: one random walk per market in 5m candles, and what follows from it."""

    def __init__(self, until_ms: int, count: int = 9000) -> None:
        self.times = until_ms - until_ms % STEP - STEP * np.arange(count - 1, -1, -1)
        self.walks = {market: self._walk(seed) for seed, market in enumerate((BTC, ETH))}

    def _walk(self, seed: int) -> Candles:
        rng = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, len(self.times))))
        open_ = np.concatenate([[100.0], close[:-1]])
        spread = rng.uniform(0, 0.2, (2, len(close)))
        return Candles(
            open_,
            np.maximum(open_, close) + spread[0],
            np.minimum(open_, close) - spread[1],
            close,
            np.round(rng.lognormal(3, 0.7, len(close))),
        )

    def answer(self, request: CandleRequest, now_ms: int) -> CandleAnswer:
        step = {"5m": STEP, "1h": HOUR_MS}[request.timeframe]
        starts = np.arange(request.since_ms, min(now_ms, request.since_ms + request.limit * step - 1) + 1, step)
        starts = starts[starts >= self.times[0] + HOUR_MS]
        rows = [self._candle(request.market, int(start), step, now_ms) for start in starts]
        columns = np.array([row for row in rows if row is not None]).reshape(-1, 5).T
        times = np.array([s for s, row in zip(starts, rows, strict=True) if row is not None], dtype=np.int64)
        return CandleAnswer(request, times, *columns, began_ms=now_ms)

    def _candle(self, market: Market, start: int, step: int, now_ms: int) -> list[float] | None:
        inside = (self.times >= start) & (self.times < start + step) & (self.times <= now_ms)
        if not inside.any():
            return None
        part = self.walks[market].rows(inside)
        return [part.open[0], part.high.max(), part.low.min(), part.close[-1], part.volume.sum()]


def opened(now_ms: int = NOW, config: StreamConfig = CONFIG) -> tuple[Book, Exchange]:
    book, exchange = Book("binance", (BTC, ETH), config, now_ms, simulated=False), Exchange(now_ms + 40 * STEP)
    return book, exchange


def cycle(book: Book, exchange: Exchange, now_ms: int) -> list[SignalBatch]:
    """What the signal stream does with a book, without prices; returns the final batches."""
    book.take([exchange.answer(request, now_ms) for request in wanted(book, now_ms)], now_ms)
    score_history(book)
    return finals(book, now_ms, Context())


def nothing(book: Book) -> tuple[np.ndarray, Int]:
    return np.full(len(book.markets), np.nan), np.zeros(len(book.markets), dtype=np.int64)


def test_a_new_book_asks_for_the_whole_history_of_every_timeframe_once() -> None:
    book, exchange = opened()
    first = wanted(book, NOW)
    assert {(r.market, r.timeframe) for r in first} == {(m, t) for m in (BTC, ETH) for t in ("5m", "1h")}
    assert all(request.purpose is Purpose.BACKFILL for request in first)
    cycle(book, exchange, NOW)
    second = wanted(book, NOW + 30_000)
    assert {r.timeframe for r in second} == {"5m"}
    assert all(request.limit <= 4 for request in second)


def test_history_makes_no_news() -> None:
    book, exchange = opened()
    assert cycle(book, exchange, NOW) == []


def test_a_final_signal_is_made_once_per_closed_candle() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closes = NOW - NOW % STEP + STEP
    assert cycle(book, exchange, closes - 1) == []
    made = cycle(book, exchange, closes + 20_000)
    assert [(batch.timeframe, len(batch), batch.closed) for batch in made] == [("5m", 2, True)]
    assert (made[0].candle_time == closes - STEP).all()
    assert cycle(book, exchange, closes + 50_000) == []


def test_a_candle_that_just_closed_is_not_final_within_the_grace() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closes = NOW - NOW % STEP + STEP
    requests = wanted(book, closes + 5_000)
    answers = [exchange.answer(request, closes - 1) for request in requests]  # no newer candle yet
    early = [CandleAnswer(a.request, a.open_time, *(getattr(a, n) for n in COLUMNS), closes + 5_000) for a in answers]
    book.take(early, closes + 5_000)
    assert finals(book, closes + 5_000, Context()) == []
    late = [CandleAnswer(a.request, a.open_time, *(getattr(a, n) for n in COLUMNS), closes + 15_000) for a in answers]
    other = exchange.answer(requests[1], closes + 14_000)  # where somebody has traded since
    book.take([late[0], other], closes + 15_000)
    assert [len(batch) for batch in finals(book, closes + 15_000, Context())] == [2]


def test_a_pushed_candle_is_final_only_when_a_newer_one_has_come() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closes = NOW - NOW % STEP + STEP
    for seen_ms, made in ((closes - 1, 0), (closes + 60_000, 1)):  # without and with the next candle
        answers = [exchange.answer(request, seen_ms) for request in wanted(book, closes + 60_000)]
        book.take([replace(a, began_ms=closes + 60_000, provisional=True) for a in answers], closes + 60_000)
        assert len(finals(book, closes + 60_000, Context())) == made


COLUMNS = ("open", "high", "low", "close", "volume")


def test_nothing_is_final_while_the_exchange_stands_still() -> None:
    """It may show the candle for ever as it was half-way; what comes after it proves that it is whole."""
    book, exchange = opened()
    cycle(book, exchange, NOW)
    stood_ms = NOW - NOW % STEP + STEP - 60_000
    for later in (stood_ms + 90_000, stood_ms + STEP, stood_ms + 12 * STEP):
        answers = [exchange.answer(request, stood_ms) for request in wanted(book, later)]
        book.take([replace(answer, began_ms=later) for answer in answers], later)
        assert finals(book, later, Context()) == []
    made = cycle(book, exchange, later + STEP)
    assert next(int(batch.candle_time[0]) for batch in made if batch.timeframe == "5m") == NOW - NOW % STEP


def test_the_last_candle_of_a_recording_needs_none_after_it() -> None:
    book, exchange = opened()
    book.ends_ms = closes = NOW - NOW % STEP + STEP
    cycle(book, exchange, NOW)
    answers = [exchange.answer(request, closes - 1) for request in wanted(book, closes + 60_000)]
    book.take([replace(answer, began_ms=closes + 60_000) for answer in answers], closes + 60_000)
    assert len(finals(book, closes + 60_000, Context())) == 1


def spoilt(answer: CandleAnswer, gone: Int) -> CandleAnswer:
    """The answer without the candles that open at `gone`, as when their rows had lost their numbers."""
    kept = ~np.isin(answer.open_time, gone)
    columns = {name: getattr(answer, name)[kept] for name in ("open_time", *COLUMNS)}
    return replace(answer, **columns, dropped=int((~kept).sum()))


def test_a_candle_that_comes_without_its_numbers_is_not_one_that_nobody_traded() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closed = NOW - NOW % STEP
    for later in (closed + STEP + 30_000, closed + 2 * STEP + 30_000, closed + 3 * STEP):
        answers = [spoilt(exchange.answer(request, later), np.array([closed])) for request in wanted(book, later)]
        book.take(answers, later)
        assert finals(book, later, Context()) == []
    made = [batch for batch in cycle(book, exchange, later + 60_000) if batch.timeframe == "5m"]
    assert [int(batch.candle_time[0]) for batch in made] == [closed, closed + STEP, closed + 2 * STEP]
    assert all((batch.gaps == 0).all() for batch in made)


def test_a_candle_that_stays_spoilt_does_not_hold_up_its_market_for_ever() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closed = NOW - NOW % STEP
    later = closed + SPOILT_MS + STEP + 30_000
    answers = [spoilt(exchange.answer(request, later), np.array([closed])) for request in wanted(book, later)]
    book.take(answers, later)
    made = [batch for batch in finals(book, later, Context()) if batch.timeframe == "5m"]
    assert [int(batch.gaps[0]) for batch in made] == [1] * 7


def test_a_final_signal_says_what_the_core_says_of_the_last_100_closed_candles() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closes = NOW - NOW % STEP + STEP
    batch = cycle(book, exchange, closes + 20_000)[0]
    last = int(np.flatnonzero(exchange.times == closes - STEP)[0])
    for i, market in enumerate(batch.markets):
        alone = analyse(exchange.walks[market].rows(slice(last - 99, last + 1)), CONFIG)
        assert batch.score[i] == alone.combined_score
        assert batch.signal_type(i) is not None
        assert batch.analysis.momentum.momentum_score[i] == alone.momentum.momentum_score


def test_candles_missed_between_two_cycles_all_get_their_final_signal() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    later = NOW + 13 * STEP
    made = cycle(book, exchange, later)
    five = [batch for batch in made if batch.timeframe == "5m"]
    assert [int(batch.candle_time[0]) for batch in five] == [NOW - NOW % STEP + i * STEP for i in range(13)]
    assert [batch.timeframe for batch in made].count("1h") == 1


def test_hours_come_from_five_minute_candles_and_equal_the_exchanges_own() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    later = NOW + 26 * STEP
    cycle(book, exchange, later)
    times, candles = book.candles_of(ETH, "1h")
    request = CandleRequest(ETH, "1h", int(times[0]), len(times))
    truth = exchange.answer(request, later)
    np.testing.assert_array_equal(times, truth.open_time)
    for got, name in zip(candles.columns(), COLUMNS, strict=True):
        np.testing.assert_allclose(got, getattr(truth, name), rtol=1e-12)


def test_the_percentile_ranks_among_the_last_500_closed_candles() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closes = NOW - NOW % STEP + STEP
    batch = cycle(book, exchange, closes + 20_000)[0]
    last = int(np.flatnonzero(exchange.times == closes - STEP)[0])
    scores = analyse(exchange.walks[BTC].rows(slice(last - 598, last + 1)).windows(100), CONFIG).combined_score
    assert len(scores) == 500
    own = scores[-1]
    expected = 100 * ((scores < own).sum() + 0.5 * (scores == own).sum()) / 500
    assert batch.percentile[0] == pytest.approx(expected)


def test_a_live_signal_is_made_on_the_forming_candle_with_projected_volume() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    lives = {batch.timeframe: batch for batch in live(book, NOW, *nothing(book), Context(), {})}
    assert set(lives) == {"5m", "1h"}
    assert not lives["5m"].closed
    assert lives["5m"].progress == pytest.approx(0.4)
    assert lives["5m"].candle_time[0] == NOW - NOW % STEP


def test_the_newest_price_is_the_close_of_a_live_signal() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    price, at = np.array([123.0, np.nan]), np.array([NOW + 1000, 0])
    lives = live(book, NOW + 2000, price, at, Context(), {})
    assert lives[0].analysis.price[0] == 123.0
    assert lives[0].analysis.price[1] == exchange.answer(CandleRequest(ETH, "5m", NOW - NOW % STEP, 1), NOW).close[0]
    assert lives[0].data_age_s[0] == 2.0  # of the candles: a newer price does not make them younger


def test_a_longer_candle_that_came_whole_is_not_rewritten_from_fewer_parts() -> None:
    book, exchange = opened(NOW - 10 * MINUTE_MS)
    before, after = NOW - 10 * MINUTE_MS, NOW
    requests = wanted(book, before)
    book.take([exchange.answer(r, before) for r in requests if r.timeframe == "5m"], before)
    hours = [
        CandleRequest(r.market, "1h", r.since_ms, r.limit + 1, Purpose.BACKFILL)
        for r in requests
        if r.timeframe == "1h"
    ]
    book.take([exchange.answer(r, after) for r in hours], after)  # the hour has closed since
    hour = NOW - NOW % HOUR_MS - HOUR_MS
    truth = exchange.answer(CandleRequest(BTC, "1h", hour, 1), after)
    times, candles = book.candles_of(BTC, "1h")
    assert candles.volume[times == hour] == truth.volume[0]
    cycle(book, exchange, after)
    times, candles = book.candles_of(BTC, "1h")
    assert candles.close[times == hour] == truth.close[0]
    assert candles.volume[times == hour] == pytest.approx(truth.volume[0], rel=1e-12)


def test_prices_alone_make_no_live_signal_once_a_candle_has_closed_unseen() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    later = NOW + 4 * MINUTE_MS  # a minute into the next candle, no candle fetched since
    assert live(book, later, np.array([123.0, 45.0]), np.array([later, later]), Context(), {}) == []


def test_a_market_listed_later_takes_nothing_from_those_before_it() -> None:
    exchange = Exchange(NOW + 40 * STEP)
    book = Book("binance", (BTC,), CONFIG, NOW, simulated=False)
    cycle(book, exchange, NOW)
    grown = book.with_markets((*book.markets, ETH), NOW + STEP)
    assert {(r.market, r.purpose) for r in wanted(grown, NOW + STEP) if r.timeframe == "5m"} == {
        (BTC, Purpose.CLOSE),
        (ETH, Purpose.BACKFILL),
    }
    made = cycle(grown, exchange, NOW + 2 * STEP)
    told = [(market, int(batch.candle_time[0])) for batch in made for market in batch.markets]
    first = NOW - NOW % STEP
    assert told == [(BTC, first), (BTC, first + STEP), (ETH, first + STEP)]


def test_a_young_market_is_not_ranked_among_scores_that_were_never_made() -> None:
    book, exchange = opened()
    requests = [r for r in wanted(book, NOW) if r.timeframe == "5m"]
    young = [exchange.answer(CandleRequest(r.market, "5m", NOW - NOW % STEP - 114 * STEP, 116), NOW) for r in requests]
    book.take(
        [
            CandleAnswer(r, *(getattr(a, n) for n in ("open_time", *COLUMNS)), NOW)
            for r, a in zip(requests, young, strict=True)
        ],
        NOW,
    )
    score_history(book)
    batch = live(book, NOW, *nothing(book), Context(), {})[0]
    assert np.isnan(batch.percentile).all()  # 114 closed candles, of which 95 have a score


def test_a_market_whose_data_stopped_coming_gets_no_live_signal() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    assert live(book, NOW + 4 * STEP, *nothing(book), Context(), {}) == []


def test_a_market_nobody_trades_is_filled_only_as_far_as_the_exchange_shows_life() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    later = NOW + 3 * STEP
    answers = [exchange.answer(r, later) for r in wanted(book, later)]
    silent = [
        a if a.request.market == BTC else CandleAnswer(a.request, a.open_time[:0], *[np.empty(0)] * 5, later)
        for a in answers
    ]
    book.take(silent, later)
    score_history(book)
    made = finals(book, later, Context())
    assert all(len(batch) == 2 for batch in made)
    assert made[-1].gaps.tolist() == [0, 2]  # the candle then forming had already been seen traded


def test_when_the_whole_exchange_is_silent_nothing_is_invented() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    later = NOW + 3 * STEP
    empty = [CandleAnswer(r, np.empty(0, dtype=np.int64), *[np.empty(0)] * 5, later) for r in wanted(book, later)]
    book.take(empty, later)
    made = finals(book, later, Context())
    assert made == []  # not even the one already seen: it may be the exchange that stands still


def test_a_book_that_fell_far_behind_loads_its_history_again() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    later = NOW + 2000 * STEP
    book.take([], later)
    assert all(request.purpose is Purpose.BACKFILL for request in wanted(book, later))


def test_candles_for_the_store_are_handed_out_once_and_only_when_final() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    first = {(part.market, part.timeframe): part.open_time for part in book.newly_closed()}
    assert first[BTC, "5m"][-1] == NOW - NOW % STEP - STEP
    assert book.newly_closed() == []
    cycle(book, exchange, NOW + STEP)
    assert [part.open_time.tolist() for part in book.newly_closed()] == [[NOW - NOW % STEP]] * 2


def test_who_still_reads_a_book_is_answered_by_the_one_that_took_its_markets_over() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    price, price_ms = np.array([123.0, 45.0]), np.array([NOW, NOW])
    times, before = book.newest("1h", np.array([1, 0]), 30, NOW, price, price_ms)
    closes, own = book.closed_base(), book.candles_of(ETH, "5m")[1]
    book.with_markets([ETH], NOW)
    after_times, after = book.newest("1h", np.array([1, 0]), 30, NOW, price, price_ms)
    np.testing.assert_array_equal(after_times, times)
    for name in Panel.COLUMNS[:5]:
        np.testing.assert_array_equal(getattr(after, name)[0], getattr(before, name)[0], err_msg=name)
        assert np.isnan(getattr(after, name)[1]).all()  # it has left
    np.testing.assert_array_equal(book.closed_base(), closes[[1]])
    np.testing.assert_array_equal(book.candles_of(ETH, "5m")[1].close, own.close)
    assert len(book.candles_of(BTC, "5m")[0]) == 0


def test_a_market_that_leaves_takes_nothing_from_those_that_stay() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    before = {timeframe: book.candles_of(ETH, timeframe)[1].close for timeframe in book.timeframes}
    alone = book.with_markets([ETH], NOW + STEP)
    assert {(r.market, r.timeframe, r.purpose) for r in wanted(alone, NOW + STEP)} == {(ETH, "5m", Purpose.CLOSE)}
    for timeframe in alone.timeframes:
        np.testing.assert_array_equal(alone.candles_of(ETH, timeframe)[1].close, before[timeframe])
    made = cycle(alone, exchange, NOW + STEP)
    assert [(batch.timeframe, batch.markets) for batch in made] == [("5m", (ETH,))]


def test_what_a_clock_ahead_has_seen_is_seen_again_once_it_is_put_right() -> None:
    """For a while the exchange's clock was two minutes ahead; its candles were true all the time."""
    book, exchange = opened()
    cycle(book, exchange, NOW)
    asked = wanted(book, NOW + 2 * MINUTE_MS + 55_000)
    part = [exchange.answer(request, NOW + MINUTE_MS) for request in asked]
    ahead_ms = NOW + MINUTE_MS + 120_000 - 5_000
    book.take([replace(answer, began_ms=ahead_ms) for answer in part], ahead_ms)
    assert set(book.coverage.as_of_ms.tolist()) == {ahead_ms}

    right_ms = NOW + 2 * MINUTE_MS + 50_000  # still before that moment
    book.take([], right_ms)
    assert (book.coverage.as_of_ms <= right_ms).all()
    cycle(book, exchange, right_ms)
    assert set(book.coverage.as_of_ms.tolist()) == {right_ms}
    book.take([replace(answer, began_ms=ahead_ms) for answer in part], right_ms)  # one more from the wrong clock
    assert set(book.coverage.as_of_ms.tolist()) == {right_ms}


def test_no_candle_becomes_final_as_a_clock_ahead_had_seen_it() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    closes = (NOW // STEP + 1) * STEP
    asked, ahead_ms = wanted(book, NOW), closes + 110_000
    part = [exchange.answer(request, closes - 10_000) for request in asked]
    book.take([replace(answer, began_ms=ahead_ms) for answer in part], ahead_ms)
    assert finals(book, ahead_ms, Context()) == []
    book.take([], closes + 5_000)
    assert live(book, closes + 5_000, *nothing(book), Context(), {}) == []  # not before it has been looked at again
    assert len(cycle(book, exchange, closes + 20_000)) == 1
    steady, _ = opened()
    for now_ms in (NOW, closes + 20_000):
        cycle(steady, exchange, now_ms)
    for market in (BTC, ETH):
        for held, true in zip(
            book.candles_of(market, "5m")[1].columns(), steady.candles_of(market, "5m")[1].columns(), strict=True
        ):
            np.testing.assert_array_equal(held, true)
