"""How far back each timeframe has to reach, and what of that is missing. Pure.

A signal needs the window before it, and its percentile the history before that, so each timeframe begins some hundred
candles before the first signal: as many as a live scan fetches when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Int
from scanner.gateway.answers import CandleRequest, Purpose
from scanner.markets import Market
from scanner.runtime.book.table import new_panels
from scanner.store.gaps import NO_TRADE, Gap
from scanner.store.intervals import Span, union, without
from scanner.timeframes import DAY_MS, length_ms, open_time_of

PER_REQUEST = 1000  # candles: one page of most exchanges, a few of others


@dataclass(frozen=True)
class Reach:
    """The candles one timeframe needs.

    Attributes
    ----------
    since_ms, first_ms, last_ms : int
        Open times of the oldest candle needed, of the oldest that gets a signal, and of the newest final one.
    """

    timeframe: str
    since_ms: int
    first_ms: int
    last_ms: int

    @property
    def step_ms(self) -> int:
        return length_ms(self.timeframe)

    @property
    def span(self) -> Span:
        """From the oldest candle to the end of the newest."""
        return self.since_ms, self.last_ms + self.step_ms

    def open_times(self, span: Span) -> Int:
        """int64[n]: when the candles that lie in a span on the grid open."""
        return np.arange(span[0], span[1], self.step_ms, dtype=np.int64)


def panel_lengths(config: StreamConfig) -> dict[str, int]:
    """How many candles a live scan looks back on, the forming one included, by timeframe."""
    return {name: panel.length for name, panel in new_panels(config, 0).items()}


def reaches(config: StreamConfig, days: int, now_ms: int) -> dict[str, Reach]:
    """What each timeframe needs for the signals of the last `days` whole UTC days and of today so far.

    They begin with the candle that closes as the first day begins: the first signals of a shorter timeframe join it.
    """
    begin_ms = open_time_of(now_ms, DAY_MS) - days * DAY_MS
    settled_ms = now_ms - int(config.finality_grace_s * 1000)
    found = {}
    for timeframe, length in panel_lengths(config).items():
        step = length_ms(timeframe)
        first, last = max(begin_ms - step, 0), open_time_of(settled_ms, step) - step
        found[timeframe] = Reach(timeframe, max(first - (length - 1) * step, 0), first, last)
    return found


def no_earlier(timeframe: str) -> str:
    """What the ledger says of the time before an exchange's first candle."""
    return f"the exchange has no earlier {timeframe} candles"


def untraded(gaps: Iterable[Gap], market: Market, timeframe: str) -> list[Span]:
    """When nobody traded, by the ledger, as far as that goes for one timeframe."""
    said = (None, no_earlier(timeframe))
    ours = (gap for gap in gaps if gap.symbol == market.symbol and gap.cause == NO_TRADE and gap.detail in said)
    return union(gap.span for gap in ours)


def missing(reach: Reach, held: Int, explained: Sequence[Span]) -> list[Span]:
    """The stretches of `reach` that are neither held nor explained, on the grid, oldest first.

    Parameters
    ----------
    held : int64[n]
        Open times of the candles that are there.
    explained : sequence of Span
        A union of spans in which there is nothing to have.
    """
    wanted = reach.open_times(reach.span)
    found: list[Span] = []
    for begins, ends in runs(wanted[~np.isin(wanted, held)], reach.step_ms):
        for part in without((begins, ends), explained):
            first = open_time_of(part[0], reach.step_ms)
            found.append((first, part[1] + -part[1] % reach.step_ms))
    return union(found)


def runs(open_time: Int, step_ms: int) -> Iterator[Span]:
    """Unbroken stretches of rising open times."""
    if len(open_time):
        for run in np.split(open_time, np.flatnonzero(np.diff(open_time) != step_ms) + 1):
            yield int(run[0]), int(run[-1]) + step_ms


def requests(market: Market, timeframe: str, spans: Iterable[Span]) -> list[CandleRequest]:
    """As few requests as cover the spans, each of at most `PER_REQUEST` candles; small holes share one."""
    step = length_ms(timeframe)
    found: list[Span] = []
    for begins, ends in spans:
        if found and ends - found[-1][0] <= PER_REQUEST * step:
            found[-1] = found[-1][0], ends
            continue
        found += [(at, min(at + PER_REQUEST * step, ends)) for at in range(begins, ends, PER_REQUEST * step)]
    return [
        CandleRequest(market, timeframe, begins, (ends - begins) // step, Purpose.BACKFILL) for begins, ends in found
    ]
