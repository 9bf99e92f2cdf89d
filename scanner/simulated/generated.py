"""The generated market as a source: which days to make, what to keep, and the candle that is still forming."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from scanner.core.candles import Float
from scanner.simulated import inside
from scanner.simulated.market import BASE_MS, COINS, PER_DAY, Block, Coin, Generator, coins_of
from scanner.simulated.source import Listing, Series, Statistics, aggregate, joined
from scanner.timeframes import DAY_MS, LENGTH_MS, open_time_of

_CHUNK_DAYS = {"1m": 1, "3m": 1, "5m": 1, "15m": 4, "30m": 8, "1h": 16, "2h": 32, "4h": 64, "6h": 64, "8h": 64}
_LONGEST_CHUNK_DAYS = 256
_KEPT_CHUNKS = 4096  # of about 15 kB
_KEPT_BLOCKS = 3  # days of all coins together


class GeneratedMarkets:
    """Every coin as spot pair and as swap, on the same candles.

    Parameters
    ----------
    seed : int
        Another seed, another history.
    markets : int
        Coins there are: the usual ones first, then synthetic ones, S0001/USDT and on.
    """

    timeframes = tuple(LENGTH_MS)

    def __init__(self, seed: int = 1, markets: int = len(COINS)) -> None:
        self._coins = coins_of(markets)
        self._generator = Generator(self._coins, seed)
        both = [coin.listings() for coin in self._coins]
        self._listings = tuple(spot for spot, _ in both) + tuple(swap for _, swap in both)
        self._position = {listing.symbol: i % len(both) for i, listing in enumerate(self._listings)}
        self._decimals = np.array([coin.decimals for coin in self._coins])[:, None]
        self._chunks: OrderedDict[tuple[int, str, int], Series] = OrderedDict()
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._closed_day: tuple[int, Statistics] | None = None

    @property
    def coins(self) -> Sequence[Coin]:
        return self._coins

    def listings(self) -> Sequence[Listing]:
        return self._listings

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int, now_ms: int) -> Series:
        """See `MarketSource.candles`."""
        market, length = self._position[symbol], LENGTH_MS[timeframe]
        newest = open_time_of(now_ms, length)
        last = min(end_ms, newest)
        if start_ms > last:
            return self._chunk(market, timeframe, max(newest, 0)).take(slice(0, 0))
        closed = self._closed(market, timeframe, max(start_ms, 0), min(last, newest - 1))
        return joined([closed, self._forming(market, newest, length, now_ms)]) if last == newest else closed

    def last_prices(self, now_ms: int) -> Float:
        """See `MarketSource.last_prices`."""
        return np.tile(self._now(now_ms).close, 2)

    def statistics_24h(self, now_ms: int) -> Statistics:
        """See `MarketSource.statistics_24h`: the last 288 closed 5m candles and the forming one."""
        index = now_ms // BASE_MS
        if self._closed_day is None or self._closed_day[0] != index:
            self._closed_day = index, self._statistics_of_closed(index)
        closed, forming = self._closed_day[1], self._now(now_ms)
        merged = (
            closed.open,
            np.maximum(closed.high, forming.high),
            np.minimum(closed.low, forming.low),
            forming.close,
            closed.volume + forming.volume,
            closed.turnover + forming.volume * forming.close,
        )
        return Statistics(*(np.tile(column, 2) for column in merged))

    def _statistics_of_closed(self, index: int) -> Statistics:
        """Statistics of the 288 candles before candle `index`."""
        day = index // PER_DAY
        first, second = self._block(day - 1), self._block(day)
        span = slice(index % PER_DAY, index % PER_DAY + PER_DAY)

        def column(name: str) -> Float:
            return np.concatenate([getattr(first, name), getattr(second, name)], axis=1)[:, span]

        volume, closed = column("volume"), column("close")
        return Statistics(
            column("open")[:, 0],
            column("high").max(axis=1),
            column("low").min(axis=1),
            closed[:, -1],
            volume.sum(axis=1),
            (volume * closed).sum(axis=1),
        )

    def _now(self, now_ms: int) -> Series:
        """The forming 5m candle of every coin; the rows are coins, not times."""
        index = now_ms // BASE_MS
        block = self._block(index // PER_DAY)
        at = index % PER_DAY
        columns = (block.open, block.high, block.low, block.close, block.volume)
        candles = Series(np.full(len(self._coins), index * BASE_MS), *(column[:, at] for column in columns))
        draws = self._generator.draws(np.arange(len(self._coins)), candles.open_time // BASE_MS, inside.DRAWS)
        way = inside.paths(candles, draws, self._decimals)
        return inside.part(candles, way, 0.0, _fraction(now_ms, BASE_MS), self._decimals)

    def _closed(self, market: int, timeframe: str, start_ms: int, end_ms: int) -> Series:
        """Whole candles that open from `start_ms` to `end_ms`, whether they are over or not."""
        span = _chunk_ms(timeframe)
        first = start_ms - start_ms % span
        return joined([self._chunk(market, timeframe, t) for t in range(first, end_ms + 1, span)]).between(
            start_ms, end_ms
        )

    def _forming(self, market: int, open_ms: int, length: int, now_ms: int) -> Series:
        """The candle that opened at `open_ms` as far as it has come."""
        base = "1m" if length % BASE_MS else "5m"
        newest = open_time_of(now_ms, LENGTH_MS[base])
        over = self._closed(market, base, open_ms, newest - 1)
        return aggregate(joined([over, self._forming_base(market, base, now_ms)]), length)

    def _forming_base(self, market: int, base: str, now_ms: int) -> Series:
        """The forming 5m candle, or the forming minute inside it."""
        index = now_ms // BASE_MS
        whole = self._closed(market, "5m", index * BASE_MS, index * BASE_MS)
        begin = 0 if base == "5m" else open_time_of(now_ms, LENGTH_MS["1m"])
        way = self._paths(market, whole)
        decimals = self._coins[market].decimals
        now = inside.part(whole, way, _fraction(begin, BASE_MS), _fraction(now_ms, BASE_MS), decimals)
        return Series(np.array([open_time_of(now_ms, LENGTH_MS[base])]), *now.columns()[1:])

    def _chunk(self, market: int, timeframe: str, moment_ms: int) -> Series:
        """All candles of the stretch of days that holds `moment_ms`, made once and kept."""
        span = _chunk_ms(timeframe)
        wanted = market, timeframe, moment_ms // span
        if wanted in self._chunks:
            self._chunks.move_to_end(wanted)
            return self._chunks[wanted]
        made = self._made(market, timeframe, moment_ms // span * (span // DAY_MS), span // DAY_MS)
        self._chunks[wanted] = made
        if len(self._chunks) > _KEPT_CHUNKS:
            self._chunks.popitem(last=False)
        return made

    def _made(self, market: int, timeframe: str, first_day: int, days: int) -> Series:
        base = self._generator.days([market], first_day, days).row(0)
        length = LENGTH_MS[timeframe]
        if length == BASE_MS:
            return base
        if length % BASE_MS == 0:
            return aggregate(base, length)
        minutes = inside.split(base, self._paths(market, base), 5, BASE_MS, self._coins[market].decimals)
        return aggregate(minutes, length)

    def _paths(self, market: int, candles: Series) -> inside.Paths:
        index = candles.open_time // BASE_MS
        draws = self._generator.draws(np.full(len(candles), market), index, inside.DRAWS)
        return inside.paths(candles, draws, self._coins[market].decimals)

    def _block(self, day: int) -> Block:
        """One day of all coins, made once and kept for a while."""
        if day not in self._blocks:
            self._blocks[day] = self._generator.days(range(len(self._coins)), day, 1)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[day]


def _chunk_ms(timeframe: str) -> int:
    return _CHUNK_DAYS.get(timeframe, _LONGEST_CHUNK_DAYS) * DAY_MS


def _fraction(moment_ms: int, length: int) -> float:
    return (moment_ms % length) / length
