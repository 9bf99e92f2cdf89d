"""Indicators of one market as columns, with `ta` as the engine.

Everything is causal: the value of a row follows from that row and those before it, so a row of the past shows what a
scan would have seen then. Missing is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ta.momentum import RSIIndicator, StochasticOscillator
from ta.trend import MACD, ADXIndicator, EMAIndicator, IchimokuIndicator, SMAIndicator
from ta.volatility import AverageTrueRange, BollingerBands
from ta.volume import OnBalanceVolumeIndicator

from scanner.core.candles import Float

EMAS = (5, 9, 13, 20, 21, 50, 200)
SMAS = (20, 50)
ICHIMOKU = (9, 26, 52)
DIVERGENCE = 9  # candles back to the other end of a divergence
_MACD = {"fast": 12, "slow": 26, "signal": 9}


class TechnicalIndicators:
    """The indicators one by one: prices and volumes in as Series, oldest first, Series of the same index out."""

    @staticmethod
    def rsi(close: pd.Series, period: int = 14) -> pd.Series:
        """Wilder's RSI, 0..100; 50 as long as the price has not moved at all."""
        values: pd.Series = RSIIndicator(close, period).rsi()
        still = close.diff().fillna(0.0).abs().cumsum() == 0
        return values.mask(still & values.notna(), 50.0)

    @staticmethod
    def macd(close: pd.Series, fast: int = 12, slow: int = 26, signal: int = 9) -> pd.Series:
        """MACD line less its signal line, in price units."""
        values: pd.Series = MACD(close, window_slow=slow, window_fast=fast, window_sign=signal).macd_diff()
        return values

    @staticmethod
    def adx(high: pd.Series, low: pd.Series, close: pd.Series, period: int = 14) -> pd.Series:
        """Average directional index, 0..100; NaN for the first 2 * period - 1 rows, where `ta` says 0."""
        if len(close) < 2 * period:  # `ta` fails
            return pd.Series(np.nan, index=close.index)
        with np.errstate(all="ignore"):
            values: pd.Series = ADXIndicator(high, low, close, period).adx()
        return values.mask(np.arange(len(close)) < 2 * period - 1)

    @staticmethod
    def atr(high: pd.Series, low: pd.Series, close: pd.Series, period: int = 14) -> pd.Series:
        """Average true range in price units; NaN for the first period - 1 rows, where `ta` says 0."""
        if len(close) < period:
            return pd.Series(np.nan, index=close.index)
        values: pd.Series = AverageTrueRange(high, low, close, period).average_true_range()
        return values.mask(np.arange(len(close)) < period - 1)

    @staticmethod
    def bollinger(close: pd.Series, period: int = 20, width: float = 2.0) -> tuple[pd.Series, pd.Series]:
        """Lower and upper band (population standard deviation)."""
        bands = BollingerBands(close, period, width)
        return bands.bollinger_lband(), bands.bollinger_hband()

    @staticmethod
    def stochastic(
        high: pd.Series, low: pd.Series, close: pd.Series, period: int = 14, smooth: int = 3
    ) -> tuple[pd.Series, pd.Series]:
        """%K and %D, 0..100; NaN where the range is empty."""
        oscillator = StochasticOscillator(high, low, close, period, smooth)
        return oscillator.stoch().replace([np.inf, -np.inf], np.nan), oscillator.stoch_signal()

    @staticmethod
    def ema(close: pd.Series, period: int) -> pd.Series:
        """Exponential mean; NaN for the first period - 1 rows."""
        values: pd.Series = EMAIndicator(close, period).ema_indicator()
        return values

    @staticmethod
    def sma(close: pd.Series, period: int) -> pd.Series:
        """Simple mean; NaN for the first period - 1 rows."""
        values: pd.Series = SMAIndicator(close, period).sma_indicator()
        return values

    @staticmethod
    def obv(close: pd.Series, volume: pd.Series) -> pd.Series:
        """On-balance volume."""
        values: pd.Series = OnBalanceVolumeIndicator(close, volume).on_balance_volume()
        return values

    @staticmethod
    def ichimoku(high: pd.Series, low: pd.Series) -> pd.DataFrame:
        """Columns tenkan, kijun, span_a, span_b; the spans stand where they are drawn, 26 candles on."""
        lines = IchimokuIndicator(high, low, *ICHIMOKU)
        shift, span_b = ICHIMOKU[1], lines.ichimoku_b()
        span_b = span_b.mask(np.arange(len(high)) < ICHIMOKU[2] - 1)  # `ta` begins with fewer candles
        return pd.DataFrame(
            {
                "tenkan": lines.ichimoku_conversion_line(),
                "kijun": lines.ichimoku_base_line(),
                "span_a": lines.ichimoku_a().shift(shift),
                "span_b": span_b.shift(shift),
            }
        )

    @staticmethod
    def vwap(high: pd.Series, low: pd.Series, close: pd.Series, volume: pd.Series) -> pd.Series:
        """Volume-weighted mean of the typical price since the first row; NaN before anything was traded."""
        traded = volume.cumsum()
        return ((high + low + close) / 3 * volume).cumsum() / traded.where(traded > 0)

    @staticmethod
    def volume_ratio(volume: pd.Series, period: int = 20) -> pd.Series:
        """Volume over the mean of the `period` candles before; 1 where there are too few or nothing was traded."""
        before = volume.shift(1).rolling(period).mean()
        ratio = volume / before.where(before > 0)
        return ratio.where(np.arange(len(volume)) > period).fillna(1.0)

    @staticmethod
    def bearish_divergence(close: pd.Series, rsi: pd.Series) -> pd.Series:
        """Whether the price stands above where it was 9 candles ago and the RSI below."""
        higher = close > close.shift(DIVERGENCE)
        return higher & (rsi < rsi.shift(DIVERGENCE)) & (np.arange(len(close)) >= 11)


@dataclass(frozen=True)
class Columns:
    """Which columns `with_indicators` adds, and their look-backs."""

    short: int
    long: int
    rsi_period: int = 14
    macd: Mapping[str, int] | None = None


def with_indicators(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """A frame of candles with every indicator of a scan beside them.

    Parameters
    ----------
    frame : DataFrame
        open, high, low, close, volume; oldest first, finite, prices above 0.

    Returns
    -------
    DataFrame
        New; the given one stays as it is.
    """
    high, low, close, volume = (frame[name] for name in ("high", "low", "close", "volume"))
    indicators = TechnicalIndicators
    rsi = indicators.rsi(close, columns.rsi_period)
    lower, upper = indicators.bollinger(close)
    stoch_k, stoch_d = indicators.stochastic(high, low, close)
    found = {
        "momentum_short": close / close.shift(columns.short) - 1,
        "momentum_long": close / close.shift(columns.long) - 1,
        "momentum_7": close / close.shift(7) - 1,
        "momentum_30": close / close.shift(30) - 1,
        "rsi": rsi,
        "macd": indicators.macd(close, **(columns.macd or _MACD)),
        "adx": indicators.adx(high, low, close),
        "atr": indicators.atr(high, low, close),
        "bb_lower": lower,
        "bb_upper": upper,
        "bb_position": bb_position(close, lower, upper),
        "stoch_k": stoch_k,
        "stoch_d": stoch_d,
        "vwap": indicators.vwap(high, low, close, volume),
        "volume_ratio": indicators.volume_ratio(volume),
        "rsi_bearish_div": indicators.bearish_divergence(close, rsi),
        **{f"ema_{period}": indicators.ema(close, period) for period in EMAS},
        **{f"sma_{period}": indicators.sma(close, period) for period in SMAS},
    }
    cloud = indicators.ichimoku(high, low)
    found["ichimoku_bullish"] = ichimoku_bullish(close, cloud)
    return pd.concat([frame, pd.DataFrame(found, index=frame.index), cloud], axis=1)


def bb_position(close: pd.Series, lower: pd.Series, upper: pd.Series) -> pd.Series:
    """Where the price stands between the bands: 0 lower, 1 upper, unbounded; 0.5 where they meet."""
    width = upper - lower
    position = (close - lower) / width.where(width > 0)
    return position.mask(width == 0, 0.5)


def ichimoku_bullish(close: pd.Series, cloud: pd.DataFrame) -> pd.Series:
    """Whether the price is above a green cloud with tenkan above kijun; false while any line is missing."""
    above = (close > cloud["span_a"]) & (close > cloud["span_b"])
    return above & (cloud["tenkan"] > cloud["kijun"]) & (cloud["span_a"] > cloud["span_b"])


def trend_score(frame: pd.DataFrame) -> float:
    """How clearly the newest row trends upwards, 0..10.

    Four tenths the slope of the 21-candle mean, four tenths the ADX, two tenths a break out of the last 20 candles.
    0 below 23 rows.
    """
    if len(frame) < 23:
        return 0.0
    close = frame["close"]
    mean: Float = EMAIndicator(close, 21, fillna=True).ema_indicator().to_numpy(dtype=np.float64)
    slope = (mean[-1] - mean[-21]) / abs(mean[-21])
    rising = (min(max(50 * slope, -1.0), 1.0) + 1) / 2
    adx = float(frame["adx"].iloc[-1])
    strong = 0.0 if np.isnan(adx) else min(adx / 50, 1.0)
    return round(10 * float(0.4 * rising + 0.4 * strong + 0.2 * breakout(close.to_numpy(dtype=np.float64))), 2)


def breakout(close: Float) -> float:
    """1 above the 20 closes before, 0 below them all, else 0.5."""
    before, now = close[-21:-1], close[-1]
    return 1.0 if now > before.max() else 0.0 if now < before.min() else 0.5
