"""Signals as columns: one `SignalBatch` per cycle, exchange, timeframe and kind.

Nobody pays for a record until someone asks for it; how it looks is decided in `columns`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanner.core.analysis import Analysis
from scanner.core.candles import Float, Int
from scanner.core.volatility import REGIMES
from scanner.markets import Market
from scanner.records import SIGNAL_TYPES, utc
from scanner.runtime.columns import (
    CLUSTERING,
    MOMENTUM,
    REVERSION,
    ROW,
    About,
    Record,
    Rows,
    Values,
    by_row,
    clusters_records,
    lay,
    records,
)
from scanner.timeframes import length_ms


@dataclass(frozen=True)
class Context:
    """What the whole market looked like when a batch was made; NaN and `unknown` where nobody looked."""

    market_breadth: float = math.nan
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

    def columns(self) -> Rows:
        """The signals as rows of one table."""
        rows = np.zeros(len(self), dtype=ROW)
        rows["at_ms"], rows["closed"] = self.at_ms, self.closed
        rows["market_breadth"] = self.context.market_breadth
        rows["volatility_regime"] = REGIMES.index(self.context.volatility_regime)
        lay(rows, self, ("candle_time", "progress", "percentile", "data_age_s", "gaps"))
        lay(rows, self.analysis, ("combined_score", "signal_type", "price", "enough"))
        lay(rows, self.analysis.momentum, (*MOMENTUM, "strength"))
        lay(rows, self.analysis.reversion, REVERSION)
        lay(rows, self.analysis.clusters, CLUSTERING)
        return rows

    def about(self, i: int) -> About:
        """What all signals of market `i` on this timeframe share."""
        market = self.markets[i]
        return About(
            market.symbol, market.exchange, self.style, self.timeframe, self.params_id, self.scoring, self.simulated
        )

    def abouts(self) -> list[About]:
        """The same of every market."""
        shared = (self.style, self.timeframe, self.params_id, self.scoring, self.simulated)
        return [About(market.symbol, market.exchange, *shared) for market in self.markets]

    def records(self) -> list[Record]:
        """The signals as plain Python values; NaN becomes None."""
        return records(self.columns(), self.abouts())

    def record(self, i: int) -> Record:
        """The signal of market `i`."""
        return self.take(np.array([i])).records()[0]

    def clusters(self) -> list[Record]:
        """CandleClusters as dicts: as of the candle's close when that is final, as of now otherwise."""
        as_of: Values = [utc(closed_ms if self.closed else self.at_ms) for closed_ms in self._closes_ms()]
        symbols: Values = list(map(str, self.markets))
        heads = {"symbol": symbols, "timeframe": [self.timeframe] * len(self), "timestamp": as_of}
        found = clusters_records(self.analysis.clusters)
        return [head | each for head, each in zip(by_row(heads), found, strict=True)]

    def _closes_ms(self) -> list[int]:
        """When each candle closes."""
        closes: list[int] = (self.candle_time + length_ms(self.timeframe)).tolist()
        return closes


def cluster_signature(batch: SignalBatch) -> Int:
    """int64[n, 4]: what must differ for a cluster finding to count as new; all zero where there is no cluster."""
    clusters = batch.analysis.clusters
    thirds = np.rint(np.asarray(clusters.follow_through) * 3)
    return np.stack(
        [clusters.total_clusters, clusters.bullish_clusters, thirds, clusters.trend_formation_signal], axis=-1
    ).astype(np.int64)
