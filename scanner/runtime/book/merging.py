"""Answers become candles of panels.

The newest fetch has the last word on a candle, an older one that comes late only adds what is not known. How far the
answers make candles final is noted as a claim; what follows from it is settled in `settling`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scanner.core.candles import Candles, Float, Int
from scanner.core.finality import NEVER_MS, Answers, final_through, lacking, proven_through, told_through
from scanner.core.panel import Panel
from scanner.gateway.answers import CandleAnswer
from scanner.runtime.book.revisions import differs
from scanner.runtime.book.table import CandleTable, newest_shown_ms
from scanner.timeframes import open_time_of

AT_ONCE = 256  # answers merged in one go: bounds the memory of a backfill


def merge(table: CandleTable, answers: Sequence[CandleAnswer], now_ms: int, ends_ms: int) -> None:
    """Write answers, in any order, into the panels; where a recording ends, its last candle needs none after it."""
    for timeframe in table.panels:
        mine = sorted((a for a in answers if a.request.timeframe == timeframe), key=lambda a: a.began_ms)
        for start in range(0, len(mine), AT_ONCE):
            _merge(table, timeframe, mine[start : start + AT_ONCE], now_ms, ends_ms)


def correct(table: CandleTable, timeframe: str, row: Int, open_ms: Int, candles: Candles) -> None:
    """Put other candles in the place of some final ones; flat arrays of equal length."""
    table.revisions.note(table.panels, timeframe, row, open_ms)
    table.panels[timeframe].put(row, open_ms, candles)


def _merge(table: CandleTable, timeframe: str, answers: Sequence[CandleAnswer], now_ms: int, ends_ms: int) -> None:
    panel, looks = table.panels[timeframe], looks_of(answers)
    rows = table.rows_of([answer.request.market for answer in answers])
    panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
    proven_ms = proven_through(looks.newest_ms, newest_shown_ms(panel), panel.timeframe_ms, ends_ms)
    row, open_ms, candles = _usable(table, panel, rows, looks, answers, now_ms)
    if timeframe == table.base:
        _note_revisions(table, row, open_ms, candles)
    panel.put(row, open_ms, candles)
    np.minimum.at(table.coverage.changed_ms, row, open_ms)
    grace_ms = int(table.config.finality_grace_s * 1000)
    final_ms = final_through(looks, proven_ms, panel.timeframe_ms, grace_ms)
    final_ms = np.minimum(final_ms, _forget_spoilt(table, timeframe, rows, answers))
    _note_looks(table, timeframe, rows, looks, final_ms)


def looks_of(answers: Sequence[CandleAnswer]) -> Answers:
    """What some answers look like, without their candles."""
    return Answers(
        since_ms=_ints([answer.request.since_ms for answer in answers]),
        limit=_ints([answer.request.limit for answer in answers]),
        began_ms=_ints([answer.began_ms for answer in answers]),
        count=_ints([len(answer) for answer in answers]),
        dropped=_ints([answer.dropped for answer in answers]),
        first_ms=_ints([answer.open_time[0] if len(answer) else -1 for answer in answers]),
        newest_ms=_ints([answer.open_time[-1] if len(answer) else -1 for answer in answers]),
        provisional=np.array([answer.provisional for answer in answers], dtype=bool),
    )


def _ints(values: Sequence[int]) -> Int:
    return np.array(values, dtype=np.int64)


def _usable(
    table: CandleTable, panel: Panel, rows: Int, looks: Answers, answers: Sequence[CandleAnswer], now_ms: int
) -> tuple[Int, Int, Candles]:
    """The candles that have a word: rows, open times and values as flat arrays of equal length."""
    row, open_ms = np.repeat(rows, looks.count), np.concatenate([answer.open_time for answer in answers])
    columns: list[Float] = [np.concatenate([getattr(answer, name) for answer in answers]) for name in Panel.COLUMNS[:5]]
    is_older = np.repeat(looks.began_ms < table.coverage.as_of_ms[rows], looks.count)
    use = (open_ms <= now_ms) & ~(is_older & panel.holds(row, open_ms))
    return row[use], open_ms[use], Candles(*columns).rows(use)


def _note_revisions(table: CandleTable, row: Int, open_ms: Int, candles: Candles) -> None:
    """Remember final candles that the exchange has changed since: their signals stay, what is stored does not."""
    panel = table.panels[table.base]
    final = (open_ms <= table.marks[table.base].final_through_ms[row]) & (panel.column_of(open_ms) >= 0)
    if not final.any():
        return
    row, open_ms = row[final], open_ms[final]
    changed = differs(panel, row, panel.column_of(open_ms), candles.rows(final))
    cells = np.unique(np.stack([row[changed], open_ms[changed]], axis=-1), axis=0)
    table.revisions.note_all(table.panels, table.base, cells[:, 0], cells[:, 1])
    table.tally.revised += len(cells)


def _forget_spoilt(table: CandleTable, timeframe: str, rows: Int, answers: Sequence[CandleAnswer]) -> Int:
    """Forget candles whose rows have lost their numbers; up to which candle each answer tells everything: int64[n].

    What is held of such a candle is from before it was whole.
    """
    panel, marks = table.panels[timeframe], table.marks[timeframe]
    told_ms = np.full(len(answers), NEVER_MS)
    for i, (row, answer) in enumerate(zip(rows.tolist(), answers, strict=True)):
        if not answer.dropped:
            continue
        since_ms = max(answer.request.since_ms, int(marks.final_through_ms[row]) + panel.timeframe_ms)
        lost_ms = lacking(answer.open_time, since_ms, answer.began_ms, panel.timeframe_ms)
        told_ms[i] = told_through(lost_ms, answer.began_ms, panel.timeframe_ms)
        if answer.began_ms >= table.coverage.as_of_ms[row]:
            panel.put(np.full(len(lost_ms), row), lost_ms, Candles(*[np.full(len(lost_ms), np.nan)] * 5))
    return told_ms


def _note_looks(table: CandleTable, timeframe: str, rows: Int, looks: Answers, final_ms: Int) -> None:
    """What is known from now on of the markets that were looked at: a history, how far it is final, since when."""
    marks, coverage = table.marks[timeframe], table.coverage
    fresh = ~marks.loaded[rows]
    marks.loaded[rows] = True
    if timeframe == table.base:
        held_ms = int(table.panels[timeframe].open_time[0])  # what is older has not been kept
        coverage.complete_from_ms[rows[fresh]] = np.maximum(looks.complete_from_ms[fresh], held_ms)
        np.maximum.at(coverage.as_of_ms, rows, looks.began_ms)
        np.maximum.at(coverage.claimed_ms, rows, final_ms)
        next_ms = marks.final_through_ms[rows] + table.panels[timeframe].timeframe_ms
        np.minimum.at(coverage.changed_ms, rows, next_ms)
    elif fresh.any():
        np.maximum.at(marks.final_through_ms, rows[fresh], final_ms[fresh])
        np.minimum.at(coverage.changed_ms, rows[fresh], 0)
