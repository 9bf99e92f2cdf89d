"""A generated market: seeded candles as a function of symbol and time alone.

Any candle of any day can be made without the ones before it, so two runs agree on history whenever they were started.
Prices run between slowly moving daily levels on a bridge whose volatility clusters; a common factor moves all markets
together; volume goes with the size of the move; planted episodes (see `episodes`) bend price and volume on schedule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanner.core.candles import Bool, Float, Int
from scanner.simulated import episodes, noise
from scanner.simulated.source import Listing, Series, on_grid
from scanner.timeframes import DAY_MS, LENGTH_MS

BASE_MS = LENGTH_MS["5m"]
PER_DAY = DAY_MS // BASE_MS
LISTED_MS = 1_577_836_800_000  # 2020-01-01; every coin starts then

_LEVEL_PERIODS = (256, 64, 16, 4, 1)  # days; each adds movement in proportion to the square root of its length
_SHARED = 0.6  # how much of a market's moves is the common factor's
_SCRIPTED_CALM = 0.05  # volatility while an episode plays, as a share of the usual


@dataclass(frozen=True)
class Coin:
    """What makes one generated market: its level, how much it moves and trades, and its episodes."""

    base: str
    level: float  # quote currency
    decimals: int  # of a price
    contract_size: float  # base currency
    volatility: float  # standard deviation of a 5m return
    turnover: float  # quote currency in an average 5 minutes
    stretch: int = 12  # 5m candles that one step of an episode takes; 1 is an episode of the 5m timeframe
    silent: float = 0.0  # share of 5m candles without a trade

    def listings(self) -> tuple[Listing, Listing]:
        """The coin as spot pair and as swap."""
        spot = Listing(f"{self.base}/USDT", self.base, "USDT", None, self.decimals, LISTED_MS)
        swap = Listing(
            f"{self.base}/USDT:USDT", self.base, "USDT", "USDT", self.decimals, LISTED_MS, self.contract_size
        )
        return spot, swap


COINS = (
    Coin("BTC", 90_000, 2, 0.001, 0.0010, 5_000_000, 1),
    Coin("ETH", 3_050, 2, 0.01, 0.0013, 3_000_000, 1),
    Coin("SOL", 127, 3, 0.1, 0.0016, 1_200_000, 1),
    Coin("BNB", 865, 2, 0.01, 0.0012, 800_000, 1),
    Coin("XRP", 1.936, 4, 10, 0.0016, 900_000, 1),
    Coin("ADA", 0.3712, 5, 10, 0.0017, 300_000, 1),
    Coin("DOGE", 0.1328, 5, 100, 0.0018, 500_000, 1),
    Coin("DOT", 1.823, 4, 1, 0.0018, 120_000, 1),
    Coin("LINK", 12.71, 3, 0.1, 0.0017, 200_000, 1),
    Coin("POL", 0.1089, 5, 10, 0.0018, 90_000, 12),
    Coin("PEPE", 3.994e-06, 10, 520_000, 0.0026, 250_000, 12),
    Coin("WIF", 0.3398, 4, 10, 0.0027, 60_000, 12),
    Coin("BONK", 8.203e-06, 9, 100_000, 0.0026, 50_000, 12),
    Coin("INJ", 4.71, 3, 0.1, 0.0021, 40_000, 12),
    Coin("SUI", 1.462, 4, 1, 0.0021, 200_000, 12),
    Coin("OP", 0.2755, 4, 1, 0.0023, 35_000, 12),
    Coin("ARB", 0.1912, 4, 1, 0.0022, 45_000, 48),
    Coin("FET", 0.2094, 4, 1, 0.0024, 30_000, 48),
    Coin("JUV", 0.641, 3, 1, 0.0020, 1_500, 48, 0.06),
    Coin("VIDT", 0.00153, 6, 100, 0.0030, 900, 12, 0.10),
    Coin("SYS", 0.0281, 5, 10, 0.0026, 1_200, 288, 0.08),
    Coin("QNT", 131.2, 1, 0.01, 0.0024, 800, 288, 0.15),
)

_STRETCHES = (12, 48, 288, 12, 48, 12)


def synthetic(count: int) -> tuple[Coin, ...]:
    """`count` coins named S0001 and so on."""
    return tuple(
        Coin(
            f"S{i:04}",
            level=float(f"{3.7 * 10.0 ** (i % 7 - 3):.4g}"),
            decimals=7 - i % 7,
            contract_size=10.0 ** (2 - i % 4),
            volatility=0.0012 + 0.0002 * (i % 9),
            turnover=500.0 * 2 ** (i % 11),
            stretch=_STRETCHES[i % len(_STRETCHES)],
            silent=0.05 if i % 11 == 0 else 0.0,
        )
        for i in range(1, count + 1)
    )


def coins_of(count: int) -> tuple[Coin, ...]:
    """The first `count` of the usual coins, and synthetic ones when there are not that many."""
    return COINS[:count] + synthetic(count - len(COINS))


@dataclass(frozen=True)
class Block:
    """5m candles of many coins over whole days: float64[M, days * 288]; `first` is the index of the first candle."""

    first: int
    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float

    def row(self, market: int) -> Series:
        """One coin's candles."""
        open_time = (self.first + np.arange(self.close.shape[1])) * BASE_MS
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Series(open_time, *(column[market] for column in columns))


class Generator:
    """Candles of a tuple of coins, in whole days."""

    def __init__(self, coins: Sequence[Coin], seed: int) -> None:
        self._coins = list(coins)
        self._common = {name: noise.key(seed, "common", name) for name in ("step", "heat", "level")}
        self._keys = {
            name: np.array([noise.key(seed, coin.base, name) for coin in coins], np.uint64)
            for name in ("step", "heat", "level", "wick", "volume", "silence", "path")
        }

    def days(self, markets: Sequence[int], first_day: int, count: int) -> Block:
        """All candles of `count` days since the epoch's day `first_day`, of the coins at these positions."""
        coins = _Columns([self._coins[i] for i in markets], np.asarray(markets))
        keys = {name: values[np.asarray(markets)][:, None, None] for name, values in self._keys.items()}
        candle = np.arange(first_day * PER_DAY, (first_day + count) * PER_DAY).reshape(1, count, PER_DAY)
        scripted, busy = episodes.in_candles(candle, coins.place, coins.stretch)  # [M, D, 288]
        heat = self._heat(keys, candle)
        sigma = coins.volatility * np.where(scripted, _SCRIPTED_CALM, heat)
        own, spare = noise.normals(keys["step"], candle)
        common, _ = noise.normals(self._common["step"], candle)
        shock = _SHARED * common + np.sqrt(1 - _SHARED**2) * own * (0.75 + 0.3 * np.abs(spare))
        silent = self._silent(keys, coins, candle) & ~scripted
        boundary = self._boundaries(keys, coins, candle, sigma, shock)  # [M, D, 289]
        opened, closed = _silenced(boundary, silent)
        high, low = self._wicks(keys, coins, candle, np.where(silent, 0.0, sigma), opened, closed)
        volume = on_grid(self._volume(keys, coins, candle, heat, shock, scripted) * busy, coins.volume_decimals)
        volume = np.where(silent, 0.0, volume)
        flat = (len(markets), count * PER_DAY)
        return Block(int(candle[0, 0, 0]), *(x.reshape(flat) for x in (opened, high, low, closed, volume)))

    def draws(self, markets: NDArray[np.intp], candle: Int, count: int) -> Float:
        """Uniform numbers for the paths inside candles: float64[N, count] for N pairs of coin and candle index."""
        index = candle[:, None] * count + np.arange(count)
        return noise.uniform(self._keys["path"][markets][:, None], index)

    def _heat(self, keys: dict[str, noise.Keys], candle: Int) -> Float:
        """How lively trading is, around 1: time of day, common and own swings of hours and days."""
        hours = 2 * np.pi * (candle % PER_DAY) / PER_DAY
        day_pattern = 1 + 0.3 * np.cos(hours - 2 * np.pi * 15 / 24)  # liveliest at 15:00 UTC
        swings = 0.2 * noise.slow(self._common["heat"], candle, 60) + 0.2 * noise.slow(keys["heat"], candle, 24)
        return np.asarray(day_pattern * np.exp(swings + 0.15 * noise.slow(keys["heat"] + noise.key(1), candle, 288)))

    def _boundaries(
        self, keys: dict[str, noise.Keys], coins: _Columns, candle: Int, sigma: Float, shock: Float
    ) -> Float:
        """Prices at the ends of all candles, float64[M, D, 289], on the grid of the coin's decimals."""
        edge = np.append(candle[0, :, 0], candle[0, -1, -1] + 1) // PER_DAY  # [D + 1]
        level = self._levels(keys["level"][:, 0], coins.volatility[:, 0], edge)  # [M, D + 1]
        step = sigma * shock
        walk = np.cumsum(step, axis=-1)
        share = np.cumsum(sigma**2, axis=-1)
        share /= share[..., -1:]  # a bridge gives way where there is movement, so that calm stays calm
        drift = (level[:, 1:] - level[:, :-1])[..., None] - walk[..., -1:]
        path = np.concatenate([level[:, :-1, None], level[:, :-1, None] + walk + share * drift], axis=-1)
        path[..., -1] = level[:, 1:]
        boundary = np.concatenate([candle, candle[..., -1:] + 1], axis=-1)
        price = coins.level * np.exp(path) * episodes.at_boundaries(boundary, coins.place, coins.stretch)
        return np.asarray(np.maximum(on_grid(price, coins.decimals), 10.0**-coins.decimals))

    def _levels(self, keys: noise.Keys, volatility: Float, day: Int) -> Float:
        """Logarithm of the price at the start of each day against the coin's level, float64[M, D]."""
        total: Float = np.zeros((len(keys), len(day)))
        for period in _LEVEL_PERIODS:
            both = _SHARED * noise.slow(self._common["level"], day, period) + 0.8 * noise.slow(keys, day, period)
            total += 0.35 * math.sqrt(period * PER_DAY) * both
        bounded = np.minimum(volatility, 0.0018)  # the liveliest coins would leave their order of magnitude
        return np.asarray(total * bounded)

    def _silent(self, keys: dict[str, noise.Keys], coins: _Columns, candle: Int) -> Bool:
        """Candles nobody trades; never at the ends of a day, so that each day stands alone."""
        if not coins.silent.any():
            return np.zeros((len(coins.silent), *candle.shape[1:]), np.bool_)
        inside = (candle % PER_DAY > 0) & (candle % PER_DAY < PER_DAY - 1)
        return np.asarray((noise.uniform(keys["silence"], candle) < coins.silent) & inside)

    def _wicks(
        self, keys: dict[str, noise.Keys], coins: _Columns, candle: Int, sigma: Float, opened: Float, closed: Float
    ) -> tuple[Float, Float]:
        up, down = noise.normals(keys["wick"], candle)
        reach = np.maximum(0.45 * sigma, 0.12 * np.abs(closed / opened - 1))
        top, bottom = np.maximum(opened, closed), np.minimum(opened, closed)
        high = on_grid(top * (1 + reach * np.abs(up)), coins.decimals)
        low = on_grid(bottom * (1 - np.minimum(reach * np.abs(down), 0.5)), coins.decimals)
        return np.maximum(high, top), np.minimum(np.maximum(low, 10.0**-coins.decimals), bottom)

    def _volume(
        self, keys: dict[str, noise.Keys], coins: _Columns, candle: Int, heat: Float, shock: Float, scripted: Bool
    ) -> Float:
        """Base currency traded; while an episode plays it is the script's, but for half a percent."""
        wobble, _ = noise.normals(keys["volume"], candle)
        usual = heat * (0.5 + 0.6 * np.abs(shock)) * np.exp(0.35 * wobble)
        return np.asarray(coins.volume * np.where(scripted, np.exp(0.005 * wobble), usual))


class _Columns:
    """Facts of M coins as arrays [M, 1, 1], to meet [M, days, candles]."""

    def __init__(self, coins: Sequence[Coin], place: Int) -> None:
        def column(values: Sequence[float], kind: type = np.float64) -> NDArray[np.generic]:
            return np.array(values, kind)[:, None, None]

        self.place: Int = place[:, None, None].astype(np.int64)
        self.stretch: Int = column([coin.stretch for coin in coins], np.int64)  # type: ignore[assignment]
        self.decimals: Int = column([coin.decimals for coin in coins], np.int64)  # type: ignore[assignment]
        self.level: Float = column([coin.level for coin in coins])  # type: ignore[assignment]
        self.volatility: Float = column([coin.volatility for coin in coins])  # type: ignore[assignment]
        self.silent: Float = column([coin.silent for coin in coins])  # type: ignore[assignment]
        self.volume: Float = column([coin.turnover / coin.level for coin in coins])  # type: ignore[assignment]
        self.volume_decimals: Int = np.maximum(0, 5 - np.floor(np.log10(self.volume))).astype(np.int64)


def _silenced(boundary: Float, silent: Bool) -> tuple[Float, Float]:
    """Opens and closes, where a silent candle stays at the last traded close; each [M, D, 288]."""
    closed = boundary[..., 1:]
    if silent.any():
        latest = np.maximum.accumulate(np.where(silent, 0, np.arange(PER_DAY)), axis=-1)
        closed = np.take_along_axis(closed, latest, axis=-1)
    return np.concatenate([boundary[..., :1], closed[..., :-1]], axis=-1), closed
