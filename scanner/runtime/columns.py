"""Signals as rows of one table, and the one place where they become plain records.

A row holds what differs from signal to signal in 170 bytes; what they share (`About`) is kept once. Rendering turns
each column into Python values at once: 8,000 records one by one take ten times as long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanner.core.clustering import Clusters
from scanner.core.momentum import Momentum
from scanner.core.reversion import Reversion
from scanner.core.volatility import REGIMES
from scanner.records import SIGNAL_TYPES, STRENGTHS, iso, utc

Record = dict[str, Any]
Rows = NDArray[np.void]  # [n] of ROW
Values = list[Any]  # a column as Python values

MOMENTUM = {"momentum_score": "f8", "price_change_pct": "f8", "volume_ratio": "f8", "cluster_validated": "?"}
REVERSION = {
    "reversion_score": "f8",
    "reversion_candidate": "?",
    "reversion_direction": "i1",
    "momentum_exhaustion": "?",
    "volume_exhaustion": "?",
    "excessive_gain": "?",
    "consecutive_moves": "i1",
    "recent_gain_pct": "f8",
    "rsi": "f8",
    "is_overbought": "?",
    "is_oversold": "?",
}
CLUSTERING = {
    "trend_formation_signal": "?",
    "cluster_strength": "f8",
    "total_clusters": "i1",
    "bullish_clusters": "i1",
    "bearish_clusters": "i1",
    "directional_ratio": "f8",
    "follow_through": "f8",
}
SIGNAL = {
    **{"at_ms": "i8", "closed": "?", "candle_time": "i8", "progress": "f8", "percentile": "f8", "data_age_s": "f8"},
    **{"gaps": "i4", "market_breadth": "f8", "volatility_regime": "i1"},  # index into REGIMES
    **{"combined_score": "f8", "signal_type": "i1", "price": "f8", "enough": "?"},
}
ROW = np.dtype(list({**SIGNAL, **MOMENTUM, "strength": "i1", **REVERSION, **CLUSTERING}.items()))


class About(NamedTuple):
    """What all signals of a market and timeframe share in one run."""

    symbol: str
    exchange: str
    style: str
    timeframe: str
    params_id: str
    scoring: str
    simulated: bool


def records(rows: Rows, about: Sequence[About]) -> list[Record]:
    """Signals as plain Python values, `about` one per row; NaN becomes None."""
    columns = {
        "timestamp": _moments(rows["at_ms"]),
        "price": numbers(rows["price"]),
        "momentum": _momentum(rows),
        "reversion": _reversion(rows),
        "clustering": _clustering(rows),
        "combined_score": numbers(rows["combined_score"]),
        "signal_type": [SIGNAL_TYPES[index] for index in rows["signal_type"].tolist()],
        "percentile": numbers(rows["percentile"]),
        "candle_time": _moments(rows["candle_time"]),
        "candle_closed": rows["closed"].tolist(),
        "candle_progress": numbers(rows["progress"]),
        "data_age_s": [None if age is None else round(age, 3) for age in numbers(rows["data_age_s"])],
        "gaps": rows["gaps"].tolist(),
        **{name: [getattr(each, name) for each in about] for name in ("params_id", "scoring", "simulated")},
        "market_breadth": numbers(rows["market_breadth"]),
        "volatility_regime": [REGIMES[index] for index in rows["volatility_regime"].tolist()],
    }
    heads = {name: [getattr(each, name) for each in about] for name in ("symbol", "exchange", "style", "timeframe")}
    made = by_row({**heads, **columns})
    for i in np.flatnonzero(~rows["enough"]).tolist():
        made[i]["error"] = "insufficient_data"
    return made


def cluster_record(record: Record, market: str, closed_ms: int) -> Record:
    """The CandleCluster of a final signal's record, as of its candle's close."""
    head = {"symbol": market, "timeframe": record["timeframe"], "timestamp": utc(closed_ms)}
    return {**head, **record["clustering"]}


def momentum_records(momentum: Momentum) -> list[Record]:
    return _momentum(_laid(momentum, (*MOMENTUM, "strength")))


def reversion_records(reversion: Reversion) -> list[Record]:
    return _reversion(_laid(reversion, REVERSION))


def clusters_records(clusters: Clusters) -> list[Record]:
    return _clustering(_laid(clusters, CLUSTERING))


def by_row(columns: Mapping[str, Values]) -> list[Record]:
    """Columns of equal length as one dict per row."""
    names = tuple(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def numbers(values: ArrayLike) -> Values:
    """Floats as Python values, None where there is none."""
    column = np.asarray(values, dtype=np.float64)
    listed: Values = column.tolist()
    return listed if np.isfinite(column).all() else [x if math.isfinite(x) else None for x in listed]


def lay(rows: Rows, result: object, names: Iterable[str]) -> None:
    """Write the fields `names` of a result into its columns."""
    for name in names:
        rows[name] = getattr(result, name)


def _laid(result: object, names: Iterable[str]) -> Rows:
    names = tuple(names)
    rows = np.zeros(len(getattr(result, names[0])), dtype=ROW)
    lay(rows, result, names)
    return rows


def _momentum(rows: Rows) -> list[Record]:
    strength = [STRENGTHS[index] for index in rows["strength"].tolist()]
    return by_row({**_columns(rows, MOMENTUM), "strength_classification": strength})


def _reversion(rows: Rows) -> list[Record]:
    direction = ["bullish" if sign > 0 else "bearish" for sign in rows["reversion_direction"].tolist()]
    return by_row(_columns(rows, REVERSION) | {"reversion_direction": direction})


def _clustering(rows: Rows) -> list[Record]:
    return by_row(_columns(rows, CLUSTERING))


def _columns(rows: Rows, kinds: Mapping[str, str]) -> dict[str, Values]:
    return {name: numbers(rows[name]) if kind == "f8" else rows[name].tolist() for name, kind in kinds.items()}


def _moments(values: NDArray[np.int64]) -> list[str]:
    """Epoch ms as ISO-8601; most of a cycle are alike."""
    listed = values.tolist()
    known = {moment: iso(moment) for moment in set(listed)}
    return [known[moment] for moment in listed]
