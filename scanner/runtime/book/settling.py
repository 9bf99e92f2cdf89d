"""Panels settle after answers have come: what nobody traded is filled, longer timeframes are assembled.

Only markets of which something is new are looked at, from where it is new: all but a few need no more than the newest
candles of each panel.
"""

from __future__ import annotations

import numpy as np

from scanner.core.candles import Int
from scanner.core.finality import NEVER_MS, assembled_through, settled_through
from scanner.core.panel import assemble
from scanner.runtime.book.table import CandleTable, newest_shown_ms
from scanner.timeframes import open_time_of

RECENT = 12  # columns of the base panel: markets with older news are settled apart


def settle(table: CandleTable, now_ms: int) -> None:
    """Fill untraded candles up to where the exchange has shown life, then bring the longer timeframes along."""
    base, marks, coverage = table.panels[table.base], table.marks[table.base], table.coverage
    if not base.end_ms:
        return
    before = marks.final_through_ms
    marks.final_through_ms = through = settled_through(before, coverage.claimed_ms, newest_shown_ms(base))
    news = np.where(through > before, before + base.timeframe_ms, NEVER_MS)
    changed = np.minimum(coverage.changed_ms, news)
    old = changed < base.end_ms - RECENT * base.timeframe_ms
    for rows in (np.flatnonzero(old), np.flatnonzero(~old & (changed < NEVER_MS))):
        if len(rows):
            _settle_rows(table, rows, max(int(changed[rows].min()), 0), now_ms)
    coverage.changed_ms[:] = NEVER_MS


def _settle_rows(table: CandleTable, rows: Int, since_ms: int, now_ms: int) -> None:
    base, through = table.panels[table.base], table.marks[table.base].final_through_ms[rows]
    every = slice(None) if len(rows) == len(table.markets) else rows
    base.fill(through, base.columns_since(since_ms) + 1, every)
    complete_ms = table.coverage.complete_from_ms[rows]
    for timeframe, panel in table.panels.items():
        if timeframe == table.base:
            continue
        final_ms = table.marks[timeframe].final_through_ms
        mine = final_ms[rows]
        assemble(base, panel, complete_ms, through, mine, since_ms, every)
        whole = assembled_through(through, base.timeframe_ms, panel.timeframe_ms)
        final_ms[rows] = np.where(whole >= complete_ms, np.maximum(mine, whole), mine)
        panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
        panel.fill(final_ms[rows], panel.columns_since(since_ms) + 2, every)


def forget_lost(table: CandleTable, now_ms: int) -> None:
    """A market that fell behind by more than its base panel holds is loaded afresh."""
    base, marks = table.panels[table.base], table.marks[table.base]
    oldest = open_time_of(now_ms, base.timeframe_ms) - (base.length - 2) * base.timeframe_ms
    reached_ms = np.maximum(marks.final_through_ms, table.coverage.claimed_ms)
    lost = marks.loaded & (reached_ms < oldest) & (reached_ms >= 0)
    for each in table.marks.values():
        each.loaded &= ~lost
    table.coverage.complete_from_ms[lost] = NEVER_MS
