"""What happened after a candle: the labels a model learns to foretell.

The only part of the core that looks ahead, and never further than its horizon: a label is missing until every candle of
its horizon has closed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scanner.core.candles import Candles, Float

HORIZONS = (1, 3, 6, 12, 24)  # candles


@dataclass(frozen=True)
class Labels:
    """What followed each candle within `horizon` candles, as fractions of its close; arrays [..., T].

    For a long position: `fwd_return` is its return at the end of the horizon, `mfe` (max favourable excursion, >= 0)
    the best and `mae` (max adverse excursion, <= 0) the worst it saw on the way. A short position sees them with the
    other sign and the roles of `mfe` and `mae` changed. NaN where the horizon has not passed, or a candle of it is
    unknown.
    """

    horizon: int
    fwd_return: Float
    mfe: Float
    mae: Float


def label(candles: Candles, horizon: int) -> Labels:
    """Forward returns and excursions of every candle.

    Parameters
    ----------
    candles : Candles of float64[..., T]
        Closed candles, oldest first, one per candle time; NaN where unknown. One nobody traded has the close before it.
    horizon : int
        Candles to look ahead, >= 1.

    Returns
    -------
    Labels of float64[..., T]

    Raises
    ------
    ValueError
        The horizon is below 1.

    Notes
    -----
    With C, H, L the close, high and low: ``fwd_return = C[t+N] / C[t] - 1``,
    ``mfe = max(C[t], H[t+1..t+N]) / C[t] - 1`` and ``mae = min(C[t], L[t+1..t+N]) / C[t] - 1``.
    """
    if horizon < 1:
        raise ValueError(f"label: horizon is {horizon}, must be at least 1")
    close = np.asarray(candles.close, dtype=np.float64)
    nothing = np.full(close.shape, np.nan)
    fwd_return, mfe, mae = nothing, nothing.copy(), nothing.copy()
    count = close.shape[-1] - horizon
    if count > 0:
        now = close[..., :count]  # [..., count]
        ahead = [sliding_window_view(column[..., 1:], horizon, axis=-1) for column in candles.columns()[1:4]]
        high, low, closes = ahead  # [..., count, horizon]
        known = ~np.isnan(now) & ~np.isnan(closes).any(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            fwd_return[..., :count] = np.where(known, closes[..., -1] / now - 1, np.nan)
            mfe[..., :count] = np.where(known, np.maximum(high.max(axis=-1), now) / now - 1, np.nan)
            mae[..., :count] = np.where(known, np.minimum(low.min(axis=-1), now) / now - 1, np.nan)
    return Labels(horizon, fwd_return, mfe, mae)
