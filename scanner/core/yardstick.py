"""What a move is worth: the one difference between the two forms of scoring.

``absolute`` takes a move as the fraction it is. ``calibrated`` counts it in standard deviations of the market's own
returns, and restates each as a fixed percentage, so that the same formulas and thresholds apply afterwards::

    worth of a move = move * one_sigma / (sigma * sqrt(n))

with sigma the volatility per candle over the window (`indicators.volatility`) and `one_sigma` what one standard
deviation over n candles is restated as:

============  ==  =========  ==========================================================================================
detector       n  one_sigma  so that
============  ==  =========  ==========================================================================================
reversion      5  5 %        the 15 % rule asks for 3 standard deviations over 5 candles; the 0.1 % a streak leaves out
                             is 0.045 sigma of one candle
momentum       9  10 %       3 standard deviations over 9 candles score 30 on average volume and 70 on 2.3 times that
============  ==  =========  ==========================================================================================

A market whose volatility cannot be measured has moves worth nothing: it stands still, or hardly trades.
"""

from __future__ import annotations

import math

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Float
from scanner.core.windows import SoundCandles


def worth_of_moves(window: SoundCandles, config: StreamConfig, one_sigma: float, candles: int) -> Float:
    """Factor that turns a market's fractional moves into what they are worth.

    Parameters
    ----------
    one_sigma : float
        Fraction that one standard deviation over `candles` candles is restated as.

    Returns
    -------
    float64[...]
        1 in absolute scoring; in calibrated scoring > 0, or 0 where the volatility cannot be measured.
    """
    if config.scoring == "absolute":
        return np.ones(window.count.shape)
    sigma = window.volatility
    measured = sigma > 0
    return np.asarray(np.where(measured, one_sigma / math.sqrt(candles) / np.where(measured, sigma, 1.0), 0.0))
