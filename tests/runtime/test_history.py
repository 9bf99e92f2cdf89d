"""The signals kept in memory: what is remembered of whom, and how much in all."""

from __future__ import annotations

from collections import deque

import numpy as np

from scanner.config import StreamConfig
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.markets import Market
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.history import SignalHistory

MARKETS = tuple(Market("binance", f"{base}/USDT") for base in ("BTC", "ETH", "SOL", "XRP"))


def _candles(count: int, seed: int) -> Candles:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, (count, 100)), axis=-1))
    return Candles(close * 0.99, close * 1.02, close * 0.97, close, close * 3)


def batch(at_ms: int, markets: tuple[Market, ...] = MARKETS, *, timeframe: str = "5m") -> SignalBatch:
    count = len(markets)
    return SignalBatch(
        exchange="binance",
        style="scalp",
        timeframe=timeframe,
        at_ms=at_ms,
        closed=False,
        markets=markets,
        rows=np.arange(count),
        candle_time=np.full(count, at_ms - 1),
        progress=np.full(count, 0.5),
        analysis=analyse(_candles(count, at_ms), StreamConfig()),
        percentile=np.full(count, np.nan),
        data_age_s=np.full(count, 1.0),
        gaps=np.zeros(count, dtype=np.int64),
        params_id="abc",
        scoring="absolute",
        simulated=False,
        context=Context(0.25, "high"),
    )


def test_what_is_remembered_is_what_was_made() -> None:
    history = SignalHistory(10)
    made = [batch(at_ms) for at_ms in (1000, 2000)]
    for each in made:
        history.add(each)
    expected = {f"{m}:5m": deque(each.record(i) for each in made) for i, m in enumerate(MARKETS)}
    assert history.by_market() == expected
    assert history.count() == 8


def test_a_market_keeps_its_newest_however_busy_the_others_are() -> None:
    history = SignalHistory(3)
    history.add(batch(1, MARKETS[3:]))
    for at_ms in range(2, 3000):
        history.add(batch(2 + at_ms % 7, MARKETS[:1]) if at_ms > 2 else batch(at_ms, MARKETS[:1]))
    found = history.by_market()
    assert {key: len(records) for key, records in found.items()} == {"binance:XRP/USDT:5m": 1, "binance:BTC/USDT:5m": 3}
    assert history.count() == 4


def test_in_all_no_more_are_remembered_than_the_bound_and_the_oldest_go_first() -> None:
    history = SignalHistory(5, most=20)
    for at_ms in range(1, 30):
        history.add(batch(at_ms))
    assert 16 <= history.count() <= 20
    newest = batch(29).record(0)["timestamp"]
    assert all(records[-1]["timestamp"] == newest for records in history.by_market().values())


def test_a_copy_does_not_change_when_more_is_added() -> None:
    history = SignalHistory(5)
    history.add(batch(1))
    copy = history.copy()
    history.add(batch(2))
    assert (copy.count(), history.count()) == (4, 8)


def test_each_timeframe_of_a_market_is_remembered_for_itself() -> None:
    history = SignalHistory(1)
    for timeframe in ("5m", "1h"):
        history.add(batch(1, MARKETS[:1], timeframe=timeframe))
    assert set(history.by_market()) == {"binance:BTC/USDT:5m", "binance:BTC/USDT:1h"}
