"""Frames and rows for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scanner.core.candles import Float
from scanner.fullscan.settings import TimeframePlan, get_dynamic_config, plan_for

CONFIG = get_dynamic_config()
MEDIUM = plan_for("medium", CONFIG)
HOUR_MS = 3_600_000
NOW_MS = 1_760_000_400_000  # 9 October 2025, on the hour


def frame(
    close: Sequence[float] | Float, volume: Sequence[float] | Float | None = None, spread: float = 0.01
) -> pd.DataFrame:
    """Hourly candles with these closes, each opening at the close before; the last has just closed."""
    closes = np.asarray(close, dtype=np.float64)
    opens = np.concatenate([closes[:1], closes[:-1]])
    high, low = np.maximum(opens, closes) * (1 + spread), np.minimum(opens, closes) * (1 - spread)
    volumes = np.full(len(closes), 1000.0) if volume is None else np.asarray(volume, dtype=np.float64)
    times = NOW_MS - HOUR_MS * np.arange(len(closes), 0, -1)
    index = pd.DatetimeIndex(pd.to_datetime(times, unit="ms", utc=True), name="open_time")
    return pd.DataFrame({"open": opens, "high": high, "low": low, "close": closes, "volume": volumes}, index=index)


def walk(rows: int = 186, seed: int = 1, price: float = 100.0, volatility: float = 0.01) -> pd.DataFrame:
    """A random walk with random volumes and ranges."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, volatility, rows)))
    made = frame(close, rng.lognormal(8, 0.7, rows), 0.0)
    reach = np.abs(rng.normal(0, volatility / 2, (2, rows)))
    made["high"] *= 1 + reach[0]
    made["low"] *= 1 - np.minimum(reach[1], 0.5)
    return made


def with_base(base: int) -> TimeframePlan:
    """A plan that asks for `base` candles."""
    from dataclasses import replace

    return replace(MEDIUM, long=base - 50)
