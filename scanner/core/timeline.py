"""Candles as they are kept, without those nobody traded, on a gapless line of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scanner.core.candles import Candles, Int


def on_timeline(
    open_time: Int, values: NDArray[np.float64], step_ms: int, begins: Int, ends: Int
) -> tuple[int, Candles]:
    """One candle per step, NaN where nothing is known; one nobody traded has the close before it and no volume.

    Parameters
    ----------
    open_time, values : int64[n], float64[n, 5]
        Candles, oldest first, on the grid of `step_ms`; others are left out.
    begins, ends : int64[g]
        Stretches of time in which nobody traded, oldest first, apart from each other; the ends are not included.

    Returns
    -------
    int, Candles of float64[T]
        When the first candle opens (ms), and all up to the newest that is known.
    """
    fits = open_time % step_ms == 0
    open_time, values = open_time[fits], values[fits]
    if not len(open_time):
        return 0, Candles(*np.empty((5, 0)))
    first_ms = int(open_time[0])
    last_ms = max(int(open_time[-1]), int(ends[-1]) // step_ms * step_ms - step_ms if len(ends) else 0)
    times = np.arange(first_ms, last_ms + step_ms, step_ms)  # [T]
    line = np.full((5, len(times)), np.nan)
    line[:, (open_time - first_ms) // step_ms] = values.T
    known = ~np.isnan(line[3])
    stretch = np.searchsorted(begins, times, side="right") - 1
    untraded = ~known & (stretch >= 0)
    if len(ends):
        untraded &= times + step_ms <= ends[stretch]
    source = np.maximum.accumulate(np.where(untraded, -1, np.arange(len(times))))  # the newest that is not untraded
    flat = untraded & (source >= 0)
    line[:4, flat] = line[3, source[flat]]
    line[4, flat & known[source]] = 0.0
    return first_ms, Candles(*line)
