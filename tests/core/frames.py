"""Windows as DataFrames, for oracles written with pandas."""

from __future__ import annotations

import pandas as pd

from scanner.core.candles import Candles


def frames(candles: Candles) -> list[pd.DataFrame]:
    """The newest 100 candles of every market."""
    names = ("open", "high", "low", "close", "volume")
    columns = candles.last(100).columns()
    return [
        pd.DataFrame({name: column[row] for name, column in zip(names, columns, strict=True)})
        for row in range(len(candles.close))
    ]
