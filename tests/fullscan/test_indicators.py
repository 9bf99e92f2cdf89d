"""Indicators against straight numpy, and without a look ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scanner.core.indicators import rsi as core_rsi
from scanner.fullscan.fibonacci import confluence, fibonacci, nearest
from scanner.fullscan.indicators import Columns, TechnicalIndicators, breakout, trend_score, with_indicators
from scanner.fullscan.profile import anchored_poc, fixed_range_poc, volume_profile
from tests.fullscan.making import frame, walk

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def recursion(values, alpha, start):
    """x[t] = alpha * v[t] + (1 - alpha) * x[t - 1] from v[start]."""
    out = np.full(len(values), np.nan)
    out[start] = values[start]
    for t in range(start + 1, len(values)):
        out[t] = alpha * values[t] + (1 - alpha) * out[t - 1]
    return out


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return with_indicators(walk(230, seed=3), Columns(4, 12))


def columns(table):
    return (table[name].to_numpy() for name in ("high", "low", "close", "volume"))


def test_rsi_is_wilders(table):
    _, _, close, _ = columns(table)
    steps = np.diff(close, prepend=close[0])
    gain, loss = recursion(np.maximum(steps, 0), 1 / 14, 0), recursion(np.maximum(-steps, 0), 1 / 14, 0)
    np.testing.assert_allclose(table["rsi"][13:], (100 * gain[13:] / (gain + loss)[13:]), **CLOSE)
    assert table["rsi"].iloc[:13].isna().all()
    assert table["rsi"].iloc[99] == pytest.approx(float(core_rsi(close[:100])), rel=1e-9)


@pytest.mark.parametrize(
    ("closes", "expected"), [([5.0] * 60, 50.0), (np.arange(1.0, 61), 100.0), (np.arange(60.0, 0, -1), 0.0)]
)
def test_rsi_of_flat_and_straight_lines(closes, expected):
    assert TechnicalIndicators.rsi(pd.Series(np.asarray(closes))).iloc[-1] == expected


def test_emas_and_macd(table):
    _, _, close, _ = columns(table)
    for span in (5, 9, 13, 20, 21, 50, 200):
        expected = recursion(close, 2 / (span + 1), 0)
        np.testing.assert_allclose(table[f"ema_{span}"][span - 1 :], expected[span - 1 :], **CLOSE)
        assert table[f"ema_{span}"].iloc[: span - 1].isna().all()
    line = recursion(close, 2 / 13, 0) - recursion(close, 2 / 27, 0)
    signal = recursion(line, 2 / 10, 25)  # the line exists from the 26th candle on
    np.testing.assert_allclose(table["macd"][33:], (line - signal)[33:], **CLOSE)


def test_atr_is_wilders_mean_of_true_ranges(table):
    high, low, close, _ = columns(table)
    before = np.concatenate([[np.nan], close[:-1]])
    ranges = np.fmax(high - low, np.fmax(np.abs(high - before), np.abs(low - before)))
    expected = np.full(len(close), np.nan)
    expected[13] = ranges[:14].mean()
    for t in range(14, len(close)):
        expected[t] = (13 * expected[t - 1] + ranges[t]) / 14
    np.testing.assert_allclose(table["atr"], expected, **CLOSE)


def test_bollinger_bands_have_the_population_deviation(table):
    _, _, close, _ = columns(table)
    windows = np.lib.stride_tricks.sliding_window_view(close, 20)
    middle, width = windows.mean(axis=1), windows.std(axis=1)
    np.testing.assert_allclose(table["bb_lower"][19:], middle - 2 * width, rtol=1e-9)
    np.testing.assert_allclose(table["bb_upper"][19:], middle + 2 * width, rtol=1e-9)
    np.testing.assert_allclose(table["bb_position"][19:], (close[19:] - middle + 2 * width) / (4 * width), rtol=1e-8)


def test_stochastic(table):
    high, low, close, _ = columns(table)
    top = np.lib.stride_tricks.sliding_window_view(high, 14).max(axis=1)
    bottom = np.lib.stride_tricks.sliding_window_view(low, 14).min(axis=1)
    k = 100 * (close[13:] - bottom) / (top - bottom)
    np.testing.assert_allclose(table["stoch_k"][13:], k, **CLOSE)
    np.testing.assert_allclose(table["stoch_d"][15:], (k[:-2] + k[1:-1] + k[2:]) / 3, **CLOSE)


def test_adx_by_its_recursion(table):
    """Wilder's sums of moves, as shares of those of the ranges; `ta` takes the index of the candle before."""
    high, low, close, _ = columns(table)
    before = np.roll(close, 1)
    ranges = np.maximum(high, before) - np.minimum(low, before)  # the first means nothing and is not used
    up, down = np.diff(high), -np.diff(low)
    rises = np.concatenate([[0.0], np.where((up > down) & (up > 0), up, 0.0)])
    falls = np.concatenate([[0.0], np.where((down > up) & (down > 0), down, 0.0)])

    def sums(values):
        total = [values[1:15].sum()]
        for value in values[15:]:
            total.append(total[-1] * 13 / 14 + value)
        return np.array(total)

    span, plus, minus = sums(ranges), sums(rises), sums(falls)
    plus, minus = 100 * plus / span, 100 * minus / span
    index = 100 * np.abs(plus - minus) / (plus + minus)
    adx = [index[:14].mean()]
    for value in index[14:]:
        adx.append((13 * adx[-1] + value) / 14)
    assert np.isnan(table["adx"][:27]).all()
    np.testing.assert_allclose(table["adx"][27:], adx, **CLOSE)


def test_adx_tells_a_trend_from_none():
    rising = with_indicators(frame(np.linspace(100, 200, 120)), Columns(4, 12))["adx"].iloc[-1]
    flat = with_indicators(walk(400, seed=8, volatility=0.001), Columns(4, 12))["adx"].iloc[-1]
    assert rising > 90 > 40 > flat


def test_vwap_by_hand():
    index = pd.RangeIndex(3)
    high, low = pd.Series([10.0, 12, 11], index), pd.Series([9.0, 10, 10], index)
    close, volume = pd.Series([9.5, 11.5, 10.5], index), pd.Series([100.0, 200, 100], index)
    found = TechnicalIndicators.vwap(high, low, close, volume)
    # typical prices 9.5, 11.1667, 10.5: 950 / 100, 3183.33 / 300, 4233.33 / 400
    np.testing.assert_allclose(found, [9.5, 10.6111, 10.5833], atol=5e-5)
    assert TechnicalIndicators.vwap(high, low, close, volume * 0).isna().all()


def test_ichimoku(table):
    high, low, close, _ = columns(table)
    t = len(close) - 1

    def middle(length, at):
        return (high[at - length + 1 : at + 1].max() + low[at - length + 1 : at + 1].min()) / 2

    tenkan, kijun = middle(9, t), middle(26, t)
    span_a, span_b = (middle(9, t - 26) + middle(26, t - 26)) / 2, middle(52, t - 26)
    last = table.iloc[-1]
    np.testing.assert_allclose(
        last[["tenkan", "kijun", "span_a", "span_b"]].astype(float), [tenkan, kijun, span_a, span_b]
    )
    assert bool(last["ichimoku_bullish"]) == (close[t] > max(span_a, span_b) and tenkan > kijun and span_a > span_b)


@pytest.mark.parametrize(("rows", "bullish"), [(77, False), (78, True), (20, False)])
def test_the_cloud_needs_78_candles(rows, bullish):
    table = with_indicators(frame(np.linspace(100, 150, rows)), Columns(4, 12))
    assert bool(table["ichimoku_bullish"].iloc[-1]) is bullish


def test_volume_ratio():
    volume = pd.Series([1.0] * 21 + [4.0])
    assert TechnicalIndicators.volume_ratio(volume).iloc[-1] == 4.0
    assert TechnicalIndicators.volume_ratio(volume).iloc[-2] == 1.0
    assert TechnicalIndicators.volume_ratio(volume.iloc[1:]).iloc[-1] == 1.0  # 21 rows are too few
    assert TechnicalIndicators.volume_ratio(volume * 0).iloc[-1] == 1.0


def test_bearish_divergence_needs_a_higher_price_a_lower_rsi_and_twelve_rows():
    close = pd.Series(np.arange(12.0))
    falling = pd.Series(np.arange(12.0, 0, -1))
    assert TechnicalIndicators.bearish_divergence(close, falling).tolist() == [False] * 11 + [True]
    assert not TechnicalIndicators.bearish_divergence(close, close).any()
    assert not TechnicalIndicators.bearish_divergence(falling, falling).any()


def test_momentum_counts_steps(table):
    _, _, close, _ = columns(table)
    last = table.iloc[-1]
    assert last["momentum_short"] == pytest.approx(close[-1] / close[-5] - 1)
    assert last["momentum_long"] == pytest.approx(close[-1] / close[-13] - 1)
    assert last["momentum_7"] == pytest.approx(close[-1] / close[-8] - 1)


def test_trend_score_by_hand():
    table = walk(60, seed=9)
    table["adx"] = 25.0
    mean = recursion(table["close"].to_numpy(), 2 / 22, 0)
    slope = (mean[-1] - mean[-21]) / mean[-21]
    expected = 10 * (0.4 * (np.clip(50 * slope, -1, 1) + 1) / 2 + 0.4 * 0.5 + 0.2 * breakout(table["close"].to_numpy()))
    assert trend_score(table) == round(expected, 2)
    assert trend_score(table.iloc[:22]) == 0.0


def test_breakouts():
    before = np.arange(20.0)
    assert [breakout(np.append(before, now)) for now in (20, 19, 5, 0, -1)] == [1.0, 0.5, 0.5, 0.5, 0.0]


@pytest.mark.parametrize("seed", range(5))
def test_no_row_knows_what_comes_after_it(seed):
    whole = walk(160, seed=seed)
    table = with_indicators(whole, Columns(4, 12))
    for cut in (40, 80, 120, 159):
        until = with_indicators(whole.iloc[:cut], Columns(4, 12)).iloc[-1]
        pd.testing.assert_series_equal(until, table.iloc[cut - 1], check_names=False, rtol=1e-12)


def test_the_given_frame_stays_as_it_is():
    given = walk(80)
    before = given.copy()
    with_indicators(given, Columns(4, 12))
    pd.testing.assert_frame_equal(given, before)


# --- volume profile ------------------------------------------------------------------------------------------------


def test_volume_profile_by_counting():
    rng = np.random.default_rng(4)
    close, volume = rng.uniform(90, 110, 300), rng.uniform(1, 5, 300)
    found = volume_profile(close, volume)
    edges = np.linspace(close.min(), close.max(), 50)
    bins = np.minimum(((close - edges[0]) / (edges[1] - edges[0])).astype(int), 48)
    counted = np.array([volume[bins == i].sum() for i in range(49)])
    np.testing.assert_allclose(found.volume, counted)
    heaviest = counted.argmax()
    assert found.poc == pytest.approx((edges[heaviest] + edges[heaviest + 1]) / 2)
    assert found.heaviest_share == pytest.approx(counted.max() / counted.sum())


def test_equal_bins_give_the_lowest_and_no_volume_gives_none():
    assert volume_profile(np.array([1.0, 50.0]), np.array([2.0, 2.0])).poc == pytest.approx(1.5)
    assert volume_profile(np.array([1.0, 50.0]), np.zeros(2)).poc is None
    assert volume_profile(np.full(9, 7.0), np.ones(9)).poc == 7.0


def test_the_anchor_is_the_highest_high():
    close = np.concatenate([np.full(50, 10.0), [20.0], np.full(20, 15.0)])
    high, volume = close + 1, np.concatenate([np.full(50, 100.0), np.ones(21)])
    assert volume_profile(close, volume).poc == pytest.approx(10, abs=0.2)
    assert anchored_poc(high, close, volume) == pytest.approx(15, abs=0.2)


def test_the_fixed_range_is_near_the_last_close():
    close = np.concatenate([np.full(50, 10.0), np.full(20, 20.0)])
    volume = np.concatenate([np.full(50, 100.0), np.ones(20)])
    assert fixed_range_poc(close + 1, close - 1, close, volume) == pytest.approx(20.0)
    lonely = np.append(np.full(50, 10.0), 20.0)
    assert fixed_range_poc(lonely, lonely, lonely, np.ones(51)) is None


# --- Fibonacci -----------------------------------------------------------------------------------------------------


def test_levels_of_a_rise_hang_below_its_high():
    line = np.linspace(100, 200, 55)
    found = fibonacci(line, line)
    assert found.direction == "bull"
    assert found.retracements[0.236] == pytest.approx(200 - 23.6)
    assert found.extensions[1.272] == pytest.approx(200 + 27.2)
    assert (found.retracements[0.0], found.retracements[1.0]) == (200, 100)


def test_levels_of_a_fall_stand_above_its_low():
    line = np.linspace(200, 100, 55)
    found = fibonacci(line, line)
    assert found.direction == "bear"
    assert found.retracements[0.382] == pytest.approx(138.2)
    assert found.extensions[1.618] == pytest.approx(100 - 61.8)
    assert all(100 <= level <= 200 for level in found.retracements.values())


def test_fewer_than_55_candles_have_no_swing_and_older_ones_do_not_count():
    line = np.linspace(100, 200, 54)
    assert fibonacci(line, line).levels == []
    assert (
        fibonacci(np.append(1e6, np.append(line, 200.0)), np.append(1.0, np.append(line, 200.0))).retracements[1.0]
        == 100
    )


def test_confluence_counts_levels_at_the_actual_price():
    line = np.linspace(100, 200, 55)
    swing = fibonacci(line, line)
    assert confluence(150.2, swing, None, None) == 20  # the 0.5 level
    assert confluence(150.2, swing, 150.0, 150.5) == 60
    assert confluence(130.0, swing, 150.0, None) == 0
    flat = fibonacci(np.full(55, 5.0), np.full(55, 5.0))
    assert confluence(5.0, flat, 5.0, 5.0) == 100
    assert nearest([1.0, 4.0], 2.0) == 1.0
    assert nearest([], 2.0) is None
