from __future__ import annotations

import math

import numpy as np
import pytest

from scanner.gateway.quotes import NOTHING, Statistics, merged, price_answer, statistics_of
from scanner.markets import Market

BTC, ETH = Market("x", "BTC/USDT"), Market("x", "ETH/USDT")
NAMES = {"BTC/USDT:USDT": BTC, "ETH/USDT:USDT": ETH}


def answer(tickers, known=None):
    return price_answer("x", 5, NAMES, tickers, known or {})


def test_prices_of_either_kind_of_answer_are_read():
    read = answer({"BTC/USDT:USDT": {"last": 3.0}, "ETH/USDT:USDT": {"price": 4.0}, "XYZ/USDT:USDT": {"last": 1.0}})
    assert read.markets == (BTC, ETH)
    np.testing.assert_array_equal(read.price, [3, 4])
    assert np.isnan([read.bid, read.ask, read.quote_volume]).all()


@pytest.mark.parametrize("price", [None, 0, -1, math.nan, math.inf, "3"])
def test_an_unusable_price_is_no_answer(price):
    assert len(answer({"BTC/USDT:USDT": {"last": price}})) == 0


def test_statistics_keep_what_is_known_until_something_newer_is():
    older = statistics_of({"A": {"quoteVolume": 5, "bid": 1, "ask": 2}, "B": {"bid": 7}})
    newer = statistics_of({"A": {"quoteVolume": 6, "bid": 0, "ask": None}, "C": {"last": 3}})
    both = merged(newer, older)
    assert both["A"] == Statistics(6, 1, 2)
    assert both["B"].bid == 7
    assert "C" not in both


def test_impossible_statistics_are_unknown():
    assert statistics_of({"A": {"quoteVolume": -1, "bid": -1, "ask": math.inf}}) == {}
    assert math.isnan(NOTHING.bid)
