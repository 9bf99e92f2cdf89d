"""The tick table: aligned sweeps, missing values, bounded length."""

from __future__ import annotations

import numpy as np

from scanner.markets import Market
from scanner.runtime.ticks import TickTable

BTC, ETH, SOL = (Market("binance", f"{base}/USDT") for base in ("BTC", "ETH", "SOL"))
UNKNOWN = np.array([np.nan])


def swept(*sweeps: tuple[int, dict[Market, float]], keep: int = 100) -> TickTable:
    table = TickTable.empty((BTC, ETH))
    for at_ms, prices in sweeps:
        price = np.array(list(prices.values()))
        table = table.with_sweep(at_ms, tuple(prices), (price, price * 10, price - 1, price + 1), keep)
    return table


def test_a_sweep_is_one_column_for_all_markets_in_any_order() -> None:
    table = swept((1000, {ETH: 20.0, BTC: 10.0}), (2000, {BTC: 11.0}))
    np.testing.assert_array_equal(table.price, [[10, 11], [20, np.nan]])
    np.testing.assert_array_equal(table.time_ms, [1000, 2000])


def test_at_most_the_wanted_number_of_sweeps_is_kept() -> None:
    table = swept(*[(i, {BTC: float(i), ETH: 1.0}) for i in range(1, 8)], keep=3)
    np.testing.assert_array_equal(table.price[0], [5, 6, 7])
    assert len(table.buffer(0)) == 3


def test_the_newest_usable_price_may_be_of_an_older_sweep() -> None:
    table = swept((1000, {BTC: 10.0, ETH: 20.0}), (2000, {BTC: 11.0}))
    price, at_ms = table.newest((SOL, ETH, BTC))
    np.testing.assert_array_equal(price, [np.nan, 20, 11])
    np.testing.assert_array_equal(at_ms, [0, 1000, 2000])


def test_a_table_without_sweeps_knows_no_price() -> None:
    price, at_ms = TickTable.empty((BTC,)).newest((BTC,))
    assert np.isnan(price).all()
    assert at_ms.tolist() == [0]


def test_a_sweep_leaves_the_table_before_it_untouched() -> None:
    before = swept((1000, {BTC: 10.0}))
    before.with_sweep(2000, (BTC,), (np.array([11.0]), UNKNOWN, UNKNOWN, UNKNOWN), 100)
    assert before.price.shape == (2, 1)


def test_ticks_come_out_with_their_time_and_missing_values_as_none() -> None:
    table = TickTable.empty((BTC,)).with_sweep(1_700_000_000_000, (BTC,), (np.array([10.0]), *[UNKNOWN] * 3), 100)
    tick = table.buffer(0)[0]
    assert (tick.symbol, tick.price, tick.volume, tick.bid, tick.ask) == ("binance:BTC/USDT", 10.0, 0.0, None, None)
    assert tick.timestamp.isoformat() == "2023-11-14T22:13:20+00:00"
