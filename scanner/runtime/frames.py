"""The detectors on pandas DataFrames: one market in, one dict of plain values out.

For notebooks and for programs that call the detectors directly. A frame has the columns open, high, low, close and
volume, oldest candle first; the newest 100 rows are looked at, as everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scanner.config import WINDOW, StreamConfig
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.core.clustering import Clusters
from scanner.core.indicators import consecutive_moves as streak_of
from scanner.core.indicators import rsi
from scanner.core.momentum import detect_momentum
from scanner.core.scoring import classify_signals
from scanner.errors import InvalidInput
from scanner.markets import Market
from scanner.records import SIGNAL_TYPES
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.columns import Record, clusters_records, momentum_records, reversion_records

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("open", "high", "low", "close", "volume")


def candles_of(df: pd.DataFrame) -> Candles:
    """The newest 100 rows of a frame as a batch of one: float64[1, 100], NaN in front of a shorter frame.

    Raises
    ------
    InvalidInput
        A column is missing.
    """
    missing = [name for name in COLUMNS if name not in df.columns]
    if missing:
        raise InvalidInput("df", list(df.columns), f"lacks the columns {', '.join(missing)}")
    columns = []
    for name in COLUMNS:
        values = df[name].to_numpy(dtype=np.float64)[-WINDOW:]
        columns.append(np.pad(values, (WINDOW - len(values), 0), constant_values=np.nan)[None, :])
    return Candles(*columns)


def clustering(df: pd.DataFrame, config: StreamConfig) -> Record:
    return clusters_records(analyse(candles_of(df), config).clusters)[0]


def reversion(df: pd.DataFrame, config: StreamConfig) -> Record:
    return reversion_records(analyse(candles_of(df), config).reversion)[0]


def momentum(df: pd.DataFrame, cluster_signals: Mapping[str, Any], config: StreamConfig) -> Record:
    """Momentum with the given clustering, which needs `trend_formation_signal` and `cluster_strength` only."""
    trend, strength = cluster_signals.get("trend_formation_signal", False), cluster_signals.get("cluster_strength", 0.0)
    none = np.zeros(1, dtype=np.int64)
    clusters = Clusters(
        trend_formation_signal=np.array([bool(trend)]),
        cluster_strength=np.array([float(strength)]),
        total_clusters=none,
        bullish_clusters=none,
        bearish_clusters=none,
        directional_ratio=np.zeros(1),
        follow_through=np.zeros(1),
    )
    return momentum_records(detect_momentum(candles_of(df), clusters, config))[0]


def signal_type(momentum: Mapping[str, Any], reversion: Mapping[str, Any], combined_score: float) -> str:
    """The signal type from one market's momentum and reversion dicts and its combined score."""
    index = classify_signals(
        np.array([float(momentum["momentum_score"])]),
        np.array([float(momentum["price_change_pct"])]),
        np.array([bool(reversion["reversion_candidate"])]),
        np.array([1 if reversion["reversion_direction"] == "bullish" else -1], dtype=np.int8),
        np.array([float(combined_score)]),
    )
    return SIGNAL_TYPES[int(index[0])]


def consecutive_moves(changes: Sequence[float | None]) -> int:
    """Length of the newest same-sign streak of fractional changes; what is no number is left out."""
    values = np.asarray(changes, dtype=np.float64)
    values = values[~np.isnan(values)]
    return int(streak_of(values[None, :])[0]) if len(values) else 0


def last_rsi(closes: Sequence[float], period: int = 14) -> float:
    return float(rsi(np.asarray(closes, dtype=np.float64)[None, -WINDOW:], period)[0])


def signal(df: pd.DataFrame, market: Market, style: str, timeframe: str, config: StreamConfig) -> Record:
    """The signal record of one market, its last row taken as closed now."""
    now_ms = time.time_ns() // 1_000_000
    batch = SignalBatch(
        exchange=market.exchange,
        style=style,
        timeframe=timeframe,
        at_ms=now_ms,
        closed=True,
        markets=(market,),
        rows=np.zeros(1, dtype=np.int64),
        candle_time=np.array([now_ms], dtype=np.int64),
        progress=np.ones(1),
        analysis=analyse(candles_of(df), config),
        percentile=np.full(1, np.nan),
        data_age_s=np.zeros(1),
        gaps=np.zeros(1, dtype=np.int64),
        params_id=config.params_id,
        scoring=config.scoring,
        simulated=False,
        context=Context(),
    )
    return batch.record(0)
