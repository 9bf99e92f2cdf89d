"""Request weights, counted as the exchanges count them."""

from __future__ import annotations

import pytest

from scanner.simulated.weights import Limits, MinuteBudget, WindowBudget, binance_weight

TIGHT = Limits(binance_weight=10, binance_patience=2, binance_ban_s=120, kucoin_weight=6, kucoin_window_s=30)


def test_a_minute_budget_refuses_until_the_minute_is_over():
    budget = MinuteBudget(TIGHT)
    assert budget.spend(10, 30.0).allowed
    refused = budget.spend(1, 40.0)
    assert (refused.allowed, refused.banned, refused.wait_s, refused.used) == (False, False, 20, 11)
    assert budget.spend(1, 60.0).allowed


def test_who_goes_on_asking_is_banned_beyond_the_minute():
    budget = MinuteBudget(TIGHT)
    verdicts = [budget.spend(10, 0.0) for _ in range(4)]
    assert [verdict.banned for verdict in verdicts] == [False, False, False, True]
    assert verdicts[-1].wait_s == 120
    still = budget.spend(1, 61.0)
    assert (still.banned, still.wait_s) == (True, 59)
    assert budget.spend(1, 121.0).allowed


def test_a_window_starts_with_its_first_request():
    budget = WindowBudget(TIGHT)
    assert budget.spend(3, 100.0).allowed
    assert budget.spend(3, 110.0).allowed
    assert budget.spend(3, 120.0).wait_s == 10
    assert budget.reset_ms(120.0) == 10_000
    assert budget.spend(3, 130.0).allowed


@pytest.mark.parametrize(
    ("path", "symbol", "symbols", "weight"),
    [
        ("/api/v3/klines", "BTCUSDT", None, 2),
        ("/api/v3/exchangeInfo", None, None, 20),
        ("/api/v3/ticker/price", "BTCUSDT", None, 2),
        ("/api/v3/ticker/price", None, None, 4),
        ("/api/v3/ticker/bookTicker", None, '["A","B"]', 4),
        ("/api/v3/ticker/24hr", "BTCUSDT", None, 2),
        ("/api/v3/ticker/24hr", None, '["A"]', 2),
        ("/api/v3/ticker/24hr", None, str(["A"] * 21).replace("'", '"'), 40),
        ("/api/v3/ticker/24hr", None, str(["A"] * 101).replace("'", '"'), 80),
        ("/api/v3/ticker/24hr", None, None, 80),
        ("/api/v3/ticker/24hr", None, "no list", 2),
    ],
)
def test_binance_weighs_by_what_is_asked(path, symbol, symbols, weight):
    assert binance_weight(path, symbol, symbols) == weight
