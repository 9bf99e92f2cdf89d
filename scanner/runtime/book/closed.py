"""Final candles on their way to the store: each once, without those nobody traded, and again once it was revised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float, Int
from scanner.core.panel import Panel
from scanner.markets import Market
from scanner.runtime.book.table import CandleTable

UNBOUNDED = 2**62
NEWS = 3  # candles of one market that count as news; more are a history


@dataclass(frozen=True)
class ClosedCandles:
    """Candles of one market that have become final, for the store."""

    market: Market
    timeframe: str
    open_time: Int
    values: Float  # [n, 5] open, high, low, close, volume


def newly_closed(table: CandleTable, room: int = UNBOUNDED) -> list[ClosedCandles]:
    """Final candles not handed out before, without those nobody traded.

    None of a timeframe whose history is not there yet: assembled candles are known before it, and what is handed out
    goes on from them. News always come; histories, of more than `NEWS` candles, only until `room` candles are reached.
    The others follow when asked again: the panel holds them.
    """
    found = list(_corrections(table))
    for timeframe in table.panels:
        found += _newly_closed(table, timeframe, room - sum(len(part.open_time) for part in found))
    return found


def _corrections(table: CandleTable) -> Iterator[ClosedCandles]:
    """Candles that were handed out and have been revised since."""
    for (timeframe, row, open_ms), before in table.revisions.take():
        panel = table.panels[timeframe]
        column = int(panel.column_of(open_ms))
        if column < 0 or open_ms > table.marks[timeframe].stored_through_ms[row]:
            continue
        now = panel.values(row, column)
        if not np.isnan(now).any() and not np.array_equal(now, before):
            yield ClosedCandles(table.markets[row], timeframe, np.array([open_ms]), now[None])


def _newly_closed(table: CandleTable, timeframe: str, room: int) -> Iterator[ClosedCandles]:
    panel, marks = table.panels[timeframe], table.marks[timeframe]
    stored, through = marks.stored_through_ms, marks.final_through_ms
    rows = _with_room(panel, stored, np.where(marks.loaded, through, -1), room)
    if not len(rows):
        return
    columns = slice(max(int(panel.column_of(stored[rows].min() + panel.timeframe_ms)), 0), None)
    times = panel.open_time[columns]
    fresh = (times > stored[rows, None]) & (times <= through[rows, None])
    fresh &= ~np.isnan(panel.close[rows, columns]) & ~panel.filled[rows, columns]
    which, offset = np.nonzero(fresh)
    values = np.stack([getattr(panel, name)[rows, columns][which, offset] for name in Panel.COLUMNS[:5]], axis=-1)
    ends = np.cumsum(fresh.sum(axis=1)).tolist()
    moments, start = times[offset], 0
    for row, end in zip(rows.tolist(), ends, strict=True):
        if end > start:
            yield ClosedCandles(table.markets[row], timeframe, moments[start:end], values[start:end])
        start = end
    stored[rows] = through[rows]


def _with_room(panel: Panel, stored_ms: Int, final_ms: Int, room: int) -> Int:
    """Markets that have final candles to hand out, histories only as far as there is room: int64[n]."""
    held_ms = panel.open_time[0] - panel.timeframe_ms
    behind = (final_ms - np.maximum(stored_ms, held_ms)) // panel.timeframe_ms
    waits = behind > NEWS
    waits &= np.cumsum(np.where(waits, behind, 0)) > room
    return np.flatnonzero((behind > 0) & ~waits)
