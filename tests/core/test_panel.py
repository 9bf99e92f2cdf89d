"""The panel: alignment, fillers, longer timeframes out of shorter ones, the forming candle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.candles import Candles
from scanner.core.panel import Panel, assemble, forming
from scanner.timeframes import HOUR_MS, MINUTE_MS

STEP = 5 * MINUTE_MS
T0 = 1_700_000_000_000 // HOUR_MS * HOUR_MS


def flat(rows: list[int], times: list[int], close: list[float], volume: list[float] | None = None) -> tuple:
    price = np.array(close, dtype=float)
    amount = np.array(volume if volume is not None else [1.0] * len(close))
    return np.array(rows), np.array(times, dtype=np.int64), Candles(price, price + 1, price - 1, price, amount)


def test_candles_of_different_markets_share_columns() -> None:
    panel = Panel(2, STEP, 4)
    panel.put(*flat([0, 1, 0], [T0, T0, T0 + STEP], [10, 20, 11]))
    assert panel.end_ms == T0 + STEP
    np.testing.assert_array_equal(panel.close, [[np.nan, np.nan, 10, 11], [np.nan, np.nan, 20, np.nan]])
    np.testing.assert_array_equal(panel.open_time, T0 + STEP * np.array([-2, -1, 0, 1]))


def test_the_newest_word_on_a_candle_wins_and_too_old_ones_are_dropped() -> None:
    panel = Panel(1, STEP, 2)
    panel.put(*flat([0, 0], [T0, T0 + STEP], [10, 11]))
    panel.put(*flat([0, 0], [T0 - 5 * STEP, T0], [1, 12]))
    np.testing.assert_array_equal(panel.close, [[12, 11]])


def test_advancing_shifts_every_market_once_and_never_goes_back() -> None:
    panel = Panel(1, STEP, 3)
    panel.put(*flat([0, 0], [T0, T0 + STEP], [10, 11]))
    panel.advance_to(T0 + 2 * STEP)
    panel.advance_to(T0)
    np.testing.assert_array_equal(panel.close, [[10, 11, np.nan]])
    panel.advance_to(T0 + 100 * STEP)
    assert np.isnan(panel.close).all()


def test_a_candle_nobody_traded_is_the_previous_close_with_zero_volume() -> None:
    panel = Panel(2, STEP, 4)
    panel.put(*flat([0, 0, 1], [T0, T0 + 3 * STEP, T0 + STEP], [10, 13, 20]))
    panel.fill(np.array([T0 + 3 * STEP, T0 + 2 * STEP]), 4)
    np.testing.assert_array_equal(panel.close, [[10, 10, 10, 13], [np.nan, 20, 20, np.nan]])
    np.testing.assert_array_equal(panel.high[0], [11, 10, 10, 14])
    np.testing.assert_array_equal(panel.volume[0], [1, 0, 0, 1])
    np.testing.assert_array_equal(panel.filled[0], [False, True, True, False])


def test_a_late_candle_replaces_its_filler_and_those_after_it_follow() -> None:
    panel = Panel(1, STEP, 4)
    panel.put(*flat([0, 0], [T0, T0 + 3 * STEP], [10, 13]))
    through = np.array([T0 + 3 * STEP])
    panel.fill(through, 4)
    panel.put(*flat([0], [T0 + STEP], [15]))
    panel.fill(through, 4)
    np.testing.assert_array_equal(panel.close, [[10, 15, 15, 13]])
    np.testing.assert_array_equal(panel.filled, [[False, False, True, False]])


def test_a_window_that_reaches_before_the_panel_is_missing_there() -> None:
    panel = Panel(1, STEP, 2)
    panel.put(*flat([0, 0], [T0, T0 + STEP], [10, 11]))
    window = panel.window(np.array([0]), T0 + STEP, 4)
    np.testing.assert_array_equal(window.close, [[np.nan, np.nan, 10, 11]])
    assert window.close.flags.c_contiguous


prices = st.lists(st.floats(1, 100).map(lambda x: round(x, 2)), min_size=30, max_size=60)


@given(prices, st.data())
def test_an_hour_assembled_from_twelve_candles_is_what_pandas_resamples(
    close: list[float], data: st.DataObject
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    times = T0 + STEP * np.arange(len(close))
    values = np.array(close)
    volume = np.round(rng.uniform(0, 9, len(close))) + 1
    candles = Candles(values, values + 2, values - 0.5, np.roll(values, 1), volume)
    base, hours = Panel(1, STEP, 80), Panel(1, HOUR_MS, 10)
    base.put(np.zeros(len(close), dtype=np.int64), times, candles)
    assemble(base, hours, np.array([T0]), np.array([base.end_ms]), np.array([-1]))

    frame = pd.DataFrame(
        dict(zip(["open", "high", "low", "close", "volume"], candles.columns(), strict=True)),
        index=pd.to_datetime(times, unit="ms", utc=True),
    )
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    expected = frame.resample("1h").agg(rules)
    for name in rules:
        got = getattr(hours, name)[0, -len(expected) :]
        np.testing.assert_array_equal(got, expected[name].to_numpy())


def test_an_hour_opens_at_its_first_traded_candle() -> None:
    base, hours = Panel(1, STEP, 40), Panel(1, HOUR_MS, 4)
    base.put(*flat([0], [T0 - STEP], [9]))
    base.put(*flat([0], [T0 + 2 * STEP], [12], [5.0]))
    base.fill(np.array([T0 + 2 * STEP]), 40)
    assemble(base, hours, np.array([T0 - HOUR_MS]), np.array([base.end_ms]), np.array([-1]))
    assert hours.open[0, -1] == 12  # not the filler's 9
    assert hours.low[0, -1] == 11
    assert hours.volume[0, -1] == 5
    assert not hours.filled[0, -1]


def test_an_hour_without_any_trade_is_a_filler_itself() -> None:
    base, hours = Panel(1, STEP, 40), Panel(1, HOUR_MS, 4)
    base.put(*flat([0], [T0 - STEP], [9]))
    base.advance_to(T0 + 11 * STEP)
    base.fill(np.array([T0 + 11 * STEP]), 40)
    assemble(base, hours, np.array([T0 - HOUR_MS]), np.array([base.end_ms]), np.array([-1]))
    assert (hours.open[0, -1], hours.high[0, -1], hours.close[0, -1], hours.volume[0, -1]) == (9, 9, 9, 0)
    assert hours.filled[0, -1]


def test_an_hour_that_began_before_the_short_candles_are_complete_is_left_alone() -> None:
    base, hours = Panel(1, STEP, 40), Panel(1, HOUR_MS, 4)
    hours.put(*flat([0], [T0], [77]))
    base.put(*flat([0], [T0 + 6 * STEP], [12]))
    assemble(base, hours, np.array([T0 + 6 * STEP]), np.array([base.end_ms]), np.array([-1]))
    assert hours.close[0, -1] == 77


def one(value: float) -> np.ndarray:
    return np.array([value])


def closed_candles(volume: float = 10.0) -> Candles:
    close = np.full((1, 99), 100.0)
    return Candles(close, close, close, close, np.full((1, 99), volume))


def test_volume_of_a_forming_candle_is_projected_to_a_whole_one() -> None:
    observed = Candles(one(100), one(104), one(99), one(103), one(4.0))
    now = forming(closed_candles(), observed, one(np.nan), one(0.25))
    assert now.volume[0] == 4.0 + 0.75 * 10.0
    assert (now.open[0], now.high[0], now.low[0], now.close[0]) == (100, 104, 99, 103)


def test_the_newest_price_stretches_a_forming_candle() -> None:
    observed = Candles(one(100), one(104), one(99), one(103), one(4.0))
    now = forming(closed_candles(), observed, one(98), one(1.0))
    assert (now.high[0], now.low[0], now.close[0], now.volume[0]) == (104, 98, 98, 4.0)


@pytest.mark.parametrize(("price", "close"), [(np.nan, 100.0), (101.0, 101.0)])
def test_a_candle_nobody_has_traded_yet_begins_at_the_previous_close(price: float, close: float) -> None:
    nothing = Candles(*(one(np.nan) for _ in range(5)))
    now = forming(closed_candles(), nothing, one(price), one(0.5))
    assert (now.open[0], now.close[0], now.volume[0]) == (100, close, 5.0)


def test_many_steps_in_time_keep_what_the_last_columns_hold() -> None:
    """Steps of all lengths, over the end of the spare columns and beyond the panel."""
    rng = np.random.default_rng(1)
    panel, known = Panel(2, STEP, 6), {}
    for step in rng.integers(0, 9, 200):
        open_ms = panel.end_ms + int(step) * STEP if panel.end_ms else T0
        value = float(rng.uniform(1, 2))
        panel.put(np.array([0]), np.array([open_ms]), Candles(*[np.array([value])] * 5))
        panel.score[1, -1] = value
        known[open_ms] = value
        expected = [known.get(int(moment), np.nan) for moment in panel.open_time]
        np.testing.assert_array_equal(panel.close[0], expected)
        np.testing.assert_array_equal(panel.score[1], expected)
        assert np.isnan(panel.close[1]).all()
        assert not panel.filled.any()


def test_candles_move_to_a_panel_of_other_markets() -> None:
    panel = Panel(3, STEP, 4)
    panel.put(np.arange(3), np.full(3, T0), Candles(*[np.array([1.0, 2.0, 3.0])] * 5))
    panel.advance_to(T0 + STEP)
    other = panel.moved(np.array([2, 0]), np.array([0, 1]), 4)
    np.testing.assert_array_equal(other.close[:, -2], [3.0, 1.0, np.nan, np.nan])
    assert (other.end_ms, other.length, len(panel.close)) == (T0 + STEP, 4, 0)
