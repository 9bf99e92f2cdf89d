"""Following the signals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scanner.fullscan.backtest import FEE, Position, backtest, drawdown, signals_of, trades_of
from scanner.fullscan.row import indicators_of, market_row
from tests.fullscan.making import CONFIG, MEDIUM, NOW_MS, frame, walk

LONG = Position(1, "Buy", "then", 100.0, 97.0, 107.0)
SHORT = Position(-1, "Sell", "then", 100.0, 103.0, 93.0)


@pytest.mark.parametrize(
    ("position", "candle", "expected"),
    [
        (LONG, (100, 106, 98), None),
        (LONG, (100, 106, 97), (97, "stop")),
        (LONG, (100, 108, 98), (107, "target")),
        (LONG, (100, 108, 96), (97, "stop")),  # both: the worse is taken
        (LONG, (95, 96, 94), (95, "stop")),  # opened beyond it
        (LONG, (109, 110, 108), (109, "target")),
        (SHORT, (100, 102, 94), None),
        (SHORT, (100, 103, 94), (103, "stop")),
        (SHORT, (100, 101, 92), (93, "target")),
        (SHORT, (104, 105, 103), (104, "stop")),
        (SHORT, (92, 93, 91), (92, "target")),
    ],
)
def test_exits(position, candle, expected):
    assert position.exit_in(*candle) == expected


def test_a_straight_rise_is_bought_and_pays():
    close = 100 * 1.01 ** np.arange(160)
    found = backtest({"UP/USDT": frame(close, spread=0.001)}, MEDIUM, CONFIG, 30, 1000)
    assert found["trades"] >= 1
    assert found["win_rate_pct"] == 100
    assert found["profit_factor"] is None
    assert found["total_return_pct"] > 10
    assert found["final_capital"] == found["equity"][-1]
    assert len(found["equity"]) == 30
    assert {trade["side"] for trade in found["trade_list"]} == {1}


def test_a_trade_is_entered_at_the_next_open_and_pays_two_fees():
    close = 100 * 1.01 ** np.arange(160)
    table = frame(close, spread=0.001)
    (first, *_), _ = trades_of("UP/USDT", table, MEDIUM, CONFIG, 30)
    entered = table.index.get_loc(first.entered)
    assert entered == 130
    assert first.entry == table["open"].iloc[entered]
    assert first.gain == pytest.approx((first.exit - first.entry) / first.entry - 2 * FEE)


@pytest.mark.parametrize("seed", range(4))
def test_a_signal_of_the_past_is_what_a_scan_would_have_said_then(seed):
    whole = walk(150, seed=seed, volatility=0.03)
    signals = signals_of(indicators_of(whole, MEDIUM, CONFIG), MEDIUM)
    for cut in (80, 110, 150):
        row = market_row(whole.iloc[:cut], MEDIUM, symbol="X", exchange="y", now_ms=NOW_MS, config=CONFIG)
        assert signals[cut - 1] == row["signal"]


@pytest.mark.parametrize("seed", range(4))
def test_what_comes_later_changes_no_trade_that_is_over(seed):
    whole = walk(200, seed=seed, volatility=0.02)
    early, _ = trades_of("X", whole.iloc[:170], MEDIUM, CONFIG, 60)
    late, _ = trades_of("X", whole, MEDIUM, CONFIG, 90)  # both begin at the same candle
    closed = [trade for trade in early if trade.reason != "end"]
    assert closed
    assert late[: len(closed)] == closed


def test_the_capital_is_shared_and_the_figures_hang_together():
    frames = {f"C{i}": walk(200, seed=i, volatility=0.02) for i in range(5)}
    found = backtest(frames, MEDIUM, CONFIG, 60, 5000)
    assert found["trades"] == len(found["trade_list"]) == sum(facts["trades"] for facts in found["by_symbol"].values())
    mean = np.mean([facts["return_pct"] for facts in found["by_symbol"].values()])
    assert found["total_return_pct"] == pytest.approx(mean, abs=1e-3)
    assert found["max_drawdown_pct"] <= 0
    json.dumps(found, allow_nan=False)


def test_no_market_and_no_signal_leave_the_capital_alone():
    assert backtest({}, MEDIUM, CONFIG, 10, 100)["final_capital"] == 100
    flat = backtest({"FLAT": frame(np.full(100, 5.0))}, MEDIUM, CONFIG, 10, 100)
    assert (flat["trades"], flat["final_capital"], flat["win_rate_pct"], flat["max_drawdown_pct"]) == (0, 100, 0, 0)


def test_a_young_market_counts_from_its_first_candle():
    found = backtest({"YOUNG": walk(20, 1), "OLD": walk(200, 2)}, MEDIUM, CONFIG, 60, 100)
    assert len(found["equity"]) == 60


def test_drawdown_is_measured_from_the_peak():
    assert drawdown(np.array([100.0, 120.0, 90.0, 130.0])) == pytest.approx(-0.25)
    assert drawdown(np.array([1.0, 2.0])) == 0
