"""What is kept of pushed data moves forward only; what may stand for an answer of REST, and what may not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.gateway.push.kept import MOST_CANDLES, KeptCandles, KeptPrice, candle_answer
from scanner.markets import Market

STEP = 300_000
T0 = 1_760_000_100_000 - 1_760_000_100_000 % STEP
MARKET = Market("binance", "BTC/USDT")
GRACE_MS, LULL_MS = 15_000, 10_000


def row(index: int, volume: float = 1.0, close: float = 10.0) -> list[float]:
    return [T0 + index * STEP, 10.0, 11.0, 9.0, close, volume]


def kept_of(*rows: list[float], at_ms: int = T0) -> KeptCandles:
    kept = KeptCandles()
    for each in rows:
        kept.take([each], at_ms)
    return kept


def answered(kept: KeptCandles, index: int, now_ms: int, limit: int = 10) -> CandleAnswer | None:
    request = CandleRequest(MARKET, "5m", T0 + index * STEP, limit)
    return candle_answer(request, kept, STEP, now_ms, GRACE_MS, LULL_MS)


def rest(*rows: list[float], began_ms: int = T0) -> CandleAnswer:
    columns = np.array(rows).T
    request = CandleRequest(MARKET, "5m", T0, 10)
    return CandleAnswer(request, columns[0].astype(np.int64), *columns[1:], began_ms)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), max_size=40))
def test_no_order_of_events_takes_volume_away(events):
    kept, most = KeptCandles(), {}
    for index, volume in events:
        kept.take([row(index, volume)], T0)
        most[index] = max(most.get(index, 0.0), volume)
    columns = kept.columns(T0, STEP)
    assert dict(zip(((columns.open_time - T0) // STEP).tolist(), columns.volume.tolist(), strict=True)) == most


def test_a_repeated_candle_is_no_news():
    kept = kept_of(row(0, 1.0))
    assert not kept.take([row(0, 1.0)], T0)
    assert not kept.take([row(0, 0.5)], T0)
    assert kept.take([row(0, 1.5)], T0)
    assert kept.take([row(0, 1.5), row(1, 0.1)], T0)


def test_only_the_newest_candles_are_kept():
    kept = kept_of(*(row(i) for i in range(MOST_CANDLES + 5)))
    assert len(kept.columns(0, STEP).open_time) == MOST_CANDLES


def test_a_row_with_nulls_changes_nothing():
    kept = KeptCandles()
    assert not kept.take([[T0, None, 1.0, 1.0, 1.0, 1.0]], T0)  # type: ignore[list-item]
    assert math.isnan(kept.price)


@pytest.mark.parametrize("old", [{"timestamp": 5, "last": 2.0}, {"timestamp": 4, "last": 3.0}])
def test_a_ticker_of_an_earlier_event_is_no_news(old):
    kept = KeptPrice()
    assert kept.take({"timestamp": 5, "last": 1.0})
    assert not kept.take(old)
    assert kept.price == 1.0
    assert kept.take({"timestamp": 6, "last": 1.0})


def test_a_ticker_without_a_time_is_news_when_it_differs():
    kept = KeptPrice()
    assert kept.take({"timestamp": None, "last": 1.0})
    assert not kept.take({"timestamp": None, "last": 1.0})
    assert kept.take({"timestamp": None, "last": 2.0})


def test_the_forming_candle_alone_is_an_answer():
    answer = answered(kept_of(row(0)), 0, T0 + 60_000)
    assert answer is not None
    assert (answer.open_time.tolist(), answer.began_ms, answer.provisional) == ([T0], T0 + 60_000, True)


def test_a_closed_candle_and_the_next_one_are_an_answer():
    kept = kept_of(row(0), at_ms=T0 + STEP - 2_000)
    kept.take([row(1)], T0 + STEP + 1_000)
    answer = answered(kept, 0, T0 + STEP + 2_000)
    assert answer is not None
    assert len(answer) == 2


def test_what_came_before_the_connection_is_asked_of_rest():
    assert answered(kept_of(row(1)), 0, T0 + STEP + 1_000) is None


def test_a_hole_is_asked_of_rest():
    assert answered(kept_of(row(0), row(2), at_ms=T0 + 2 * STEP), 0, T0 + 2 * STEP + 1_000) is None


def test_without_a_newer_candle_rest_is_asked_after_the_grace():
    kept = kept_of(row(0), at_ms=T0 + STEP - 1_000)
    assert answered(kept, 0, T0 + STEP + GRACE_MS - 1) is not None
    assert answered(kept, 0, T0 + STEP + GRACE_MS) is None


def test_a_candle_last_heard_of_long_before_its_close_is_asked_of_rest():
    kept = kept_of(row(0), at_ms=T0 + STEP - LULL_MS - 1)
    kept.take([row(1)], T0 + STEP + 1_000)
    assert answered(kept, 0, T0 + STEP + 2_000) is None
    kept.seed(rest(row(0), row(1), began_ms=T0 + STEP + 1_500))
    assert answered(kept, 0, T0 + STEP + 2_000) is not None


def test_rest_is_ahead_when_it_knows_of_more_trades():
    kept = kept_of(row(0, 2.0))
    assert not kept.is_behind(rest(row(0, 2.0)))
    assert not kept.is_behind(rest(row(0, 1.0)))
    assert kept.is_behind(rest(row(0, 2.5)))
    assert kept.is_behind(rest(row(0, 2.0), row(1, 0.1)))
    assert not kept.is_behind(rest(row(0, 2.0), row(1, 0.0)))  # a new candle without a trade is no news
