"""What a run notes in the gap ledger: since when nothing was watched, outages, and candles that nobody traded.

One thread uses it, the signal stream's; `open_gaps` may be read by any.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from scanner.errors import StoreFailure
from scanner.gateway.answers import ExchangeState
from scanner.markets import Market
from scanner.runtime.book.book import Book
from scanner.store.gap_files import Alive, GapFiles
from scanner.store.gaps import BACKFILLED, DOWN, NO_TRADE, OUTAGE, Gap
from scanner.store.intervals import Span
from scanner.timeframes import DAY_MS, length_ms, open_time_of

log = logging.getLogger(__name__)

FAILING = ("late", "limited", "banned", "restricted", "down")
REACH_MS = 7 * DAY_MS  # a gap that ended longer ago is not fetched any more
COLD_WAIT_S = 600.0  # real seconds
BEAT_S = 5.0  # real seconds; the file is written to the medium each time
STOPPED, DIED = "the scan had ended", "the process had died"


class GapWatch:
    """Notes gaps of the exchanges of one run.

    Parameters
    ----------
    steady : callable
        Seconds that only grow.
    """

    def __init__(self, ledger: GapFiles, steady: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._steady = ledger, steady
        self._before = ledger.alive()  # of the runs before this one
        self._now: dict[str, Alive] = {}
        self._pending: dict[str, list[Span]] = {}
        self._since: dict[str, float] = {}  # steady, when each exchange was first watched
        self._beat_at = float("-inf")

    def beat(self, states: Mapping[str, ExchangeState], now_ms: Callable[[str], int]) -> None:
        """Note how the exchanges are doing, and that we are alive."""
        for name, state in states.items():
            if name not in self._now:
                self._begin(name, now_ms(name))
            self._now = {**self._now, name: self._judged(name, state, now_ms(name))}
        if self._steady() - self._beat_at >= BEAT_S:
            self._keep()

    def end(self, now_ms: Callable[[str], int]) -> None:
        """The run is over, in order."""
        self._now = {
            name: Alive(now_ms(name), True, alive.outage_ms, alive.outage) for name, alive in self._now.items()
        }
        if self._now:
            self._keep()

    def open_gaps(self) -> list[Gap]:
        """Outages that last."""
        return [
            Gap(name, None, OUTAGE, alive.outage_ms, None, alive.outage, False)
            for name, alive in self._now.items()
            if alive.outage_ms is not None
        ]

    def advanced(self, book: Book, now_ms: int) -> None:
        """Note what the newest answers have shown."""
        found = []
        for market, (begins, ends) in lost(book):
            split = min(max(begins, book.started_ms), ends)
            found.append(Gap(market.exchange, market.symbol, DOWN, begins, split, "longer than can be fetched"))
            found.append(Gap(market.exchange, market.symbol, OUTAGE, split, ends, "no answer about this market"))
        found += [Gap(market.exchange, market.symbol, NO_TRADE, *span) for market, span in untraded(book)]
        for marks in book.marks.values():
            noted = np.maximum(marks.noted_through_ms, marks.final_through_ms)
            marks.noted_through_ms = np.where(marks.loaded, noted, marks.noted_through_ms)
        found += [Gap(book.exchange, None, BACKFILLED, *span) for span in self._fetched(book)]
        if found:
            self._ledger.append(found, now_ms)

    def _begin(self, name: str, now_ms: int) -> None:
        """The time since `name` was last watched, by an earlier run, and what earlier ones have not got to fetch."""
        self._since[name], self._pending[name] = self._steady(), self._unfetched(name, now_ms)
        alive = self._before.get(name)
        if alive is None or alive.at_ms >= now_ms:
            return
        down = Gap(name, None, DOWN, alive.at_ms, now_ms, STOPPED if alive.ended else DIED)
        found = [down]
        if alive.outage_ms is not None:
            found.append(Gap(name, None, OUTAGE, alive.outage_ms, alive.at_ms, alive.outage))
        self._ledger.append(found)
        self._pending[name] += [gap.span for gap in found]

    def _unfetched(self, name: str, now_ms: int) -> list[Span]:
        """Gaps of a whole exchange that nobody has said to be backfilled."""
        try:
            noted = self._ledger.read(now_ms - REACH_MS, name)
        except StoreFailure as error:
            log.warning("%s: what was missed before is not known: %s", name, error)
            return []
        return [gap.span for gap in noted if gap.symbol is None and gap.backfilled is False]

    def _judged(self, name: str, state: ExchangeState, now_ms: int) -> Alive:
        before = self._now.get(name, Alive(now_ms))
        if state.state in FAILING:
            since_ms = before.outage_ms if before.outage_ms is not None else min(state.last_data_ms or now_ms, now_ms)
            return Alive(now_ms, outage_ms=since_ms, outage=before.outage or state.cause or state.state)
        if before.outage_ms is None or state.state != "live":
            return Alive(now_ms, outage_ms=before.outage_ms, outage=before.outage)
        self._ledger.append([Gap(name, None, OUTAGE, before.outage_ms, now_ms, before.outage)])
        self._pending.setdefault(name, []).append((before.outage_ms, now_ms))
        return Alive(now_ms)

    def _fetched(self, book: Book) -> Iterator[Span]:
        """What of the time that was missed has been fetched since, for every market.

        One of which nothing was ever held has missed nothing: it is not waited for longer than `COLD_WAIT_S`.
        """
        pending = self._pending.get(book.exchange, [])
        step, marks, coverage = length_ms(book.base), book.marks[book.base], book.coverage
        waited_s = self._steady() - self._since.get(book.exchange, self._steady())
        spared = ~marks.loaded & (marks.noted_through_ms < 0) & (waited_s >= COLD_WAIT_S)
        for span in list(pending):
            reached = marks.final_through_ms + step >= open_time_of(span[1], step)
            if not marks.loaded.any() or not (spared | (marks.loaded & ~coverage.unproven & reached)).all():
                continue
            pending.remove(span)
            yield max(span[0], int(coverage.complete_from_ms[marks.loaded].max())), span[1]

    def _keep(self) -> None:
        if self._ledger.keep_alive({**self._before, **self._now}):
            self._beat_at = self._steady()


def untraded(book: Book) -> list[tuple[Market, Span]]:
    """Final candles that nobody traded and that are not noted yet: from when to when.

    None of a timeframe whose history is not there yet. On a longer one only those from before the base panel's candles:
    the others are in that.
    """
    found = []
    for timeframe, panel in book.panels.items():
        marks = book.marks[timeframe]
        through, noted = marks.final_through_ms, marks.noted_through_ms
        for row in np.flatnonzero(marks.loaded & (through > noted) & panel.filled.any(axis=1)):
            fresh = panel.filled[row] & (panel.open_time > noted[row]) & (panel.open_time <= through[row])
            if timeframe != book.base:
                fresh &= panel.open_time < book.coverage.complete_from_ms[row]
            columns = np.flatnonzero(fresh)
            for run in np.split(columns, np.flatnonzero(np.diff(columns) != 1) + 1) if len(columns) else ():
                first, last = int(panel.open_time[run[0]]), int(panel.open_time[run[-1]])
                found.append((book.markets[row], (first, last + panel.timeframe_ms)))
    return found


def lost(book: Book) -> list[tuple[Market, Span]]:
    """Where candles begin anew, too late to join those stored before: from when to when there will be none."""
    marks, begins_ms = book.marks[book.base], book.coverage.complete_from_ms
    ends_ms = marks.noted_through_ms + length_ms(book.base)
    begun = marks.loaded & (marks.final_through_ms >= begins_ms)
    rows = np.flatnonzero(begun & (marks.noted_through_ms >= 0) & (begins_ms > ends_ms))
    return [(book.markets[row], (int(ends_ms[row]), int(begins_ms[row]))) for row in rows]
