"""Enhanced momentum: how far and on how much volume, raised where clusters agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Bool, Candles, Float, Small
from scanner.core.clustering import Clusters
from scanner.core.indicators import change, volume_ratio
from scanner.core.results import Batch
from scanner.core.windows import newest, sound
from scanner.core.yardstick import worth_of_moves

CANDLES = 20
MOVE_CANDLES = 9
MODERATE, STRONG = 50, 80  # of the score before it is capped


@dataclass(frozen=True)
class Momentum(Batch):
    """How strongly the market moves, one value per market: arrays [...]."""

    momentum_score: Float  # 0 .. 100
    price_change_pct: Float  # over 9 candles, in percent in both forms of scoring
    volume_ratio: Float  # 0 .. 4
    cluster_validated: Bool  # whether clusters raised the score
    strength: Small  # index into records.STRENGTHS, by the score before it was capped


def detect_momentum(candles: Candles, clusters: Clusters, config: StreamConfig) -> Momentum:
    """Momentum over the newest 20 candles of every market.

    With p the move over 9 candles and q the mean volume of 5 candles over that of 20, the score is |p| * q * 100,
    times 1 + cluster_strength where a trend is forming, at most 100. In calibrated scoring p counts by what it is worth
    (see yardstick), one standard deviation over 9 candles as 10 %.

    Parameters
    ----------
    candles : Candles of float64[..., W]
        Fewer than 20 candles, or unsound ones, have a score of 0 and a volume ratio of 1.
    clusters : Clusters of [...]
        Of the same candles.

    Raises
    ------
    ValueError
        The columns differ in shape.
    """
    window = sound(candles)
    enough = window.count >= CANDLES
    move = np.where(enough, change(window.close[..., -1], window.close[..., -1 - MOVE_CANDLES]), 0.0)
    ratio = np.where(enough, volume_ratio(newest(window.volume, CANDLES)), 1.0)
    worth = worth_of_moves(window, config, one_sigma=0.10, candles=MOVE_CANDLES)
    validated = clusters.trend_formation_signal & enough
    score = np.abs(move) * worth * ratio * 100 * np.where(validated, 1 + clusters.cluster_strength, 1.0)
    return Momentum(
        momentum_score=np.minimum(score, 100.0),
        price_change_pct=100 * move,
        volume_ratio=ratio,
        cluster_validated=validated,
        strength=(score > MODERATE).astype(np.int8) + (score > STRONG),
    )
