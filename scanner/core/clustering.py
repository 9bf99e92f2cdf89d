"""Candle clustering: runs of high-volume candles in one direction, and whether the market followed them.

Decides when a trend is forming. The score it leads to is momentum's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Bool, Candles, Float, Int
from scanner.core.results import Batch
from scanner.core.windows import newest, sound, total

CANDLES = 20
FOLLOWERS = 3  # candles after a cluster that are asked whether they go its way


@dataclass(frozen=True)
class Clusters(Batch):
    """What clustering found, one value per market: arrays [...]. All zero or false where there is no cluster."""

    trend_formation_signal: Bool
    cluster_strength: Float  # 0 .. 1, dominance times follow-through
    total_clusters: Int
    bullish_clusters: Int
    bearish_clusters: Int
    directional_ratio: Float  # 0 .. 1, bullish share of the clusters
    follow_through: Float  # 0 .. 1, share of the next 3 candles after the last cluster that go its way


def detect_clusters(candles: Candles, config: StreamConfig) -> Clusters:
    """Clusters among the newest 20 candles of every market.

    A candle has high volume above `volume_threshold_multiplier` times the mean of the 20; it is bullish when it closes
    above its open, else bearish. A cluster is an unbroken run of such candles of one direction. A trend is forming
    when the share of the commoner direction reaches `cluster_trend_threshold` and the follow-through of the last
    cluster reaches `cluster_followthrough_threshold`. A missing follower counts as one that does not follow; one that
    closes where it opened follows neither direction.

    Parameters
    ----------
    candles : Candles of float64[..., W]
        Fewer than 20 candles, or unsound ones, have no clusters.

    Raises
    ------
    ValueError
        The columns differ in shape.
    """
    window = sound(candles)
    open_, close, volume = (newest(column, CANDLES) for column in (window.open, window.close, window.volume))
    average = total(volume)[..., None] / CANDLES  # [..., 1]
    high = volume > config.volume_threshold_multiplier * average  # [..., 20]
    high &= (window.count >= CANDLES)[..., None]
    up, down = close > open_, close < open_
    bullish, bearish = _runs(high & up), _runs(high & ~up)  # [...]
    clusters = bullish + bearish
    divisor = np.maximum(clusters, 1)
    dominance = np.maximum(bullish, bearish) / divisor
    followed = _follow_through(high, up, down)
    trend = (dominance >= config.cluster_trend_threshold) & (followed >= config.cluster_followthrough_threshold)
    return Clusters(
        trend_formation_signal=trend & (clusters > 0),
        cluster_strength=dominance * followed,
        total_clusters=clusters,
        bullish_clusters=bullish,
        bearish_clusters=bearish,
        directional_ratio=bullish / divisor,
        follow_through=followed,
    )


def _runs(member: Bool) -> Int:
    """Unbroken runs of members: bool[..., N] to int64[...]."""
    starts = member.copy()
    starts[..., 1:] &= ~member[..., :-1]
    return np.asarray(np.count_nonzero(starts, axis=-1), dtype=np.int64)


def _follow_through(high: Bool, up: Bool, down: Bool) -> Float:
    """Share of the candles after the last high one that go its way: bool[..., 20] to float64[...]; 0 without one."""
    last = CANDLES - 1 - np.argmax(high[..., ::-1], axis=-1)[..., None]  # [..., 1]; the newest candle without one
    position = np.arange(CANDLES)
    follower = (position > last) & (position <= last + FOLLOWERS)  # [..., 20]
    aligned = np.where(np.take_along_axis(up, last, axis=-1), up, down)
    return np.asarray(np.count_nonzero(aligned & follower, axis=-1) / FOLLOWERS)
