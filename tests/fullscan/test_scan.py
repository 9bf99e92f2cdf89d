"""The two steps: what reaches the close look, in which order, and what has no row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scanner.core.candles import Candles
from scanner.errors import InvalidInput
from scanner.fullscan.estimate import estimated_scores
from scanner.fullscan.frames import checked_frame, frame_of, windows_of, with_whole_volume
from scanner.fullscan.multi import with_confluence
from scanner.fullscan.row import COLUMNS
from scanner.fullscan.scan import SHORTLIST, Order, best_rows, scan_frames, shortlist
from tests.fullscan.making import CONFIG, HOUR_MS, MEDIUM, NOW_MS, frame, walk

ORDER = Order("binance", MEDIUM, CONFIG, NOW_MS)


def markets(count, rows=100):
    return {f"C{i}/USDT": walk(rows, seed=i) for i in range(count)}


def test_rows_are_ranked_by_combined_score():
    found = scan_frames(markets(12), ORDER)
    scores = [row["combined_score"] for row in found.rows]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 12
    assert not found.skipped


def varied(count, rows=186):
    """Markets of all prices and tempers: drifting, calm, wild, busy of late."""
    rng = np.random.default_rng(7)
    made = {}
    for i in range(count):
        table = walk(rows, 1000 + i, 10 ** rng.uniform(-4, 4), 10 ** rng.uniform(-3.3, -1.3))
        drift = np.exp(rng.normal(0, 0.002) * np.arange(rows))
        table[["open", "high", "low", "close"]] = table[["open", "high", "low", "close"]].mul(drift, axis=0)
        table.iloc[-3:, 4] *= rng.lognormal(0, 0.8)
        made[f"C{i}/USDT"] = table
    return made


def test_the_estimate_finds_the_best_of_varied_markets():
    frames = varied(150)
    everything = [row["symbol"] for row in scan_frames(frames, replace(ORDER, top_n=150)).rows]
    for top_n in (5, 10, 20):
        listed = {list(frames)[i] for i in shortlist(windows_of(frames), ORDER, SHORTLIST * top_n)}
        recall = len(listed & set(everything[:top_n])) / top_n
        assert recall >= 0.9, top_n


def test_the_estimate_is_near_the_score_it_stands_for():
    frames = varied(60)
    scores = {row["symbol"]: row["combined_score"] for row in scan_frames(frames, ORDER).rows}
    estimated = dict(zip(frames, estimated_scores(windows_of(frames), MEDIUM, CONFIG).tolist(), strict=True))
    errors = [abs(estimated[symbol] - score) for symbol, score in scores.items()]
    assert np.median(errors) < 1
    assert max(errors) < 15  # a divergence by a hair counts half


def test_the_estimate_sees_the_volume_of_all_candles_that_the_close_look_sees():
    frames = varied(40, rows=500)
    scores = {row["symbol"]: row["combined_score"] for row in scan_frames(frames, ORDER).rows}

    def median_error(windows):
        estimates = estimated_scores(windows, MEDIUM, CONFIG)
        return np.median([abs(e - scores[symbol]) for symbol, e in zip(frames, estimates, strict=True)])

    windows = windows_of(frames)
    assert median_error(windows) < 0.1 < 0.3 < median_error(windows.last(100))


def test_only_the_best_are_kept_and_of_very_many_only_the_shortlist_is_looked_at():
    frames = markets(12)
    assert scan_frames(frames, replace(ORDER, top_n=2)).skipped == {}
    found = scan_frames(frames, replace(ORDER, top_n=2, close_looks=0))
    listed = [list(frames)[i] for i in shortlist(windows_of(frames), ORDER, 6)]
    assert len(found.rows) == 2
    assert {row["symbol"] for row in found.rows} <= set(listed)
    assert found.skipped == dict.fromkeys(set(frames) - set(listed), "not on the shortlist")
    everything = [row for row in scan_frames(frames, ORDER).rows if row["symbol"] in listed]
    assert found.rows == everything[:2]


def test_young_and_unsound_markets_come_last_on_the_shortlist():
    frames = {"new": walk(15, 1), "old": frame(np.full(100, 5.0))}
    broken = walk(100, 2)
    broken.iloc[50, 3] = np.nan
    assert shortlist(windows_of({**frames, "broken": broken}), ORDER, 3).tolist()[0] == 1


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (walk(61), "has 61 candles, needs 62"),
        (frame(np.full(80, 5.0), np.zeros(80)), "is not traded"),
        (frame(np.full(80, 5.0), np.full(80, 10.0)), "trades 50 per candle, needs 51"),
    ],
)
def test_what_has_no_row_has_a_reason(table, reason):
    found = scan_frames({"X/USDT": table}, replace(ORDER, min_volume_usd=51))
    assert found.rows == []
    assert found.skipped == {"X/USDT": reason}


def test_no_market_is_an_empty_table_with_all_columns():
    table = scan_frames({}, ORDER).table()
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 0


def test_time_that_is_up_leaves_the_most_promising():
    frames = markets(10)
    ticking = iter(range(100))
    found = scan_frames(frames, ORDER, until=3, steady=lambda: next(ticking))
    best = [list(frames)[i] for i in shortlist(windows_of(frames), ORDER, 4)]
    assert {row["symbol"] for row in found.rows} == set(best)
    assert len(scan_frames(frames, ORDER, until=float("-inf")).rows) == 1


def test_equal_rows_keep_their_order():
    rows = [{"combined_score": 1.0, "n": n} for n in range(5)]
    assert [row["n"] for row in best_rows(rows, 3)] == [0, 1, 2]


# --- frames --------------------------------------------------------------------------------------------------------


def test_a_forming_candle_gets_a_whole_volume_and_keeps_its_prices():
    table = frame(np.full(40, 5.0), np.full(40, 100.0))
    table.iloc[-1, 4] = 30.0
    now_ms = NOW_MS - HOUR_MS * 3 // 4  # a quarter into the last candle
    whole = with_whole_volume(table, HOUR_MS, now_ms)
    assert whole["volume"].iloc[-1] == pytest.approx(30 + 0.75 * 100)
    pd.testing.assert_frame_equal(whole.iloc[:-1], table.iloc[:-1])
    assert table["volume"].iloc[-1] == 30.0
    pd.testing.assert_frame_equal(with_whole_volume(table, HOUR_MS, NOW_MS), table)


def test_arrays_become_frames_without_the_candles_that_do_not_exist():
    values = np.array([np.nan, 1.0, 2.0])
    made = frame_of(np.array([0, 60_000, 120_000]), Candles(values, values, values, values, values))
    assert made["close"].tolist() == [1.0, 2.0]
    assert made.index.tolist() == [
        pd.Timestamp(60_000, unit="ms", tz="UTC"),
        pd.Timestamp(120_000, unit="ms", tz="UTC"),
    ]


def test_frames_from_outside_are_checked():
    table = walk(80)
    table.iloc[3, 3], table.iloc[5, 4], table.iloc[7, 0] = np.nan, -1, 0
    assert len(checked_frame(table)) == 77
    with pytest.raises(InvalidInput, match="volume"):
        checked_frame(table.drop(columns="volume"))
    with pytest.raises(InvalidInput, match="no number"):
        checked_frame(table.astype({"close": object}).replace({"close": table["close"].iloc[0]}, "x"))


# --- several timeframes --------------------------------------------------------------------------------------------


def table_of(timeframe, signals):
    rows = [
        {"symbol": symbol, "timeframe": timeframe, "signal": signal, "combined_score": score}
        for score, (symbol, signal) in enumerate(signals.items())
    ]
    return pd.DataFrame(rows, columns=["symbol", "timeframe", "signal", "combined_score"])


def test_rows_are_told_how_their_market_does_on_other_timeframes():
    tables = {
        "1h": table_of("1h", {"A": "Buy", "B": "Buy", "C": "Sell", "D": "Neutral"}),
        "4h": table_of("4h", {"A": "Buy", "B": "Weak Buy", "C": "Buy", "D": "Neutral"}),
        "1d": table_of("1d", {"A": "Buy", "E": "Sell"}),
    }
    found = with_confluence(tables).drop_duplicates("symbol").set_index("symbol")
    assert found["multi_tf_confirmed"].to_dict() == {"A": True, "B": True, "C": False, "D": False, "E": False}
    assert found["strong_confluence"].to_dict() == {"A": True, "B": False, "C": False, "D": False, "E": False}
    assert found["confluence_zone"].to_dict() == {"A": 3, "B": 1, "C": 1, "D": 2, "E": 1}
    assert found.loc["A", "multi_tf_timeframes"] == ["1h", "4h", "1d"]
    assert found.loc["B", "multi_tf_signals"] == ["Buy", "Weak Buy"]
    assert found.loc["D", "confluence_signal"] == "Neutral"
    empty = with_confluence({"1h": table_of("1h", {})})
    assert len(empty) == 0
    assert "strong_confluence" in empty
