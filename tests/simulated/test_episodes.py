"""Planted episodes: every signal type is there to be seen, in closed 5m candles with fixed-percentage scores."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from scanner.config import StreamConfig
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.records import SIGNAL_TYPES
from scanner.simulated import generated
from scanner.simulated.market import COINS
from scanner.timeframes import DAY_MS, LENGTH_MS
from tests.simulated.conftest import NOW_MS
from tests.simulated.reference import WINDOW, verdict

STEP = LENGTH_MS["5m"]
QUICK = [f"{coin.base}/USDT" for coin in COINS if coin.stretch == 1]
HOT = 60
FOUR_HOURS = 48  # candles


def closed(source, symbol: str, timeframe: str, count: int) -> Candles:
    """The newest `count` windows of closed candles: float64[count, 100]."""
    length = LENGTH_MS[timeframe]
    end = NOW_MS - NOW_MS % length
    found = source.candles(symbol, timeframe, end - (count + WINDOW - 1) * length, end - 1, NOW_MS)
    return Candles(*found.columns()[1:]).windows(WINDOW)


@pytest.fixture(scope="module", params=[1, 7])
def days(request):
    """Three days of the quick coins, analysed: combined scores and types, [coins, times]."""
    source = generated(seed=request.param)
    found = [analyse(closed(source, symbol, "5m", 3 * DAY_MS // STEP), StreamConfig()) for symbol in QUICK]
    return np.array([a.combined_score for a in found]), np.array([a.signal_type for a in found])


def test_nine_default_symbols_take_turns():
    assert len(QUICK) == 9


def test_at_any_moment_a_default_symbol_is_hot(days):
    scores, _ = days
    assert (scores.max(axis=0) >= HOT).all()


def test_most_of_the_time_a_symbol_is_not(days):
    scores, _ = days
    assert ((scores >= HOT).mean(axis=1) < 0.25).all()


@pytest.mark.parametrize("signal", SIGNAL_TYPES)
def test_every_signal_type_occurs_within_four_hours(days, signal):
    _, types = days
    seen = np.flatnonzero((types == SIGNAL_TYPES.index(signal)).any(axis=0))
    edges = np.concatenate([[-1], seen, [types.shape[1]]])
    assert np.diff(edges).max() <= FOUR_HOURS


def test_the_formulas_written_out_plainly_agree():
    """The same verdicts from the detectors and from a second, naive implementation of their formulas."""
    source = generated(seed=1)
    for symbol in QUICK[:3]:
        windows = closed(source, symbol, "5m", 90)
        found = analyse(windows, StreamConfig())
        for i in range(90):
            plain = verdict(windows.open[i], windows.close[i], windows.volume[i])
            assert SIGNAL_TYPES[found.signal_type[i]] == plain.signal
            assert found.combined_score[i] == pytest.approx(plain.combined)


def test_momentum_reaches_a_hundred_and_strong_signals_have_two_factors():
    source, by_type = generated(seed=1), defaultdict(list)
    for symbol in QUICK:
        windows = closed(source, symbol, "5m", 90)
        for i in range(90):
            found = verdict(windows.open[i], windows.close[i], windows.volume[i])
            by_type[found.signal].append(found)
    assert max(found.momentum for found in by_type["MOMENTUM_BUY"] + by_type["MOMENTUM_SELL"]) == 100
    for found in by_type["STRONG_BUY"] + by_type["STRONG_SELL"]:
        assert 66.7 < found.momentum <= 70
        assert sum(found.factors) == 2


@pytest.mark.parametrize(("timeframe", "stretch", "count"), [("1h", 12, 200), ("4h", 48, 200)])
def test_slow_coins_have_episodes_on_slower_timeframes(timeframe, stretch, count):
    source, seen = generated(seed=1), set()
    for coin in COINS:
        if coin.stretch == stretch:
            found = analyse(closed(source, f"{coin.base}/USDT", timeframe, count), StreamConfig())
            seen |= {SIGNAL_TYPES[i] for i in found.signal_type[found.combined_score >= HOT]}
    assert {"MOMENTUM_BUY", "MOMENTUM_SELL", "REVERSION_BULLISH", "REVERSION_BEARISH"} <= seen
