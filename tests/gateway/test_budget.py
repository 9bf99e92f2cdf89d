from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.budget import KNOWN, Budget, used_weight, weights_of
from scanner.gateway.prices import weight_per_window


def test_what_binance_asks_for_its_calls():
    table = KNOWN["binance"]
    assert [table.tickers_weight(count) for count in (1, 20, 21, 100, 101)] == [2, 2, 40, 40, 80]
    assert (table.candles, table.last_prices, table.markets, table.limit) == (2, 4, 20, 6000)


def test_an_unknown_exchange_is_asked_no_faster_than_ccxt_would():
    assert weights_of("kraken", 1000).limit == 60
    assert weights_of("kraken", 0).limit == 60_000


def test_prices_keep_their_share_of_the_window():
    """4 every 5 s for a minute and the statistics of all once."""
    assert weight_per_window(KNOWN["binance"], 500, 5) == 12 * 4 + 80
    assert weight_per_window(KNOWN["binance"], 10, 5) == 12 * 2
    assert weight_per_window(KNOWN["kucoinfutures"], 500, 5) == 6 * 3 + 5


@pytest.mark.parametrize(
    ("headers", "used"),
    [
        ({"x-mbx-used-weight-1m": "123"}, 123),
        ({"gw-ratelimit-limit": "2000", "gw-ratelimit-remaining": "1500"}, 500),
        ({"gw-ratelimit-remaining": "1500"}, None),
        ({"x-mbx-used-weight-1m": "much"}, None),
        ({}, None),
    ],
)
def test_what_headers_say(headers, used):
    assert used_weight(headers) == used


def test_weight_comes_back_after_a_window():
    budget = Budget(100, 60, share=0.5)
    assert budget.try_spend(50, 0)
    assert not budget.try_spend(1, 59.9)
    assert budget.try_spend(50, 60)


def test_some_is_kept_for_what_must_always_be_possible():
    budget = Budget(100, 60, share=0.5, kept=20)
    assert budget.free(0) == 30
    assert Budget(100, 60, share=0.5, kept=50).free(0) == 25
    assert not budget.try_spend(31, 0)
    assert budget.try_spend(31, 0, all_of_it=True)


def test_the_exchanges_count_corrects_ours_until_it_is_old():
    budget = Budget(100, 60, share=1.0)
    budget.try_spend(10, 0)
    budget.observe(70, 1)  # somebody else uses this address; our 10 may be in it or not
    assert budget.used(1) == 80
    budget.settle(10, answered=True)
    assert budget.used(1) == 70
    assert budget.used(61) == 0


def test_a_request_that_failed_may_have_been_counted():
    budget = Budget(100, 60, share=1.0)
    budget.observe(50, 0)
    budget.try_spend(10, 1)
    budget.settle(10, answered=False)
    assert budget.used(1) == 60


spending = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40), st.booleans()), max_size=60)


@given(spending, st.integers(1, 200), st.floats(0.05, 1))
def test_no_window_ever_holds_more_than_the_share(spending, limit, share):
    budget, now, spent = Budget(limit, 60, share), 0.0, []
    for passed, weight, all_of_it in spending:
        now += passed
        if budget.try_spend(weight, now, all_of_it=all_of_it):
            spent.append((now, weight))
    for end, _ in spent:
        assert sum(weight for at, weight in spent if end - 60 < at <= end) <= share * limit


@given(spending, st.integers(0, 300), st.integers(10, 200))
def test_what_others_use_is_never_spent_again(spending, told, limit):
    budget, now = Budget(limit, 60, 1.0), 0.0
    budget.observe(told, now)
    own = 0
    for passed, weight, _ in spending:
        now += passed / 30  # stays within the window
        own += weight if budget.try_spend(weight, now) else 0
    if own:
        assert own + told <= limit
