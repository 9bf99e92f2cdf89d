"""What one connection carries, and how often one is opened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.push.limits import Dials, markets_per_wire, portions

waits = st.lists(st.floats(0.0, 20.0), max_size=200)


def test_a_connection_of_binance_carries_fewer_streams_than_it_may():
    assert 2 * markets_per_wire("binance") <= 1024
    assert 2 * markets_per_wire("somewhere") <= 100


@given(st.integers(0, 1000), st.integers(1, 300))
def test_portions_lose_nothing_and_keep_the_order(count, most):
    symbols = [str(i) for i in range(count)]
    parts = portions(symbols, most)
    assert [symbol for part in parts for symbol in part] == symbols
    assert all(0 < len(part) <= most for part in parts)


@given(waits)
def test_no_window_sees_more_connections_than_allowed(gaps):
    dials, now, opened = Dials(most=5, window_s=10.0), 0.0, []
    for gap in gaps:
        now += gap
        if dials.try_dial(now):
            opened.append(now)
    assert all(sum(at <= other < at + 10.0 for other in opened) <= 5 for at in opened)
