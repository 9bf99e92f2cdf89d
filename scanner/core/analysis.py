"""One call from candles to signals: all detectors over a whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Bool, Candles, Float, Small
from scanner.core.clustering import Clusters, detect_clusters
from scanner.core.momentum import CANDLES, Momentum, detect_momentum
from scanner.core.results import Batch, joined
from scanner.core.reversion import Reversion, detect_reversion
from scanner.core.scoring import classify_signals, combine
from scanner.core.windows import alike, sound

BLOCK = 1024  # windows worked on at a time: they and what is made of them stay in the processor's cache


@dataclass(frozen=True)
class Analysis(Batch):
    """What the detectors say about every market: arrays [...], one value per window.

    Where candles are too few or unsound, every field is neutral: scores 0, flags false, type NEUTRAL, RSI 50, volume
    ratio 1. From 10 candles on the reversion part is real, from 20 on all of it.
    """

    clusters: Clusters
    reversion: Reversion
    momentum: Momentum
    combined_score: Float  # 0 .. 100
    signal_type: Small  # index into records.SIGNAL_TYPES
    price: Float  # newest close; NaN where the window is unsound
    enough: Bool  # at least 20 sound candles


def analyse(candles: Candles, config: StreamConfig) -> Analysis:
    """All detectors over windows of candles.

    A market gets the same answer to the last bit alone and in a batch, in any order, live and replayed.

    Parameters
    ----------
    candles : Candles of float64[..., W]
        (W,), (markets, W), (markets, times, W), ...; views are fine, nothing is written. Only the newest 100 candles
        of a window count.

    Raises
    ------
    ValueError
        The columns differ in shape, or have no axis.
    """
    candles = alike(candles)
    return joined([_analyse_block(block, config) for block in _blocks(candles)]).reshape(candles.shape[:-1])


def _blocks(candles: Candles) -> Iterator[Candles]:
    """The windows as Candles [n, W] with n up to `BLOCK`, at least one block; no axis is copied as a whole."""
    lead = candles.shape[:-1]
    rows = int(np.prod(lead))
    for start in range(0, max(rows, 1), BLOCK):
        stop = min(start + BLOCK, rows)
        if len(lead) == 1:
            yield candles.rows(slice(start, stop))
        else:
            yield candles.rows(np.unravel_index(np.arange(start, stop), lead) if lead else np.newaxis)


def _analyse_block(candles: Candles, config: StreamConfig) -> Analysis:
    window = sound(candles)
    clusters = detect_clusters(window, config)
    reversion = detect_reversion(window, config)
    momentum = detect_momentum(window, clusters, config)
    combined = combine(momentum.momentum_score, reversion.reversion_score, config.momentum_bias)
    return Analysis(
        clusters=clusters,
        reversion=reversion,
        momentum=momentum,
        combined_score=combined,
        signal_type=classify_signals(
            momentum.momentum_score,
            momentum.price_change_pct,
            reversion.reversion_candidate,
            reversion.reversion_direction,
            combined,
        ),
        price=np.where(window.count > 0, window.close[..., -1], np.nan),
        enough=window.count >= CANDLES,
    )
