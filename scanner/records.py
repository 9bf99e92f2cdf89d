"""Plain values that leave the core: ticks, cluster records, the words of a signal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

SIGNAL_TYPES = (
    "NEUTRAL",
    "MOMENTUM_BUY",
    "MOMENTUM_SELL",
    "REVERSION_BULLISH",
    "REVERSION_BEARISH",
    "STRONG_BUY",
    "STRONG_SELL",
    "WEAK_BUY",
    "WEAK_SELL",
)
STRENGTHS = ("weak", "moderate", "strong")


def utc(ms: int) -> datetime:
    """Epoch milliseconds as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def iso(ms: int) -> str:
    """Epoch milliseconds as ISO-8601 in UTC with offset."""
    return utc(ms).isoformat()


@dataclass
class MarketTick:
    """One price of one market, with its time."""

    symbol: str  # <exchange>:<symbol>
    timestamp: datetime
    price: float
    volume: float  # 24 h, quote currency
    bid: float | None = None
    ask: float | None = None


@dataclass
class CandleCluster:
    """What candle clustering found in one market and timeframe."""

    symbol: str  # <exchange>:<symbol>
    timeframe: str
    timestamp: datetime
    total_clusters: int
    bullish_clusters: int
    bearish_clusters: int
    directional_ratio: float
    follow_through: float
    trend_formation_signal: bool
    cluster_strength: float
