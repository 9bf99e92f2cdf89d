"""Longer candles assembled from recorded 5m ones are the exchange's own; run where the recordings are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanner.core.candles import Candles
from scanner.core.panel import Panel, assemble
from scanner.timeframes import length_ms

DATA = Path(__file__).parents[3] / "shared" / "data"
STEP = length_ms("5m")
FIVE = "binance_spot_5m_2024-07-01_2024-09-06.parquet"
OWN = {
    "1h": "binance_spot_1h_2024-05-01_2024-09-06.parquet",
    "4h": "binance_spot_4h_2024-01-01_2024-09-06.parquet",
    "1d": "binance_spot_1d_2024-01-01_2024-09-06.parquet",
}
NAMES = ["open", "high", "low", "close", "volume"]


pytestmark = pytest.mark.skipif(not (DATA / FIVE).exists(), reason="no recordings here")


def read(name: str) -> pd.DataFrame:
    return pd.read_parquet(DATA / name)


def panel_of(frame: pd.DataFrame, symbols: list[str]) -> Panel:
    row = pd.Index(symbols).get_indexer(frame["symbol"])
    open_ms = frame["timestamp"].to_numpy(np.int64)
    panel = Panel(len(symbols), STEP, int((open_ms.max() - open_ms.min()) // STEP) + 1)
    panel.put(row, open_ms, Candles(*(frame[name].to_numpy() for name in NAMES)))
    return panel


@pytest.mark.parametrize("timeframe", list(OWN))
def test_assembled_candles_are_the_exchanges_own(timeframe: str) -> None:
    """Prices to the last digit; volumes to 1e-9, for a sum of floats rounds."""
    five, own = read(FIVE), read(OWN[timeframe])
    symbols, step = sorted(set(five["symbol"]))[:12], length_ms(timeframe)
    five = five[five["symbol"].isin(symbols)]
    base = panel_of(five, symbols)
    target = Panel(len(symbols), step, base.length * STEP // step + 2)
    ends = np.full(len(symbols), base.end_ms)
    assemble(base, target, np.zeros(len(symbols), np.int64), ends, np.full(len(symbols), -1))
    own = own[own["symbol"].isin(symbols) & (own["timestamp"] >= int(base.open_time[0]))]
    own = own[own["timestamp"] + step <= base.end_ms + STEP]
    row = pd.Index(symbols).get_indexer(own["symbol"])
    column = target.column_of(own["timestamp"].to_numpy(np.int64))
    assert len(own) > 50 * len(symbols)
    for name in NAMES[:4]:
        np.testing.assert_array_equal(getattr(target, name)[row, column], own[name].to_numpy(), err_msg=name)
    np.testing.assert_allclose(target.volume[row, column], own["volume"].to_numpy(), rtol=1e-9)
