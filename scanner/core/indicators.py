"""Indicators on windows of prices and volumes. What counts as high or low is left to the detectors."""

from __future__ import annotations

import numpy as np

from scanner.core.candles import Float, Int
from scanner.core.windows import LARGEST, newest, total

RSI_PERIOD = 14
SMALLEST_MOVE = 0.001  # a fraction; smaller changes neither lengthen nor end a streak


def change(newer: Float, older: Float) -> Float:
    """Fractional change, float64[...]. From 100 to 115 it is exactly 0.15, which `115 / 100 - 1` is not."""
    return np.asarray((newer - older) / older)


def rsi(close: Float, period: int = RSI_PERIOD) -> Float:
    """Wilder's relative strength index at the newest candle.

    Parameters
    ----------
    close : float64[..., W]
        Prices, oldest first. A leading NaN is a candle that does not exist.
    period : int
        Wilder's period; the averages start at the first existing candle.

    Returns
    -------
    float64[...]
        0 .. 100, as `ta` computes it over the same window. 50 where nothing moved, where fewer than `period` candles
        exist, and where a price cannot be used.

    Raises
    ------
    ValueError
        `close` has no axis.
    """
    close = np.asarray(close, dtype=np.float64)
    if close.ndim == 0:
        raise ValueError("rsi: a single number is no window of prices")
    missing = np.isnan(close)
    usable = (close >= 1 / LARGEST) & (close <= LARGEST)
    torn = (usable[..., :-1] & missing[..., 1:]).any(axis=-1) | ~(usable | missing).all(axis=-1)
    pairs = usable[..., 1:] & usable[..., :-1]
    steps = np.zeros(pairs.shape)
    np.subtract(close[..., 1:], close[..., :-1], out=steps, where=pairs)
    return rsi_of_steps(steps, np.where(torn, 0, usable.sum(axis=-1)), period)


def rsi_of_steps(steps: Float, count: Int, period: int = RSI_PERIOD) -> Float:
    """`rsi` from contiguous changes float64[..., W - 1], 0 where a candle is missing, and existing candles int64[...].

    With u and d the weighted sums of gains and losses, 100 u / (u + d) = 50 + 50 (u - d) / (u + d). The weights
    (1 - 1/period)^age are those of Wilder's average, whose factor 1/period cancels.
    """
    weighted = steps * _wilder_weights(steps.shape[-1], period)  # [..., W - 1]
    net, gross = total(weighted), total(np.abs(weighted))  # [...]
    known = (gross > 0) & (count >= period)
    return np.asarray(np.where(known, 50 + 50 * net / np.where(known, gross, 1.0), 50.0))


def _wilder_weights(count: int, period: int) -> Float:
    return np.array([(1 - 1 / period) ** age for age in reversed(range(count))])


def volume_ratio(volume: Float, recent: int = 5) -> Float:
    """Recent volume against the whole window.

    Parameters
    ----------
    volume : float64[..., W]
        Base-currency volume, oldest candle first, W >= recent.
    recent : int
        Candles that count as recent, from the newest back.

    Returns
    -------
    float64[...]
        Mean of the recent volumes over the mean of the window, 0 .. W / recent. 1.0 where nothing traded: no volume
        is neither high nor low.

    Raises
    ------
    ValueError
        The window is shorter than `recent`.
    """
    length = volume.shape[-1]
    if length < recent:
        raise ValueError(f"volume_ratio: window has {length} candles, needs {recent}")
    average = total(newest(volume, length)) / length  # [...]
    silent = average <= 0
    ratio = total(newest(volume, recent)) / recent / np.where(silent, 1.0, average)
    return np.asarray(np.where(silent, 1.0, ratio))


def volume_trend(volume: Float) -> Float:
    """Mean of the newest two fractional changes of volume, float64[...]; from nothing to something is +inf."""
    before, last, now = volume[..., -3], volume[..., -2], volume[..., -1]
    return np.asarray((_volume_change(last, before) + _volume_change(now, last)) / 2)


def _volume_change(newer: Float, older: Float) -> Float:
    """Fractional change; 0 from nothing to nothing, +inf from nothing to something or beyond a float64."""
    with np.errstate(over="ignore"):
        known = (newer - older) / np.where(older > 0, older, 1.0)
    return np.asarray(np.where(older > 0, known, np.where(newer > 0, np.inf, 0.0)))


def consecutive_moves(changes: Float, smallest: float = SMALLEST_MOVE) -> Int:
    """Length of the newest run of moves in one direction.

    Parameters
    ----------
    changes : float64[..., N]
        Fractional changes, oldest first. NaN is no move.
    smallest : float
        Changes up to this size are left out; they do not end a run.

    Returns
    -------
    int64[...]
        0 .. N.
    """
    moves = (changes > smallest).astype(np.int8) - (changes < -smallest)  # [..., N] of -1, 0, +1
    run = np.zeros(moves.shape[:-1], dtype=np.int64)  # its sign is the direction
    for position in range(moves.shape[-1]):
        move = moves[..., position]
        run = np.where(move == 0, run, np.where(move * run > 0, run + move, move))
    return np.asarray(np.abs(run))
