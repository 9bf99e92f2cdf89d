"""What was pushed of one market, kept only as long as it moves forward: old news change nothing.

Pure. A connection that repeats itself, or delivers late, cannot overwrite what is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.gateway.rows import Columns, sound_columns
from scanner.timeframes import open_time_of

MOST_CANDLES = 12

Row = Sequence[float]  # open time in ms, open, high, low, close, volume
Ticker = Mapping[str, Any]  # as ccxt gives it


class KeptPrice:
    """The newest ticker of one market."""

    __slots__ = ("_mark", "ticker")

    def __init__(self) -> None:
        self.ticker: Ticker | None = None
        self._mark: tuple[Any, ...] = ()

    @property
    def price(self) -> float:
        """The last trade; NaN before any is known."""
        price = self.ticker.get("last") if self.ticker is not None else None
        return float(price) if isinstance(price, (int, float)) and math.isfinite(price) else math.nan

    def take(self, ticker: Ticker) -> bool:
        """Whether this one is news: its event is later, or, where events have no time, it differs."""
        if ticker is self.ticker:
            return False
        event_ms, known_ms = ticker.get("timestamp"), (self.ticker or {}).get("timestamp")
        mark = (event_ms, ticker.get("last"), ticker.get("baseVolume"), ticker.get("bid"), ticker.get("ask"))
        if mark == self._mark or (event_ms is not None and known_ms is not None and event_ms <= known_ms):
            return False
        self.ticker, self._mark = ticker, mark
        return True


class KeptCandles:
    """The newest candles of one market on one timeframe, by open time.

    Attributes
    ----------
    changed_ms : dict
        Market time at which each candle changed last.
    """

    __slots__ = ("_candle", "changed_ms")

    def __init__(self) -> None:
        self._candle: dict[int, Row] = {}
        self.changed_ms: dict[int, int] = {}

    @property
    def price(self) -> float:
        """Close of the newest candle; NaN before any is known."""
        return float(self._candle[max(self._candle)][4]) if self._candle else math.nan

    def take(self, rows: Sequence[Row], now_ms: int) -> bool:
        """Whether any of these is news: a newer candle, or one in which more was traded than known."""
        newest = rows[-1]
        known = self._candle.get(newest[0])  # type: ignore[call-overload]
        if known is not None and known[5] == newest[5]:
            return False  # and those before it have closed
        news = [self._take_one(row, now_ms) for row in rows]  # all of them, not up to the first
        return any(news)

    def _take_one(self, row: Row, now_ms: int) -> bool:
        if any(value is None for value in row[:6]):
            return False
        open_ms = int(row[0])
        known = self._candle.get(open_ms)
        if known is not None and not row[5] > known[5]:
            return False
        is_news = known is not None or not self._candle or open_ms > max(self._candle)
        self._candle[open_ms] = tuple(row[:6])
        self.changed_ms[open_ms] = now_ms
        while len(self._candle) > MOST_CANDLES:
            oldest = min(self._candle)
            del self._candle[oldest], self.changed_ms[oldest]
        return is_news

    def is_behind(self, answer: CandleAnswer) -> bool:
        """Whether REST knows of trades after those that are known here."""
        if not self._candle or not len(answer):
            return False
        newest_ms = max(self._candle)
        later = answer.open_time >= newest_ms
        known = self._candle[newest_ms][5]
        return bool((answer.volume[later] > np.where(answer.open_time[later] == newest_ms, known, 0.0)).any())

    def seed(self, answer: CandleAnswer) -> None:
        """Take what REST answered, where it knows more."""
        columns = (answer.open_time, answer.open, answer.high, answer.low, answer.close, answer.volume)
        for row in zip(*(column[-MOST_CANDLES // 2 :].tolist() for column in columns), strict=True):
            self._take_one(row, answer.began_ms)
            self.changed_ms[int(row[0])] = answer.began_ms

    def clear(self) -> None:
        """Forget all: after a break nobody knows what was missed."""
        self._candle, self.changed_ms = {}, {}

    def columns(self, since_ms: int, step_ms: int) -> Columns:
        """Candles that open from `since_ms` on."""
        return sound_columns([row for open_ms, row in self._candle.items() if open_ms >= since_ms], step_ms)


def candle_answer(
    request: CandleRequest, kept: KeptCandles, step_ms: int, as_of_ms: int, grace_ms: int, lull_ms: int
) -> CandleAnswer | None:
    """The answer to `request` out of what was pushed; None where REST has to be asked.

    It has to when a candle is missing, when the newest candle closed `grace_ms` ago and no newer one came, or when
    one that has closed was last heard of more than `lull_ms` before its close, so that its last trades may be missing.

    Parameters
    ----------
    as_of_ms : int
        Market time up to which the connection is known to have told everything.
    """
    since_ms = request.since_ms + request.again * step_ms
    columns = kept.columns(since_ms, step_ms)
    opened = columns.open_time
    forming = open_time_of(as_of_ms, step_ms)
    if not len(opened) or columns.dropped or len(opened) >= request.limit - request.again:
        return None
    if int(opened[0]) != since_ms or int(opened[-1]) != since_ms + (len(opened) - 1) * step_ms:
        return None
    if int(opened[-1]) < forming - (step_ms if as_of_ms - forming < grace_ms else 0):
        return None
    closed = [int(open_ms) for open_ms in opened if open_ms < forming]
    if any(open_ms + step_ms - kept.changed_ms[open_ms] > lull_ms for open_ms in closed):
        return None
    prices = (columns.open, columns.high, columns.low, columns.close)
    return CandleAnswer(request, opened, *prices, columns.volume, as_of_ms, provisional=True)
