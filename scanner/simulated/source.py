"""What a market source is: listings, candles, prices, statistics. The server knows nothing else.

Candles are grouped here too, so that every source builds a bigger candle in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scanner.core.candles import Float, Int


@dataclass(frozen=True)
class Listing:
    """One symbol a source offers; a swap is one that settles in something."""

    symbol: str  # BTC/USDT, or BTC/USDT:USDT
    base: str
    quote: str
    settle: str | None
    decimals: int  # of a price; the tick size is 10 ** -decimals
    listed_ms: int  # when its first candle opened
    contract_size: float = 1.0  # base currency in one contract

    @property
    def tick_size(self) -> float:
        return float(f"1e-{self.decimals}")


@dataclass(frozen=True)
class Series:
    """Candles of one symbol: open_time int64[N] in ms, rising; the rest float64[N], volume in base currency."""

    open_time: Int
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float

    def __len__(self) -> int:
        return len(self.open_time)

    def take(self, index: object) -> Series:
        """The chosen candles, as `index` applies to each array."""
        return Series(*(column[index] for column in self.columns()))  # type: ignore[call-overload]

    def between(self, start_ms: int, end_ms: int) -> Series:
        """Candles that open from `start_ms` to `end_ms`, both included."""
        first, last = np.searchsorted(self.open_time, [start_ms, end_ms + 1])
        return self.take(slice(first, last))

    def columns(self) -> tuple[Int, Float, Float, Float, Float, Float]:
        return self.open_time, self.open, self.high, self.low, self.close, self.volume


def on_grid(price: Float, decimals: int | Int) -> Float:
    """Prices rounded to their number of decimals, an int or an array that broadcasts."""
    scale = 10.0 ** np.asarray(decimals)
    return np.asarray(np.rint(price * scale) / scale)


def empty() -> Series:
    """No candles."""
    return Series(np.empty(0, np.int64), *(np.empty(0) for _ in range(5)))


def joined(parts: Sequence[Series]) -> Series:
    """Parts that follow one another as one series."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return empty()
    return (
        parts[0] if len(parts) == 1 else Series(*map(np.concatenate, zip(*(p.columns() for p in parts), strict=True)))
    )


def aggregate(series: Series, length_ms: int, first_ms: int = 0) -> Series:
    """Bigger candles of `length_ms` from smaller ones; one of them opens at `first_ms`.

    A candle nobody traded is left out, since the exchange opens the bigger candle at its first trade; where a whole
    group is untraded the result is a flat candle without volume. Gaps stay gaps.
    """
    if not len(series):
        return series
    group = series.open_time - (series.open_time - first_ms) % length_ms
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    sizes = np.diff(starts, append=len(group))
    traded = series.volume > 0
    silent = np.repeat(np.add.reduceat(traded, starts) == 0, sizes)
    kept = series.take(traded | silent)
    group = group[traded | silent]
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    return Series(
        group[starts],
        kept.open[starts],
        np.maximum.reduceat(kept.high, starts),
        np.minimum.reduceat(kept.low, starts),
        kept.close[np.append(starts[1:], len(group)) - 1],
        np.add.reduceat(kept.volume, starts),
    )


@dataclass(frozen=True)
class Statistics:
    """The last 24 hours of every listing: float64[M] each, in the order of `MarketSource.listings`.

    A symbol that has no candle yet is NaN in every field. `volume` is in base, `turnover` in quote currency.
    """

    open: Float
    high: Float
    low: Float
    last: Float
    volume: Float
    turnover: Float


class MarketSource(Protocol):
    """Where candles come from; pure, so that the same question has the same answer at any time in any process."""

    @property
    def timeframes(self) -> tuple[str, ...]:
        """Timeframes that can be asked for, shortest first."""
        ...

    def listings(self) -> Sequence[Listing]: ...

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int, now_ms: int) -> Series:
        """Candles opening in [start_ms, end_ms] and not after `now_ms`; the newest may still be forming.

        Raises
        ------
        KeyError
            `symbol` is not listed.
        """
        ...

    def last_prices(self, now_ms: int) -> Float:
        """Price of every listing, in their order; NaN where there is none yet."""
        ...

    def statistics_24h(self, now_ms: int) -> Statistics: ...
