"""Splitting rows in time: learn from the past alone, and only from labels that had come true by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows to learn from, and of those to foretell, of which the first can be acted on at `at`."""

    at: pd.Timestamp
    train: Index
    test: Index


def folds(usable_at: pd.Series, label_at: pd.Series, count: int = 5, first: float = 0.5) -> Iterator[Fold]:
    """Walk forward: the time after the `first` part of the rows in `count` parts, each foretold by all before it.

    Parameters
    ----------
    usable_at : Series of timestamps
        When a program could have acted on each row.
    label_at : Series of timestamps
        When its label was: a row whose label came later than a fold begins is not learned from there. That is the
        embargo; it is as long as the labels look ahead.
    count : int
        Folds, each with the same number of different times.
    first : float
        Part of the times that is only learned from.

    Raises
    ------
    ValueError
        There are fewer times than folds need.
    """
    times = np.sort(usable_at.unique())
    begin = int(len(times) * first)
    if begin < 1 or len(times) - begin < count:
        raise ValueError(f"{len(times)} different times are too few for {count} folds")
    edges = [times[begin + (len(times) - begin) * step // count] for step in range(count)]
    for at, end in zip(edges, [*edges[1:], None], strict=True):
        test = (usable_at >= at) if end is None else (usable_at >= at) & (usable_at < end)
        yield Fold(at, np.flatnonzero(label_at <= at), np.flatnonzero(test))
