"""Candles between numpy and pandas: frames for `ta`, windows for the batch core."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scanner.core.candles import Candles, Float, Int
from scanner.core.panel import forming
from scanner.errors import InvalidInput

NAMES = ("open", "high", "low", "close", "volume")


def frame_of(open_time: Int, candles: Candles) -> pd.DataFrame:
    """One market's candles [n] as a frame, indexed by open time (UTC); rows without a close are left out."""
    known = ~np.isnan(candles.close)
    index = pd.DatetimeIndex(pd.to_datetime(open_time[known], unit="ms", utc=True), name="open_time")
    columns = {name: column[known] for name, column in zip(NAMES, candles.columns(), strict=True)}
    return pd.DataFrame(columns, index=index)


def checked_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The candles of a frame from outside, as floats and without rows that no candle can be.

    Raises
    ------
    InvalidInput
        A column is missing or holds no numbers.
    """
    missing = [name for name in NAMES if name not in frame.columns]
    if missing:
        raise InvalidInput("frame", list(frame.columns), f"lacks the columns {', '.join(missing)}")
    try:
        table = frame[list(NAMES)].astype("float64")
    except (TypeError, ValueError):
        raise InvalidInput("frame", list(frame.columns), "holds something that is no number") from None
    values = table.to_numpy()
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(values).all(axis=1) & (values[:, :4] > 0).all(axis=1) & (values[:, 4] >= 0)
        kept: pd.DataFrame = table.loc[sound & (values[:, 2] <= values[:, 1])]
    return kept


def with_whole_volume(frame: pd.DataFrame, interval_ms: int, now_ms: int) -> pd.DataFrame:
    """The frame with the volume of a candle that is still forming projected to a whole one.

    A part-candle always has less volume and would read as a market gone quiet; prices stay as they are.
    """
    if len(frame) < 2:
        return frame
    elapsed = (now_ms - frame.index[-1].timestamp() * 1000) / interval_ms
    if elapsed >= 1:
        return frame
    columns = [frame[name].to_numpy(dtype=np.float64)[None, :] for name in NAMES]
    whole = forming(
        Candles(*(column[:, :-1] for column in columns)),
        Candles(*(column[:, -1] for column in columns)),
        np.array([np.nan]),
        np.array([max(elapsed, 0.0)]),
    )
    changed = frame.copy()
    changed.loc[changed.index[-1], "volume"] = float(whole.volume[0])
    return changed


def windows_of(frames: Mapping[str, pd.DataFrame]) -> Candles:
    """The candles of many markets: float64[M, W], as long as the longest frame, NaN in front of a shorter one."""
    length = max(map(len, frames.values()))
    return Candles(*(np.stack([_padded(frame[name], length) for frame in frames.values()]) for name in NAMES))


def _padded(column: pd.Series, length: int) -> Float:
    return np.pad(column.to_numpy(dtype=np.float64), (length - len(column), 0), constant_values=np.nan)
