"""The newest prices of one exchange, as aligned columns."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float, Int
from scanner.markets import Market
from scanner.records import MarketTick, utc


@dataclass(frozen=True)
class TickTable:
    """Ticks of one exchange: [M, N], oldest first, the newest sweep in the last column; never changed once made.

    `time_ms` is int64[N]; `price`, `quote_volume`, `bid`, `ask` are float64[M, N], NaN where a sweep had no usable
    value for a market.
    """

    markets: tuple[Market, ...]
    time_ms: Int
    price: Float
    quote_volume: Float
    bid: Float
    ask: Float

    @classmethod
    def empty(cls, markets: tuple[Market, ...]) -> TickTable:
        columns = [np.empty((len(markets), 0)) for _ in range(4)]
        return cls(markets, np.empty(0, dtype=np.int64), *columns)

    def of(self, markets: tuple[Market, ...]) -> TickTable:
        """The same ticks for just these markets; those that are new here have none yet."""
        if markets == self.markets:
            return self
        row_of = {market: row for row, market in enumerate(self.markets)}
        new = np.array([row for row, market in enumerate(markets) if market in row_of], dtype=np.int64)
        old = np.array([row_of[markets[row]] for row in new], dtype=np.int64)
        columns = []
        for kept in (self.price, self.quote_volume, self.bid, self.ask):
            column = np.full((len(markets), kept.shape[1]), np.nan)
            column[new] = kept[old]
            columns.append(column)
        return TickTable(markets, self.time_ms, *columns)

    def with_sweep(
        self, at_ms: int, markets: tuple[Market, ...], columns: tuple[Float, Float, Float, Float], keep: int
    ) -> TickTable:
        """A new table with one more sweep, at most `keep` of them.

        `columns` are price, quote volume, bid and ask of `markets`, which may be any of the table's, in any order.
        """
        row_of = {market: row for row, market in enumerate(self.markets)}
        rows = np.array([row_of[market] for market in markets], dtype=np.int64)
        grown = [
            np.concatenate([old[:, -(keep - 1) :], _scattered(len(self.markets), rows, new)[:, None]], axis=1)
            for old, new in zip((self.price, self.quote_volume, self.bid, self.ask), columns, strict=True)
        ]
        times = np.append(self.time_ms[-(keep - 1) :], np.int64(at_ms))
        return TickTable(self.markets, times, *grown)

    def newest(self, markets: tuple[Market, ...]) -> tuple[Float, Int]:
        """The newest usable price of each of `markets`, NaN where there is none, and its time in ms, 0 without one."""
        price, at_ms = np.full(len(markets), np.nan), np.zeros(len(markets), dtype=np.int64)
        if not self.price.shape[1]:
            return price, at_ms
        row_of = {market: row for row, market in enumerate(self.markets)}
        place = np.array([i for i, market in enumerate(markets) if market in row_of], dtype=np.int64)
        rows = np.array([row_of[markets[i]] for i in place], dtype=np.int64)
        known = ~np.isnan(self.price[rows])
        column = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
        price[place] = self.price[rows, column]
        at_ms[place] = np.where(known.any(axis=1), self.time_ms[column], 0)
        return price, at_ms

    def newest_volume(self, markets: tuple[Market, ...]) -> Float:
        """The newest known 24 h quote volume of each of `markets`, NaN where none is."""
        row_of = {market: row for row, market in enumerate(self.markets)}
        found = np.full(len(markets), np.nan)
        place = np.array([i for i, market in enumerate(markets) if market in row_of], dtype=np.int64)
        if not len(place) or not self.quote_volume.shape[1]:
            return found
        volume = self.quote_volume[[row_of[markets[i]] for i in place]]
        known = ~np.isnan(volume)
        found[place] = volume[np.arange(len(volume)), known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)]
        return found

    def buffer(self, row: int) -> deque[MarketTick]:
        """The ticks of one market as a deque of MarketTick."""
        usable = np.flatnonzero(~np.isnan(self.price[row]))
        return deque(self._tick(row, int(column)) for column in usable)

    def _tick(self, row: int, column: int) -> MarketTick:
        volume, bid, ask = (float(values[row, column]) for values in (self.quote_volume, self.bid, self.ask))
        return MarketTick(
            symbol=str(self.markets[row]),
            timestamp=utc(int(self.time_ms[column])),
            price=float(self.price[row, column]),
            volume=0.0 if np.isnan(volume) else volume,
            bid=None if np.isnan(bid) else bid,
            ask=None if np.isnan(ask) else ask,
        )


def _scattered(length: int, rows: Int, values: Float) -> Float:
    column = np.full(length, np.nan)
    column[rows] = values
    return column
