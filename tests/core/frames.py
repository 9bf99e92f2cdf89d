"""Windows as DataFrames, for oracles written with pandas."""

from __future__ import annotations

import pandas as pd

from scanner.core.candles import Candles


def frame(candles: Candles, count: int = 100) -> pd.DataFrame:
    """The newest candles of one market, float64[W]."""
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame(dict(zip(names, candles.last(count).columns(), strict=True)))
