"""Real candles, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from scanner.fullscan.frames import checked_frame
from scanner.fullscan.scan import Order, scan_frames
from scanner.fullscan.settings import plan_for
from tests.fullscan.making import CONFIG
from tests.fullscan.test_row import check

FOLDER = Path(os.environ.get("SCANNER_RECORDED", Path(__file__).parents[3] / "shared" / "data"))
FILES = {
    "binance_spot_1h_2024-05-01_2024-09-06.parquet": "medium",
    "binance_spot_1d_2024-01-01_2024-09-06.parquet": "daily",
    "kucoin_spot_15m_2025-09-24_2025-11-01.parquet": "15m",
    "kucoin_spot_1m_2023-03-09_2023-03-14.parquet": "scalping",
    "binance_usdm_1d_2020-01-09_2026-01-01.parquet": "daily",
}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded candles here")


@pytest.mark.parametrize("name", FILES)
def test_every_recorded_market_has_a_sound_row_or_a_reason(name):
    recorded = pd.read_parquet(FOLDER / name)
    plan = plan_for(FILES[name])
    frames = {
        str(symbol): checked_frame(
            rows.tail(plan.candles()).set_index(
                pd.to_datetime(rows.tail(plan.candles())["timestamp"], unit="ms", utc=True)
            )
        )
        for symbol, rows in recorded.groupby("symbol")
    }
    now_ms = int(recorded["timestamp"].max()) + plan.interval_ms
    found = scan_frames(frames, Order("recorded", plan, CONFIG, now_ms, top_n=100))
    for row in found.rows:
        check(row)
    assert {row["symbol"] for row in found.rows} | set(found.skipped) == set(frames)
    assert len(found.rows) >= len(frames) // 2


def test_delisted_contracts_that_go_on_flat_are_not_ranked():
    recorded = pd.read_parquet(FOLDER / "binance_usdm_1d_2020-01-09_2026-01-01.parquet")
    plan = plan_for("daily")
    dead = ["FTT/USDT:USDT", "RAY/USDT:USDT", "WAVES/USDT:USDT"]
    frames = {
        symbol: checked_frame(recorded[recorded["symbol"] == symbol].tail(plan.candles()).reset_index(drop=True))
        for symbol in dead
    }
    found = scan_frames(frames, Order("recorded", plan, CONFIG, 0))
    assert found.rows == []
    assert set(found.skipped.values()) == {"is not traded"}
