"""How often recorded markets are called something, in both forms of scoring. Needs the recorded candles."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanner.config import WINDOW
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.records import SIGNAL_TYPES
from tests.core.making import ABSOLUTE, CALIBRATED

FOLDER = Path(__file__).parents[3] / "shared" / "data"
FILES = sorted(FOLDER.glob("*.parquet"))
WINDOWS = 60_000  # looked at per file, spread evenly over its markets and days

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recorded candles in {FOLDER}")


def timeframe_of(path: Path) -> str:
    """``5m`` of ``binance_spot_5m_2024-07-01_2024-09-06.parquet``."""
    return path.name.split("_")[2]


@cache
def types_in(path: Path, scoring: str) -> Counter[str]:
    """How many closed candles of a file are of each signal type."""
    config = {"absolute": ABSOLUTE, "calibrated": CALIBRATED}[scoring]
    table = pd.read_parquet(path)
    stride = -(-len(table) // WINDOWS)
    found: Counter[str] = Counter()
    for _, rows in table.groupby("symbol"):
        candles = Candles(*(rows[name].to_numpy() for name in ("open", "high", "low", "close", "volume")))
        if len(rows) >= WINDOW:
            types = analyse(candles.windows(WINDOW).rows(slice(None, None, stride)), config).signal_type
            found.update(dict(enumerate(np.bincount(types, minlength=len(SIGNAL_TYPES)).tolist())))
    return Counter({SIGNAL_TYPES[index]: count for index, count in found.items()})


def share_pct(found: Counter[str], prefix: str) -> float:
    return 100 * sum(count for name, count in found.items() if name.startswith(prefix)) / found.total()


def pooled(timeframe: str, scoring: str) -> Counter[str]:
    return sum((types_in(path, scoring) for path in FILES if timeframe_of(path) == timeframe), Counter())


@pytest.mark.parametrize("timeframe", sorted({timeframe_of(path) for path in FILES}))
@pytest.mark.parametrize("prefix", ["MOMENTUM_", "REVERSION_"])
def test_calibrated_signals_are_neither_rare_nor_common_on_any_timeframe(timeframe, prefix):
    assert 0.5 < share_pct(pooled(timeframe, "calibrated"), prefix) < 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("prefix", ["MOMENTUM_", "REVERSION_"])
def test_nor_in_any_recording(path, prefix):
    assert 0.2 < share_pct(types_in(path, "calibrated"), prefix) < 6


@pytest.mark.parametrize("timeframe", ["5m", "15m", "1h", "4h"])
def test_absolute_scoring_calls_nearly_every_candle_neutral(timeframe):
    assert 97 < share_pct(pooled(timeframe, "absolute"), "NEUTRAL") < 99.8


@pytest.mark.parametrize("path", [path for path in FILES if "usdm_1d" in path.name], ids=lambda path: path.stem)
def test_delisted_contracts_that_go_on_flat_are_never_called_anything(path):
    rows = pd.read_parquet(path, filters=[("symbol", "==", "RAY/USDT:USDT")])
    rows = rows[rows.timestamp >= pd.Timestamp("2022-11-16", tz="UTC").value // 1_000_000].iloc[1:]
    candles = Candles(*(rows[name].to_numpy() for name in ("open", "high", "low", "close", "volume")))
    for config in (ABSOLUTE, CALIBRATED):
        assert set(analyse(candles.windows(WINDOW), config).signal_type.tolist()) == {0}
