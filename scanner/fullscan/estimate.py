"""What the combined score of many markets will come to, without a close look at any: numpy over all of them at once.

The formulas are those of `scores`. Smoothed indicators begin 100 candles back instead of with the market, so that an
RSI may fall on the other side of a bound; otherwise the estimate is the score. Of 1,000 generated markets with 500
candles the ten best were the estimate's first ten on 5m, 1h, 4h and 1d; the median error was at most 0.01 and 19 of 20
were below 0.1. On 100 candles the tenth best ranked up to 30th: `python -m benchmarks.bench_shortlist --markets 1000`.
"""

from __future__ import annotations

import numpy as np

from scanner.config import WINDOW
from scanner.core.candles import Bool, Candles, Float
from scanner.core.indicators import rsi
from scanner.core.windows import SoundCandles, sound
from scanner.fullscan.indicators import DIVERGENCE, ICHIMOKU
from scanner.fullscan.scores import COMPOSITE, OPPORTUNITY, STRENGTH, VOLUME
from scanner.fullscan.settings import TimeframePlan, TradingConfig

ADX = 14


def estimated_scores(windows: Candles, plan: TimeframePlan, config: TradingConfig) -> Float:
    """The combined scores to expect.

    Parameters
    ----------
    windows : Candles of float64[M, W]
        NaN in front of a young market. All of it makes the volume profile, which wants the candles that the close look
        will have; the newest 100 make everything else.

    Returns
    -------
    float64[M]
        0..100, about; -inf for a market too young for the plan, or with a value that no candle can have.
    """
    candles = sound(windows)
    with np.errstate(all="ignore"):
        profile = _profile(windows.close, windows.volume, config.volume_profile_bins)
        total = _Terms(candles, profile, plan, config).combined()
    return np.where(candles.count >= min(plan.base, WINDOW), np.nan_to_num(total), -np.inf)


class _Terms:
    """The indicators of every market as float64[M], named as in `scores`."""

    def __init__(
        self, candles: SoundCandles, profile: tuple[Float, Float], plan: TimeframePlan, config: TradingConfig
    ) -> None:
        self.candles, close, volume = candles, candles.close, candles.volume
        self.heaviest, self.poc = profile
        self.ms, self.ml = _momentum(close, plan.short), _momentum(close, plan.long)
        self.rsi = rsi(close, config.rsi_period)
        earlier = rsi(close[:, :-DIVERGENCE], config.rsi_period)
        self.diverges = (close[:, -1] > close[:, -1 - DIVERGENCE]) & (self.rsi < earlier)
        self.macd = _macd(close, **config.macd_params)
        before = volume[:, -21:-1].mean(axis=1)
        self.vr = np.where(before > 0, volume[:, -1] / before, 1.0)
        self.ts = _trend(candles)

    def combined(self) -> Float:
        return np.asarray(
            OPPORTUNITY * self.opportunity()
            + COMPOSITE * self.composite()
            + VOLUME * self.volume()
            + STRENGTH * self.strength()
        )

    def opportunity(self) -> Float:
        ml, k, bb = self.ml, _stochastic(self.candles), _band_position(self.candles.close)
        low_k = np.where(ml > 0, 1.0, 0.3)
        total = (
            0.25 * _step(self.rsi, (30, 0.3), (45, 1.0), (55, 0.8), (70, 0.5), above=0.2)
            + 0.20 * _step(bb, (0.3, 1.0), (0.5, 0.9), (0.7, 0.6), above=0.2)
            + 0.15 * _step(k, (20, low_k), (40, 0.9), (60, 0.7), (80, 0.4), above=0.1)
            + 0.15 * self._momentum_factor()
            + 0.10 * self._volume_factor()
            + 0.10 * _unit(self.ts / 10)
            + 0.05 * self._macd_factor()
        )
        return 100 * _unit(total) * np.where(self.diverges, 0.5, 1.0)

    def _momentum_factor(self) -> Float:
        ms, up, down = self.ms, self.ml > 0.001, self.ml < -0.001
        cases = [up & (ms > -0.005) & (ms < 0.002), up & (ms > 0.005), up, down & (ms > -0.002) & (ms < 0.005)]
        return np.select(cases, [1.0, 0.4, 0.6, 1.0], 0.5)

    def _volume_factor(self) -> Float:
        busy = np.where(self.rsi < 55, 1.0, 0.3)
        return np.select([self.vr > 1.5, self.vr > 1.2, self.vr > 0.8], [busy, 0.8, 0.6], 0.4)

    def _macd_factor(self) -> Float:
        macd = self.macd
        cases = [(self.ml > 0) & (macd > -0.5) & (macd < 0), (macd > 0) & (macd < 2), macd > 0]
        return np.select(cases, [1.0, 0.7, 0.3], 0.5)

    def composite(self) -> Float:
        total = (
            0.20 * _unit(1000 * abs(self.ms))
            + 0.15 * _unit(500 * abs(self.ml))
            + 0.20 * _unit(abs(self.rsi - 50) / 30)
            + 0.15 * _unit(50 * abs(self.macd))
            + 0.20 * _unit(self.ts / 10)
            + 0.10 * _unit((self.vr - 1) / 1.5)
            + 0.10 * _cloud(self.candles)
        )
        return 100 * _unit(total)

    def volume(self) -> Float:
        distance = (self.candles.close[:, -1] - self.poc) / self.poc
        near = np.nan_to_num(_unit(1 - abs(distance) / 0.05))
        return 100 * _unit(0.5 * _unit((self.vr - 1) / 1.5) + 0.3 * self.heaviest + 0.2 * near)

    def strength(self) -> Float:
        rsi_, macd = self.rsi, self.macd
        moved = np.minimum(1000 * abs(self.ms), 15) + np.minimum(500 * abs(self.ml), 15)
        total = 50 + np.where((self.ms > 0) & (self.ml > 0), moved, -moved)
        total += np.select([(rsi_ > 40) & (rsi_ < 60), (rsi_ > 70) | (rsi_ < 30)], [5.0, -10.0], 0.0)
        total += np.minimum(50 * abs(macd), 10) * np.where(macd > 0, 1, -1)
        total += np.select([self.vr > 1.2, self.vr < 0.8], [5.0, -3.0], 0.0)
        return np.asarray(np.clip(total, 0, 100))


def _unit(values: Float) -> Float:
    return np.clip(values, 0.0, 1.0)


def _step(values: Float, *steps: tuple[float, float | Float], above: float) -> Float:
    """As `scores._step`; 0.5 where a value is missing."""
    found = np.select([values < bound for bound, _ in steps], [result for _, result in steps], above)
    return np.where(np.isnan(values), 0.5, found)


def _momentum(close: Float, period: int) -> Float:
    return np.asarray(close[:, -1] / close[:, -1 - min(period, close.shape[1] - 1)] - 1)


def _smoothed(values: Float, share: float) -> Float:
    """Exponential means along the candles, [M, W]; begins at the first candle."""
    means = values.T.copy()  # one candle of every market is one row
    for place in range(1, len(means)):
        means[place] = means[place - 1] + share * (means[place] - means[place - 1])
    return means.T


def _macd(close: Float, fast: int = 12, slow: int = 26, signal: int = 9) -> Float:
    line = _smoothed(close, 2 / (fast + 1)) - _smoothed(close, 2 / (slow + 1))
    return np.asarray((line - _smoothed(line, 2 / (signal + 1)))[:, -1])


def _band_position(close: Float) -> Float:
    """Between the Bollinger bands: 0 lower, 1 upper; 0.5 where they meet."""
    recent = close[:, -20:]
    reach = 2 * recent.std(axis=1)
    return np.where(reach > 0, (close[:, -1] - recent.mean(axis=1) + reach) / (2 * reach), 0.5)


def _stochastic(candles: Candles) -> Float:
    low, high = candles.low[:, -14:].min(axis=1), candles.high[:, -14:].max(axis=1)
    return np.where(high > low, 100 * (candles.close[:, -1] - low) / (high - low), np.nan)


def _trend(candles: Candles) -> Float:
    """As `indicators.trend_score`."""
    close = candles.close
    mean = _smoothed(close, 2 / 22)
    rising = (np.clip(50 * (mean[:, -1] / mean[:, -21] - 1), -1, 1) + 1) / 2
    before, now = close[:, -21:-1], close[:, -1]
    broke = np.select([now > before.max(axis=1), now < before.min(axis=1)], [1.0, 0.0], 0.5)
    return 10 * (0.4 * rising + 0.4 * _unit(_adx(candles) / 50) + 0.2 * broke)


def _adx(candles: Candles) -> Float:
    """Average directional index at the newest candle; 0 where nothing moves."""
    high, low, before = candles.high, candles.low, candles.close[:, :-1]
    up, down = np.diff(high), -np.diff(low)
    ranged = np.maximum(high[:, 1:], before) - np.minimum(low[:, 1:], before)
    plus, minus, true_range = (
        _smoothed(moves, 1 / ADX)
        for moves in (np.where((up > down) & (up > 0), up, 0.0), np.where((down > up) & (down > 0), down, 0.0), ranged)
    )
    sums = np.where(true_range > 0, plus + minus, 0.0)
    directed = np.where(sums > 0, 100 * abs(plus - minus) / np.where(sums > 0, sums, 1.0), 0.0)
    return np.asarray(_smoothed(directed, 1 / ADX)[:, -1])


def _cloud(candles: Candles) -> Bool:
    """As `indicators.ichimoku_bullish`."""
    short, middle, long = ICHIMOKU
    now, before = candles, Candles(*(column[:, :-middle] for column in candles.columns()))
    tenkan, kijun = _middle(now, short), _middle(now, middle)
    span_a, span_b = (_middle(before, short) + _middle(before, middle)) / 2, _middle(before, long)
    price = candles.close[:, -1]
    return np.asarray((price > span_a) & (price > span_b) & (tenkan > kijun) & (span_a > span_b))


def _middle(candles: Candles, count: int) -> Float:
    return np.asarray((candles.high[:, -count:].max(axis=1) + candles.low[:, -count:].min(axis=1)) / 2)


def _profile(close: Float, volume: Float, edges: int) -> tuple[Float, Float]:
    """Share of the heaviest price in all volume, and that price (NaN: nothing traded), as in `profile`."""
    markets, bins = len(close), edges - 1
    known = (close > 0) & (volume >= 0) & np.isfinite(close + volume)
    low = close.min(axis=1, initial=np.inf, where=known)
    width = (close.max(axis=1, initial=0.0, where=known) - low) / bins
    place = np.where(known & (width[:, None] > 0), (close - low[:, None]) / width[:, None], 0.0)
    flat = np.minimum(place.astype(np.int64), bins - 1) + bins * np.arange(markets)[:, None]
    weights = np.where(known, volume, 0.0)
    traded = np.bincount(flat.ravel(), weights=weights.ravel(), minlength=markets * bins).reshape(markets, bins)
    total = traded.sum(axis=1)
    share = np.where(total > 0, traded.max(axis=1) / np.where(total > 0, total, 1.0), 0.0)
    return share, np.where(total > 0, low + (traded.argmax(axis=1) + 0.5) * width, np.nan)
