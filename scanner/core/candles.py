"""Candles as a struct of arrays, time along the last axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Small = NDArray[np.int8]  # a sign, or an index into a tuple of names
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Candles:
    """OHLCV of many windows at once.

    Each field is float64[..., W], oldest candle first, time last. A candle that does not exist (before a listing,
    say) is NaN in every field; such candles can only stand at the front of a window. Volume is in base currency.
    """

    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float

    @property
    def shape(self) -> tuple[int, ...]:
        return self.close.shape

    def last(self, count: int) -> Candles:
        """The newest `count` candles of every window, as views."""
        return Candles(*(column[..., -count:] for column in self.columns()))

    def windows(self, length: int) -> Candles:
        """Every run of `length` candles: [..., T] becomes [..., T - length + 1, length], as views."""
        return Candles(*(sliding_window_view(column, length, axis=-1) for column in self.columns()))

    def rows(self, index: object) -> Candles:
        """The chosen windows: `index` applies to the leading axes."""
        return Candles(*(column[index] for column in self.columns()))  # type: ignore[call-overload]

    def columns(self) -> tuple[Float, Float, Float, Float, Float]:
        return self.open, self.high, self.low, self.close, self.volume
