"""Rows as the examples use them, of prices made here."""

from __future__ import annotations

import numpy as np
import pandas as pd

from examples.rows import FEATURES, FLAGS, HORIZONS

STEP = pd.Timedelta(minutes=5)


def rows(count: int = 600, seed: int = 0, *, known: bool = False, symbol: str = "BTC/USDT") -> pd.DataFrame:
    """Signals of a random walk, usable 9 s after the close; where `known`, one feature tells the next hour."""
    rng = np.random.default_rng(seed)
    price = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, count + 24)))
    opened = pd.Series(pd.date_range("2025-10-01", periods=count, freq=STEP, tz="UTC"))
    frame = pd.DataFrame(rng.uniform(0, 1, (count, len(FEATURES))), columns=list(FEATURES))
    frame[list(FLAGS)] = frame[list(FLAGS)] > 0.5
    ahead = {f"fwd_return_{horizon}": price[horizon : count + horizon] / price[:count] - 1 for horizon in HORIZONS}
    ways = np.lib.stride_tricks.sliding_window_view(price, 25)[:count] / price[:count, None] - 1  # [count, 25]
    ahead |= {f"mfe_{horizon}": ways[:, : horizon + 1].max(axis=1) for horizon in HORIZONS}
    ahead |= {f"mae_{horizon}": ways[:, : horizon + 1].min(axis=1) for horizon in HORIZONS}
    if known:
        frame["price_change_pct"] = np.sign(ahead["fwd_return_12"]) + rng.normal(0, 0.5, count)
    frame["volatility_regime"] = rng.choice(["low", "medium", "high", "unknown"], count)
    return frame.assign(
        exchange="binance",
        symbol=symbol,
        price=price[:count],
        candle_time=opened,
        usable_at=opened + STEP + pd.Timedelta(seconds=9),
        **ahead,
    )
