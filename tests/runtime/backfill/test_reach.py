"""How far back a backfill reaches, and what of that it asks for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.config import StreamConfig
from scanner.markets import Market
from scanner.runtime.backfill.reach import (
    PER_REQUEST,
    Reach,
    missing,
    no_earlier,
    reaches,
    requests,
    runs,
    untraded,
)
from scanner.store.gaps import DOWN, NO_TRADE, Gap
from scanner.timeframes import DAY_MS, HOUR_MS, MINUTE_MS

BTC = Market("binance", "BTC/USDT")
MIDNIGHT = 1_761_264_000_000  # 2025-10-24T00:00:00Z
FIVE = 5 * MINUTE_MS


def test_signals_begin_with_what_closes_as_a_utc_day_begins_and_candles_early_enough_for_them():
    found = reaches(StreamConfig(), 2, MIDNIGHT + 10 * HOUR_MS)
    for timeframe, reach in found.items():
        assert reach.first_ms + reach.step_ms == MIDNIGHT - 2 * DAY_MS
        assert reach.since_ms == reach.first_ms - 599 * reach.step_ms, timeframe


def test_only_candles_past_revising_are_asked_for():
    just_closed = reaches(StreamConfig(), 1, MIDNIGHT + FIVE + 14_000)["5m"]
    settled = reaches(StreamConfig(), 1, MIDNIGHT + FIVE + 15_000)["5m"]
    assert (just_closed.last_ms, settled.last_ms) == (MIDNIGHT - FIVE, MIDNIGHT)


def test_what_is_held_or_explained_is_not_missing():
    reach = Reach("5m", 0, 0, 9 * FIVE)
    held = np.array([0, 1, 4, 9]) * FIVE
    assert missing(reach, held, []) == [(2 * FIVE, 4 * FIVE), (5 * FIVE, 9 * FIVE)]
    assert missing(reach, held, [(2 * FIVE, 4 * FIVE), (6 * FIVE, 7 * FIVE)]) == [
        (5 * FIVE, 6 * FIVE),
        (7 * FIVE, 9 * FIVE),
    ]


def test_a_candle_that_is_explained_in_part_is_missing():
    reach = Reach("1h", 0, 0, 2 * HOUR_MS)
    held = np.array([0, 2]) * HOUR_MS
    assert missing(reach, held, [(HOUR_MS, HOUR_MS + FIVE)]) == [(HOUR_MS, 2 * HOUR_MS)]


def test_the_ledger_explains_untraded_time_of_this_market_and_timeframe_only():
    ours = [
        Gap("binance", "BTC/USDT", NO_TRADE, 0, 10),
        Gap("binance", "BTC/USDT", NO_TRADE, 20, 30, no_earlier("5m")),
    ]
    others = [
        Gap("binance", "ETH/USDT", NO_TRADE, 40, 50),
        Gap("binance", "BTC/USDT", DOWN, 60, 70),
        Gap("binance", "BTC/USDT", NO_TRADE, 80, 90, no_earlier("1h")),
    ]
    assert untraded([*ours, *others], BTC, "5m") == [(0, 10), (20, 30)]


def test_a_month_is_asked_for_in_whole_pages_and_small_holes_share_one():
    month = requests(BTC, "5m", [(0, 8640 * FIVE)])
    assert [ask.limit for ask in month] == [1000] * 8 + [640]
    holes = requests(BTC, "5m", [(0, FIVE), (500 * FIVE, 501 * FIVE), (5000 * FIVE, 5001 * FIVE)])
    assert [(ask.since_ms // FIVE, ask.limit) for ask in holes] == [(0, 501), (5000, 1)]


@given(st.sets(st.integers(0, 4000)))
def test_requests_cover_what_is_missing_and_are_never_larger_than_a_page(absent):
    reach = Reach("5m", 0, 0, 4000 * FIVE)
    held = np.array([slot * FIVE for slot in range(4001) if slot not in absent], dtype=np.int64)
    asked = {
        slot
        for ask in requests(BTC, "5m", missing(reach, held, []))
        for slot in range(ask.since_ms // FIVE, ask.since_ms // FIVE + ask.limit)
        if ask.limit <= PER_REQUEST
    }
    assert absent <= asked <= set(range(4001))


@pytest.mark.parametrize(("slots", "found"), [([], []), ([3], [(3, 4)]), ([1, 2, 5, 6, 9], [(1, 3), (5, 7), (9, 10)])])
def test_runs_are_unbroken(slots, found):
    assert list(runs(np.array(slots, dtype=np.int64), 1)) == found
