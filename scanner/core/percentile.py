"""Where a score stands among earlier ones of the same market and timeframe."""

from __future__ import annotations

import numpy as np

from scanner.core.candles import Float

FEWEST = 100  # earlier scores; a rank among fewer says little


def percentile_of(score: Float, history: Float, fewest: int = FEWEST) -> Float:
    """Rank of each score in its own history.

    Parameters
    ----------
    score : float64[...]
        The scores to place.
    history : float64[..., H]
        Earlier scores of the same market; NaN is a score that was never made.
    fewest : int
        Below this many scores there is no answer.

    Returns
    -------
    float64[...]
        0 .. 100: the share below plus half the share of equal ones. NaN where the history is too short or the score
        is NaN.

    Raises
    ------
    ValueError
        `history` has other leading axes than `score`.
    """
    score, history = np.asarray(score, dtype=np.float64), np.asarray(history, dtype=np.float64)
    if history.shape[:-1] != score.shape or history.ndim == 0:
        raise ValueError(f"percentile_of: history of shape {history.shape} for scores of shape {score.shape}")
    known = np.count_nonzero(~np.isnan(history), axis=-1)
    below = np.count_nonzero(history < score[..., None], axis=-1)
    equal = np.count_nonzero(history == score[..., None], axis=-1)
    answerable = (known >= fewest) & ~np.isnan(score)
    return np.asarray(np.where(answerable, 100 * (below + 0.5 * equal) / np.maximum(known, 1), np.nan))
