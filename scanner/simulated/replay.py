"""Recorded candles as a source: history before now, and inside the candle of now only what has happened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scanner.core.candles import Float
from scanner.errors import InvalidInput
from scanner.simulated import inside, noise, parquet
from scanner.simulated.market import COINS
from scanner.simulated.source import Listing, Series, Statistics, aggregate, empty, joined, on_grid
from scanner.timeframes import DAY_MS, LENGTH_MS, open_time_of

_CONTRACT_SIZES = {coin.base: coin.contract_size for coin in COINS}
_MOST_DECIMALS = 12


class Recording:
    """Candles of one timeframe, replayed, with coarser ones from before them for warm-up.

    Attributes
    ----------
    symbols : tuple of str
        What was recorded and is replayed.
    resolution : str
        Timeframe of the replayed candles.
    start_ms, end_ms : int
        Open time of the first replayed candle, close time of the last.
    notes : tuple of str
        What was left out and why, for the log.
    """

    def __init__(self, cut: parquet.Cut) -> None:
        self._length = cut.length_ms
        self._fine, self._warm = cut.fine, cut.warm
        self.symbols = tuple(cut.fine)
        self.resolution = parquet.timeframe_name(cut.length_ms)
        self.start_ms = min(int(series.open_time[0]) for series in cut.fine.values())
        self.end_ms = max(int(series.open_time[-1]) for series in cut.fine.values()) + cut.length_ms
        self.notes = cut.notes
        self.timeframes = tuple(name for name, length in LENGTH_MS.items() if length % cut.length_ms == 0)
        self._listings = tuple(self._listing(symbol) for symbol in self.symbols)
        self._keys = np.array([noise.key("replay", symbol) for symbol in self.symbols], np.uint64)
        self._rows = {symbol: row for row, symbol in enumerate(self.symbols)}
        self._decimals = np.array([listing.decimals for listing in self._listings])[:, None]
        self._bigger: dict[tuple[str, str], Series] = {}
        self._past = {symbol: self._all_of(symbol) for symbol in self.symbols}

    @classmethod
    def load(cls, path: str | Path, symbols: Sequence[str] | None = None) -> Recording:
        """A Parquet file of candles, or a folder of them.

        Columns: symbol, timestamp (open time, ms or a date and time), open, high, low, close, volume. Of a folder the
        finest timeframe is replayed; where that was recorded at several times, the time with the most candles.

        Raises
        ------
        InvalidInput
            Nothing usable is there, or a symbol asked for was not recorded.
        """
        place = Path(path)
        if not place.exists():
            raise InvalidInput("replay", str(path), "does not exist")
        tapes = parquet.read_folder(place, symbols) if place.is_dir() else [parquet.read_file(place, symbols)]
        cut = parquet.cut(tapes)
        missing = [symbol for symbol in symbols or () if symbol not in cut.fine]
        if missing:
            raise InvalidInput("replay", missing[0], f"was not recorded; recorded are {', '.join(cut.fine)}")
        return cls(cut)

    @property
    def timeframes_servable(self) -> tuple[str, ...]:
        return self.timeframes

    def listings(self) -> Sequence[Listing]:
        """See `MarketSource.listings`."""
        return self._listings

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int, now_ms: int) -> Series:
        """See `MarketSource.candles`; of the time before the replay only closed candles are shown."""
        length, end = LENGTH_MS[timeframe], min(end_ms, now_ms)
        newest = open_time_of(now_ms, length)
        closed = self._closed(symbol, timeframe).between(start_ms, min(end, newest - 1))
        forming = self._forming(symbol, newest, length, now_ms) if start_ms <= newest <= end else empty()
        return joined([closed, forming])

    def last_prices(self, now_ms: int) -> Float:
        """See `MarketSource.last_prices`."""
        return self.statistics_24h(now_ms).last

    def statistics_24h(self, now_ms: int) -> Statistics:
        """See `MarketSource.statistics_24h`; a day without candles stands at the last price."""
        forming = self._now(now_ms)
        rows = [self._day(symbol, forming.get(symbol, empty()), now_ms) for symbol in self.symbols]
        return Statistics(*np.array(rows).T)

    def _day(self, symbol: str, forming: Series, now_ms: int) -> tuple[float, float, float, float, float, float]:
        """Open, high, low, last, volume and turnover of one symbol."""
        past = self._past[symbol]
        first, last = np.searchsorted(past.open_time, [now_ms - DAY_MS, now_ms - self._length + 1])
        day = joined([past.take(slice(first, last)), forming])
        if not len(day):
            price = float(past.close[last - 1]) if last else math.nan
            nothing = 0.0 if last else math.nan
            return price, price, price, price, nothing, nothing
        turnover = float((day.volume * day.close).sum())
        high, low = float(day.high.max()), float(day.low.min())
        return float(day.open[0]), high, low, float(day.close[-1]), float(day.volume.sum()), turnover

    def _all_of(self, symbol: str) -> Series:
        """The finest candles known at each time."""
        older = self._warm[symbol]
        return joined([older[min(older)], self._fine[symbol]]) if older else self._fine[symbol]

    def _closed(self, symbol: str, timeframe: str) -> Series:
        """All whole candles of a timeframe, made once."""
        if (symbol, timeframe) not in self._bigger:
            length, fine = LENGTH_MS[timeframe], self._fine[symbol]
            whole = aggregate(fine, length)
            older = self._older(symbol, length).take
            before = self._older(symbol, length).open_time < whole.open_time[0]
            self._bigger[symbol, timeframe] = joined([older(before), whole])
        return self._bigger[symbol, timeframe]

    def _older(self, symbol: str, length: int) -> Series:
        """Warm-up candles: recorded in this timeframe, or built from the next shorter one that fits."""
        fitting = [coarse for coarse in self._warm[symbol] if coarse <= length and length % coarse == 0]
        return aggregate(self._warm[symbol][max(fitting)], length) if fitting else empty()

    def _forming(self, symbol: str, open_ms: int, length: int, now_ms: int) -> Series:
        """The candle that opened at `open_ms` as far as it has come; none when nothing was recorded yet."""
        fine = self._fine[symbol]
        over = fine.between(open_ms, now_ms - self._length)
        row = self._rows[symbol]
        return aggregate(joined([over, *self._parts([row], now_ms).values()]), length)

    def _now(self, now_ms: int) -> dict[str, Series]:
        """The forming candle of every symbol that has one."""
        return self._parts(range(len(self.symbols)), now_ms)

    def _parts(self, rows: Sequence[int], now_ms: int) -> dict[str, Series]:
        opened = open_time_of(now_ms, self._length)
        found = [(row, self._fine[self.symbols[row]].between(opened, opened)) for row in rows]
        found = [(row, candle) for row, candle in found if len(candle)]
        if not found:
            return {}
        which = np.array([row for row, _ in found])
        whole = Series(*(np.concatenate(column) for column in zip(*(c.columns() for _, c in found), strict=True)))
        draw = np.arange(inside.DRAWS) + opened // self._length * inside.DRAWS
        draws = noise.uniform(self._keys[which][:, None], np.broadcast_to(draw, (len(which), inside.DRAWS)))
        way = inside.paths(whole, draws, self._decimals[which])
        now = inside.part(whole, way, 0.0, now_ms % self._length / self._length, self._decimals[which])
        return {self.symbols[row]: now.take(slice(i, i + 1)) for i, row in enumerate(which)}

    def _listing(self, symbol: str) -> Listing:
        base, _, rest = symbol.partition("/")
        quote, _, settle = rest.partition(":")
        fine = self._fine[symbol]
        older = [int(series.open_time[0]) for series in self._warm[symbol].values()]
        listed = min([int(fine.open_time[0]), *older])
        size = _CONTRACT_SIZES.get(base) or 10.0 ** -round(math.log10(float(fine.close[0]) / 10))
        return Listing(symbol, base, quote, settle or None, _decimals(fine), listed, size if settle else 1.0)


def _decimals(candles: Series) -> int:
    """Decimals the recorded prices have."""
    prices = np.concatenate([candles.open, candles.high, candles.low, candles.close])
    for decimals in range(_MOST_DECIMALS):
        if (on_grid(prices, decimals) == prices).all():
            return decimals
    return _MOST_DECIMALS
