"""Final candles on their way to the store: each once, in order, however little room there is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.config import StreamConfig
from scanner.core.candles import Candles
from scanner.markets import Market
from scanner.runtime.book.closed import NEWS, newly_closed
from scanner.runtime.book.table import CandleTable
from scanner.timeframes import HOUR_MS, MINUTE_MS

STEP = 5 * MINUTE_MS
T0 = 1_700_000_000_000 // HOUR_MS * HOUR_MS
MARKETS = tuple(Market("binance", f"{name}/USDT") for name in "ABC")
CONFIG = StreamConfig(timeframes={"scalp": "5m"})
LENGTH = 20


def table_of(traded: list[set[int]]) -> CandleTable:
    """Markets that were traded in some of twenty candles from T0 on; the others are filled, none is final yet."""
    table = CandleTable(MARKETS, CONFIG, T0)
    table.marks["5m"].loaded[:] = True
    panel = table.panels["5m"]
    for row, steps in enumerate(traded):
        times = T0 + STEP * np.array(sorted({0, *steps}), dtype=np.int64)
        price = 100.0 + row + (times - T0) / STEP
        panel.put(np.full(len(times), row), times, Candles(price, price + 1, price - 1, price, price * 2))
    panel.advance_to(T0 + LENGTH * STEP)
    panel.fill(np.full(len(traded), T0 + (LENGTH - 1) * STEP), panel.length)
    return table


def handed(table: CandleTable, room: int) -> list[tuple[Market, int]]:
    return [(part.market, int(moment)) for part in newly_closed(table, room) for moment in part.open_time]


markets_traded = st.lists(st.sets(st.integers(1, LENGTH - 1)), min_size=len(MARKETS), max_size=len(MARKETS))
final_steps = st.lists(st.integers(-1, LENGTH - 1), min_size=len(MARKETS), max_size=len(MARKETS))


@given(markets_traded, st.lists(st.tuples(final_steps, st.integers(0, 30)), max_size=5))
def test_every_traded_final_candle_is_handed_out_once_in_order(
    traded: list[set[int]], rounds: list[tuple[list[int], int]]
) -> None:
    table, found = table_of(traded), []
    final = table.marks["5m"].final_through_ms
    for steps, room in rounds:
        np.maximum(final, T0 + STEP * np.array(steps), out=final)
        found += handed(table, room)
    found += handed(table, 10**9)
    assert handed(table, 10**9) == []
    expected = {
        (market, T0 + step * STEP)
        for market, steps, through in zip(MARKETS, traded, final.tolist(), strict=True)
        for step in {0, *steps}
        if T0 + step * STEP <= through
    }
    assert set(found) == expected
    assert len(found) == len(expected)
    for market in MARKETS:
        mine = [moment for owner, moment in found if owner == market]
        assert mine == sorted(mine)


def test_news_need_no_room_and_histories_wait_whole() -> None:
    table = table_of([set(range(LENGTH))] * 3)
    marks = table.marks["5m"]
    marks.stored_through_ms[:] = T0
    marks.final_through_ms[:] = T0 + STEP * np.array([NEWS, 10, 6])
    assert [market for market, _ in handed(table, 0)] == [MARKETS[0]] * NEWS
    assert [market for market, _ in handed(table, 10)] == [MARKETS[1]] * 10
    assert [market for market, _ in handed(table, 10)] == [MARKETS[2]] * 6


def test_values_are_those_of_the_panel() -> None:
    table = table_of([{1, 4}, set(), set()])
    table.marks["5m"].final_through_ms[0] = T0 + 4 * STEP
    (part,) = newly_closed(table)
    np.testing.assert_array_equal((part.open_time - T0) // STEP, [0, 1, 4])
    np.testing.assert_array_equal(part.values, [[p, p + 1, p - 1, p, 2 * p] for p in (100.0, 101.0, 104.0)])


def revise(table: CandleTable, row: int, step: int) -> None:
    """Let a candle trade more than was known."""
    panel, moment = table.panels["5m"], T0 + step * STEP
    table.revisions.note(table.panels, "5m", np.array([row]), np.array([moment]))
    panel.volume[row, panel.column_of(moment)] += 1.0


def test_a_candle_revised_after_it_was_handed_out_is_handed_out_again_once() -> None:
    table = table_of([{1, 2}, set(), set()])
    table.marks["5m"].final_through_ms[0] = T0 + STEP
    newly_closed(table)
    revise(table, row=0, step=1)
    revise(table, row=0, step=2)  # not handed out yet
    assert handed(table, 0) == [(MARKETS[0], T0 + STEP)]
    assert handed(table, 0) == []


def test_a_revision_goes_along_when_its_market_moves_to_another_row() -> None:
    table = table_of([{1}, {1}, {1}])
    table.marks["5m"].final_through_ms[:] = T0 + STEP
    newly_closed(table)
    for row in range(3):
        revise(table, row, step=1)
    moved = table.moved([MARKETS[2], Market("binance", "NEW/USDT"), MARKETS[0]], T0 + LENGTH * STEP)
    assert handed(moved, 0) == [(MARKETS[2], T0 + STEP), (MARKETS[0], T0 + STEP)]
