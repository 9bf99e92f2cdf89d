"""A panel: every market of one exchange on one timeframe, aligned in time.

Decides where a candle belongs, what stands in for a candle that nobody traded, and how longer timeframes are
assembled from shorter ones. What is fetched, and when a candle is final, is decided elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scanner.core.candles import Bool, Candles, Float, Int

EVERY = slice(None)
SPARE = 24  # columns at the end, so that few of the steps in time have to copy all candles


class Panel:
    """Struct of arrays [M, L]: the newest L candles of M markets, time last, the newest column at the end.

    Parameters
    ----------
    markets : int
        Rows.
    timeframe_ms : int
        Length of a candle; every open time is a multiple of it.
    length : int
        Columns kept.

    Attributes
    ----------
    end_ms : int
        Open time of the last column; the columns before it follow without a hole.
    open, high, low, close, volume : float64[M, L]
        NaN where no candle is known.
    filled : bool[M, L]
        A candle nobody traded: the previous close with zero volume.
    score : float64[M, L]
        Combined score of the closed candle, NaN until it is computed.
    """

    COLUMNS = ("open", "high", "low", "close", "volume", "score")
    FIELDS = (*COLUMNS, "filled")
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    score: Float
    filled: Bool

    def __init__(self, markets: int, timeframe_ms: int, length: int) -> None:
        self.timeframe_ms, self.length = timeframe_ms, length
        self.end_ms = 0
        self._whole = {name: _blank(name, markets, length + SPARE) for name in self.FIELDS}
        self._show(0)

    def _show(self, start: int) -> None:
        """Let the panel begin at a column of the arrays it lies in."""
        self._start = start
        for name, array in self._whole.items():
            setattr(self, name, array[:, start : start + self.length])

    def moved(self, rows: Int, to: Int, markets: int) -> Panel:
        """A panel of so many markets that takes over the candles of `rows`, as rows `to`; this one is left without any.

        One array after the other, so that no more memory is needed than for one.
        """
        other = Panel(0, self.timeframe_ms, self.length)
        other.end_ms = self.end_ms
        for name in self.FIELDS:
            array = _blank(name, markets, self.length + SPARE)
            array[to] = self._whole[name][rows]
            other._whole[name] = array
            self._whole[name] = _blank(name, 0, self.length + SPARE)
            delattr(self, name)
        other._show(self._start)
        self._show(self._start)
        return other

    def forget(self, rows: Int) -> None:
        """Know no candle of some markets."""
        for name in self.COLUMNS:
            getattr(self, name)[rows] = np.nan
        self.filled[rows] = False

    @property
    def open_time(self) -> Int:
        """int64[L]: open times in ms of the columns."""
        return self.end_ms - self.timeframe_ms * np.arange(self.length - 1, -1, -1, dtype=np.int64)

    def column_of(self, open_ms: Int | int) -> Int:
        """Column of an open time; below 0 or beyond the end where the panel does not reach."""
        return np.asarray(self.length - 1 + (np.asarray(open_ms) - self.end_ms) // self.timeframe_ms, dtype=np.int64)

    def columns_since(self, open_ms: int) -> int:
        """How many of the newest columns reach back to a moment, at most all."""
        return min(max(self.length - int(self.column_of(open_ms)), 0), self.length)

    def holds(self, row: Int, open_ms: Int) -> Bool:
        """bool[n]: whether a candle of the exchange is known in these cells."""
        column = self.column_of(open_ms)
        inside = (column >= 0) & (column < self.length)
        cell = (row, np.where(inside, column, 0))
        return np.asarray(inside & ~np.isnan(self.close[cell]) & ~self.filled[cell])

    def values(self, row: int, column: int) -> Float:
        """One candle: float64[5] open, high, low, close, volume; NaN where none is known or nobody traded."""
        if self.filled[row, column]:
            return np.full(5, np.nan)
        return np.array([getattr(self, name)[row, column] for name in self.COLUMNS[:5]])

    def advance_to(self, open_ms: int) -> None:
        """Make `open_ms` the last column: one step for all markets; never goes back."""
        steps = (open_ms - self.end_ms) // self.timeframe_ms
        if steps <= 0:
            return
        if self._start + steps <= SPARE:
            self._show(self._start + steps)
        else:
            self._shift(max(self.length - steps, 0))
        self.end_ms = open_ms

    def _shift(self, kept: int) -> None:
        """Move the newest `kept` columns to the beginning of the arrays; the others are blank."""
        end = self._start + self.length
        for name, array in self._whole.items():
            array[:, :kept] = array[:, end - kept : end].copy()
            array[:, kept:] = _unknown(name)
        self._show(0)

    def put(self, row: Int, open_ms: Int, candles: Candles) -> None:
        """Write candles, flat arrays of equal length; the newest word on a candle wins, too old ones are dropped."""
        if not len(row):
            return
        self.advance_to(int(open_ms.max()))
        column = self.column_of(open_ms)
        keep = column >= 0
        cell = (row[keep], column[keep])
        for name, values in zip(self.COLUMNS, candles.columns(), strict=False):
            getattr(self, name)[cell] = values[keep]
        self.filled[cell] = False

    def fill(self, through_ms: Int, width: int, rows: Int | slice = EVERY) -> None:
        """Let the previous close stand, with zero volume, for candles nobody traded.

        Parameters
        ----------
        through_ms : int64[rows]
            Open time up to which each market's candles are known to be all there.
        width : int
            How many of the newest columns to look at.
        rows : int64[n] or slice
            The markets to look at, each once.
        """
        start = max(self.length - width, 1) - 1
        close = self.close[rows, start:]
        missing = np.isnan(close) | self.filled[rows, start:]
        missing[:, 0] = False
        columns = np.arange(close.shape[1])
        due = missing & (columns + start <= self.column_of(through_ms)[:, None])
        if not due.any():
            return
        source = np.maximum.accumulate(np.where(missing, 0, columns), axis=1)
        previous = np.take_along_axis(close, source, axis=1)
        which, offset = np.nonzero(due & ~np.isnan(previous))
        cell = (np.arange(len(self.close))[rows][which], offset + start)
        for name in ("open", "high", "low", "close"):
            getattr(self, name)[cell] = previous[which, offset]
        self.volume[cell] = 0.0
        self.filled[cell] = True

    def window(self, rows: Int | slice, open_ms: int, length: int) -> Candles:
        """The `length` candles up to and including `open_ms`, of the chosen rows, as a contiguous copy."""
        stop = int(self.column_of(open_ms)) + 1
        return Candles(*(self._span(name, rows, stop, length) for name in self.COLUMNS[:5]))

    def span(self, name: str, rows: Int | slice, open_ms: int, length: int) -> Float:
        """`length` values of one column up to and including `open_ms`: float64[rows, length], NaN before the panel."""
        return self._span(name, rows, int(self.column_of(open_ms)) + 1, length)

    def _span(self, name: str, rows: Int | slice, stop: int, length: int) -> Float:
        values: Float = getattr(self, name)[rows, max(stop - length, 0) : stop].astype(np.float64)
        short = length - values.shape[1]
        return np.pad(values, ((0, 0), (short, 0)), constant_values=np.nan) if short else np.ascontiguousarray(values)


def _blank(name: str, markets: int, columns: int) -> Any:
    """An array in which nothing is known."""
    return np.full((markets, columns), _unknown(name))


def _unknown(name: str) -> float | bool:
    return False if name == "filled" else np.nan


def assemble(
    base: Panel,
    target: Panel,
    complete_from_ms: Int,
    base_final_ms: Int,
    target_final_ms: Int,
    since_ms: int = 0,
    rows: Int | slice = EVERY,
) -> None:
    """Write the candles of `target`'s longer timeframe from `base`'s.

    A candle opens at its first traded part, so fillers count only where nobody traded at all, as on an exchange.

    Parameters
    ----------
    complete_from_ms : int64[rows]
        From when on `base` holds everything the exchange has; longer candles that begin earlier are left alone.
    base_final_ms, target_final_ms : int64[rows]
        Open time of each market's newest final candle in `base` and in `target`. A longer candle that is final already
        is written only from parts that are all final: it may have come whole from the exchange before they did.
    since_ms : int
        Nothing before has changed in `base`: longer candles that closed earlier are left alone.
    rows : int64[n] or slice
        The markets to look at, each once.
    """
    step = target.timeframe_ms
    last = base.end_ms - base.end_ms % step
    target.advance_to(last)
    oldest = max(int(base.open_time[0]), int(target.open_time[0]))
    first = max(oldest + (-oldest) % step, since_ms - since_ms % step)
    if first > last:
        return
    opens = np.arange(first, last + 1, step, dtype=np.int64)
    merged, any_known, all_filled = _merge_parts(base, rows, int(base.column_of(first)), len(opens), step)
    whole = opens + step - base.timeframe_ms <= base_final_ms[:, None]
    due = any_known & (opens >= complete_from_ms[:, None]) & (whole | (opens > target_final_ms[:, None]))
    which, candle = np.nonzero(due)
    row = np.arange(len(base.close))[rows][which]
    target.put(row, opens[candle], merged.rows((which, candle)))
    target.filled[row, target.column_of(opens[candle])] = all_filled[which, candle]


def _merge_parts(base: Panel, rows: Int | slice, start: int, count: int, step: int) -> tuple[Candles, Bool, Bool]:
    """`count` candles of length `step` from a column of `base` on, whether any part is known, whether none was traded.

    All of shape [rows, count]. Columns that do not exist yet are unknown parts.
    """
    parts = step // base.timeframe_ms

    def split(column: Float | Bool, beyond: float) -> Any:  # [rows, count, parts]
        held = column[rows, start:]
        ahead = max(count * parts - held.shape[1], 0)
        padded = np.pad(held, ((0, 0), (0, ahead)), constant_values=beyond) if ahead else held
        return padded.reshape(len(held), count, parts)

    close, volume = split(base.close, np.nan), split(base.volume, np.nan)
    known = ~np.isnan(close)
    own = known & ~split(base.filled, False)
    traded = own & (volume > 0)
    use = np.where(traded.any(axis=-1, keepdims=True), traded, known)
    first = use.argmax(axis=-1)[..., None]
    latest = parts - 1 - use[..., ::-1].argmax(axis=-1)[..., None]
    candles = Candles(
        np.take_along_axis(split(base.open, np.nan), first, axis=-1)[..., 0],
        np.where(use, split(base.high, np.nan), -np.inf).max(axis=-1),
        np.where(use, split(base.low, np.nan), np.inf).min(axis=-1),
        np.take_along_axis(close, latest, axis=-1)[..., 0],
        np.where(known, volume, 0.0).sum(axis=-1),
    )
    any_known = known.any(axis=-1)
    return candles, any_known, any_known & ~own.any(axis=-1)


def forming(closed: Candles, observed: Candles, price: Float, elapsed: Float) -> Candles:
    """The candle now forming, with the newest price and its volume projected to a whole candle.

    Prices are used as they are. Volume becomes ``observed + (1 - elapsed) * mean(last 20 closed)``: a part-candle
    always has less volume and would read as declining.

    Parameters
    ----------
    closed : Candles
        float64[M, >= 20] closed candles, NaN where unknown.
    observed : Candles
        float64[M] what has been traded so far in the forming candle, NaN where nothing has.
    price : float64[M]
        Newest price, NaN where none is newer than `observed`.
    elapsed : float64[M]
        Share of the candle that `observed` covers, 0..1.
    """
    previous = closed.close[..., -1]
    opened = np.where(np.isnan(observed.open), previous, observed.open)
    close = np.where(np.isnan(price), np.where(np.isnan(observed.close), previous, observed.close), price)
    high = np.fmax(np.fmax(observed.high, opened), close)
    low = np.fmin(np.fmin(observed.low, opened), close)
    recent = closed.volume[..., -20:]
    known = ~np.isnan(recent)
    typical = np.where(known, recent, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    seen = np.where(np.isnan(observed.volume), 0.0, observed.volume)
    return Candles(opened, high, low, close, seen + (1.0 - elapsed) * typical)
