"""Signals as columns, and the one place where they become plain records.

A cycle makes one `SignalBatch` per exchange, timeframe and kind; nobody pays for a record until someone asks for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner.core.analysis import Analysis
from scanner.core.candles import Float, Int
from scanner.core.clustering import Clusters
from scanner.core.momentum import Momentum
from scanner.core.reversion import Reversion
from scanner.markets import Market
from scanner.records import SIGNAL_TYPES, STRENGTHS, CandleCluster, iso, utc
from scanner.timeframes import length_ms

Record = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What the whole market looked like when a batch was made."""

    market_breadth: float = 0.5
    volatility_regime: str = "unknown"


@dataclass(frozen=True)
class SignalBatch:
    """The signals of many markets of one exchange on one timeframe, made at one moment.

    All arrays have one entry per market; `rows` is its row in the exchange's book. `candle_time` is the open time (ms)
    of the newest candle analysed; it is closed in a final batch and forming in a live one, `progress` (0..1) of it
    observed. `percentile` (0..100) is NaN while the market's history is short. `gaps` counts the candles of the window
    in which nobody traded or nothing is known.
    """

    exchange: str
    style: str
    timeframe: str
    at_ms: int
    closed: bool
    markets: tuple[Market, ...]
    rows: Int
    candle_time: Int
    progress: Float
    analysis: Analysis
    percentile: Float
    data_age_s: Float
    gaps: Int
    params_id: str
    scoring: str
    simulated: bool
    context: Context

    def __len__(self) -> int:
        return len(self.markets)

    @property
    def score(self) -> Float:
        return self.analysis.combined_score

    def take(self, index: Int) -> SignalBatch:
        """A smaller batch of the chosen markets."""
        columns = ("rows", "candle_time", "progress", "percentile", "data_age_s", "gaps")
        chosen = {name: getattr(self, name)[index] for name in columns}
        markets = tuple(self.markets[i] for i in index)
        return SignalBatch(
            **{**self.__dict__, **chosen, "markets": markets, "analysis": self.analysis.take(index)},
        )

    def signal_type(self, i: int) -> str:
        return SIGNAL_TYPES[int(self.analysis.signal_type[i])]

    def record(self, i: int) -> Record:
        """The signal of market `i` as plain Python values; NaN becomes None."""
        market, enough = self.markets[i], bool(self.analysis.enough[i])
        record: Record = {
            "symbol": market.symbol,
            "exchange": market.exchange,
            "style": self.style,
            "timeframe": self.timeframe,
            "timestamp": iso(self.at_ms),
            "price": _number(self.analysis.price[i]),
            "momentum": momentum_record(self.analysis.momentum, i),
            "reversion": reversion_record(self.analysis.reversion, i),
            "clustering": clusters_record(self.analysis.clusters, i),
            "combined_score": _number(self.analysis.combined_score[i]),
            "signal_type": self.signal_type(i),
            "percentile": _number(self.percentile[i]),
            "candle_time": iso(int(self.candle_time[i])),
            "candle_closed": self.closed,
            "candle_progress": _number(self.progress[i]),
            "data_age_s": _number(self.data_age_s[i], 3),
            "gaps": int(self.gaps[i]),
            "params_id": self.params_id,
            "scoring": self.scoring,
            "simulated": self.simulated,
            "market_breadth": self.context.market_breadth,
            "volatility_regime": self.context.volatility_regime,
        }
        if not enough:
            record["error"] = "insufficient_data"
        return record

    def cluster(self, i: int) -> CandleCluster:
        """What clustering found in market `i`: as of its candle's close when that is final, as of now otherwise."""
        as_of_ms = int(self.candle_time[i]) + length_ms(self.timeframe) if self.closed else self.at_ms
        found = clusters_record(self.analysis.clusters, i)
        return CandleCluster(str(self.markets[i]), self.timeframe, utc(as_of_ms), **found)


def momentum_record(momentum: Momentum, i: int) -> Record:
    return {
        "momentum_score": _number(momentum.momentum_score[i]),
        "price_change_pct": _number(momentum.price_change_pct[i]),
        "volume_ratio": _number(momentum.volume_ratio[i]),
        "cluster_validated": bool(momentum.cluster_validated[i]),
        "strength_classification": STRENGTHS[int(momentum.strength[i])],
    }


def reversion_record(reversion: Reversion, i: int) -> Record:
    return {
        "reversion_score": _number(reversion.reversion_score[i]),
        "reversion_candidate": bool(reversion.reversion_candidate[i]),
        "reversion_direction": "bullish" if reversion.reversion_direction[i] > 0 else "bearish",
        "momentum_exhaustion": bool(reversion.momentum_exhaustion[i]),
        "volume_exhaustion": bool(reversion.volume_exhaustion[i]),
        "excessive_gain": bool(reversion.excessive_gain[i]),
        "consecutive_moves": int(reversion.consecutive_moves[i]),
        "recent_gain_pct": _number(reversion.recent_gain_pct[i]),
        "rsi": _number(reversion.rsi[i]),
        "is_overbought": bool(reversion.is_overbought[i]),
        "is_oversold": bool(reversion.is_oversold[i]),
    }


def clusters_record(clusters: Clusters, i: int) -> Record:
    return {
        "trend_formation_signal": bool(clusters.trend_formation_signal[i]),
        "cluster_strength": _number(clusters.cluster_strength[i]),
        "total_clusters": int(clusters.total_clusters[i]),
        "bullish_clusters": int(clusters.bullish_clusters[i]),
        "bearish_clusters": int(clusters.bearish_clusters[i]),
        "directional_ratio": _number(clusters.directional_ratio[i]),
        "follow_through": _number(clusters.follow_through[i]),
    }


def cluster_signature(batch: SignalBatch) -> Int:
    """int64[n, 4]: what must differ for a cluster finding to count as new; all zero where there is no cluster."""
    clusters = batch.analysis.clusters
    thirds = np.rint(np.asarray(clusters.follow_through) * 3)
    return np.stack(
        [clusters.total_clusters, clusters.bullish_clusters, thirds, clusters.trend_formation_signal], axis=-1
    ).astype(np.int64)


def _number(value: Any, digits: int | None = None) -> float | None:
    number = float(value)
    if not math.isfinite(number):
        return None
    return number if digits is None else round(number, digits)
