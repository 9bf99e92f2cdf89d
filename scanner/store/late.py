"""What became known late: candles that came or changed after their time, so that the past can be seen as it was. Pure.

A candle counts as known `SETTLED_MS` after its close. One that comes later, as after a time when nothing was scanning,
or that the exchange revises later, is noted with its moment and with what was stored in its place until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanner.markets import Market
from scanner.records import iso
from scanner.store.moments import moment_ms
from scanner.store.ohlcv import NONE, Rows, joined
from scanner.timeframes import LENGTH_MS, MINUTE_MS

SETTLED_MS = 5 * MINUTE_MS


@dataclass(frozen=True)
class Late:
    """At `known_ms` the candles that opened from `from_ms` to `to_ms`, both included, took the place of `before`."""

    market: Market
    timeframe: str
    known_ms: int
    from_ms: int
    to_ms: int
    before: Rows

    def as_record(self) -> dict[str, Any]:
        """The change as the files hold it."""
        listed = zip(self.before.open_time.tolist(), self.before.values.tolist(), strict=True)
        return {
            "exchange": self.market.exchange,
            "symbol": self.market.symbol,
            "timeframe": self.timeframe,
            "known_at": iso(self.known_ms),
            "from": iso(self.from_ms),
            "to": iso(self.to_ms),
            "before": [[moment, *values] for moment, values in listed],
        }


def try_late(record: Mapping[str, Any]) -> Late | None:
    """The change of a record, None for one that is not ours."""
    times = [moment_ms(record.get(name)) for name in ("known_at", "from", "to")]
    timeframe, names = record.get("timeframe"), [record.get("exchange"), record.get("symbol")]
    if None in times or timeframe not in LENGTH_MS or not all(isinstance(name, str) for name in names):
        return None
    try:
        table = np.array(record["before"], dtype=np.float64).reshape(-1, 6)
    except (KeyError, TypeError, ValueError):
        return None
    known_ms, from_ms, to_ms = (int(time) for time in times if time is not None)
    before = Rows(table[:, 0].astype(np.int64), table[:, 1:])
    return Late(Market(str(names[0]), str(names[1])), str(timeframe), known_ms, from_ms, to_ms, before)


def changes(market: Market, timeframe: str, stored: Rows, came: Rows, now_ms: int) -> Iterator[Late]:
    """What some candles change so late that it is to be noted.

    Parameters
    ----------
    stored, came : Rows
        What is known of the time of `came`, and what comes on top at `now_ms`.
    """
    due = came.open_time + LENGTH_MS[timeframe] + SETTLED_MS < now_ms
    news = due & ~_same(stored, came)
    if news.any():
        moments = came.open_time[news]
        from_ms, to_ms = int(moments[0]), int(moments[-1])
        yield Late(market, timeframe, now_ms, from_ms, to_ms, _within(stored, from_ms, to_ms))


def overdue(timeframe: str, came: Rows, now_ms: int) -> bool:
    """Whether any of some candles comes late."""
    return len(came) > 0 and bool(came.open_time[0] + LENGTH_MS[timeframe] + SETTLED_MS < now_ms)


def as_of(candles: Rows, timeframe: str, noted: Iterable[Late], as_of_ms: int, come_in_time: bool = False) -> Rows:
    """The candles as they were known at `as_of_ms`.

    Parameters
    ----------
    candles : Rows
        As they are known now.
    noted : iterable of Late
        What has changed since, of this market and timeframe, as it was noted.
    come_in_time : bool
        Count a candle that came late, as of a backfill, as if it had come in time: only revisions are taken back.
    """
    later = sorted((change for change in noted if change.known_ms > as_of_ms), key=lambda change: change.known_ms)
    for change in reversed(later):
        if come_in_time:
            candles = joined([candles, change.before])
            continue
        older, newer = _within(candles, None, change.from_ms - 1), _within(candles, change.to_ms + 1, None)
        candles = joined([older, change.before, newer])
    return _within(candles, None, as_of_ms - LENGTH_MS[timeframe] - SETTLED_MS)


def _same(stored: Rows, came: Rows) -> NDArray[np.bool_]:
    """bool[n]: candles of `came` that are stored just so."""
    at = np.searchsorted(stored.open_time, came.open_time)
    there = at < len(stored)
    there[there] = stored.open_time[at[there]] == came.open_time[there]
    same = there.copy()
    ours, theirs = stored.values[at[there]], came.values[there]
    same[there] = ((ours == theirs) | (np.isnan(ours) & np.isnan(theirs))).all(axis=-1)
    return same


def _within(candles: Rows, from_ms: int | None, to_ms: int | None) -> Rows:
    """The candles that opened between two moments, both included."""
    first = 0 if from_ms is None else int(np.searchsorted(candles.open_time, from_ms))
    end = len(candles) if to_ms is None else int(np.searchsorted(candles.open_time, to_ms, side="right"))
    return Rows(candles.open_time[first:end], candles.values[first:end]) if first < end else NONE
