from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from examples.rows import (
    FEATURES,
    HORIZONS,
    JOINED,
    NoData,
    all_stored,
    from_training_data,
    numeric,
    origin,
    remedy,
    stored,
)
from scanner import get_training_dataset
from tests.examples.made import rows


def test_both_ways_give_the_same_rows(backfilled: Path) -> None:
    dataset = asyncio.run(get_training_dataset("BTC/USDT", days=4, base_path=backfilled))
    plain = from_training_data(dataset["signals"], dataset["ohlcv"]).set_index("candle_time")
    full = stored("BTC/USDT", "5m", backfilled, 4).set_index("candle_time").loc[plain.index]
    assert len(plain) >= 3 * 288 - 1  # just after midnight the last candle of the three days is not final yet
    pd.testing.assert_frame_equal(numeric(plain, FEATURES), numeric(full, FEATURES))
    pd.testing.assert_series_equal(plain["usable_at"], full["usable_at"], check_dtype=False)
    assert {*JOINED} <= {*full}
    for horizon in HORIZONS:  # the plain ones miss candles nobody traded, the full ones the newest few minutes
        for name in ("fwd_return", "mfe", "mae"):
            ours, theirs = plain[f"{name}_{horizon}"], full[f"{name}_{horizon}"]
            both = ours.notna() & theirs.notna()
            assert both.mean() > 0.8
            np.testing.assert_allclose(ours[both], theirs[both], atol=1e-12)


def test_backfilled_rows_are_usable_from_their_close_on(backfilled: Path) -> None:
    found = all_stored(["BTC/USDT", "simulated:ETH/USDT"], "5m", backfilled, 2)
    late = found["usable_at"] - found["candle_time"] - pd.Timedelta(minutes=5)
    assert late.between(pd.Timedelta(0), pd.Timedelta(seconds=30)).all()
    assert set(found["symbol"]) == {"BTC/USDT", "ETH/USDT"}


def test_numbers_of_flags_and_regimes() -> None:
    made = rows(4).assign(
        volatility_regime=["low", "medium", "high", "unknown"], is_oversold=[True, False, True, False]
    )
    found = numeric(made, ["volatility_regime", "is_oversold"])
    np.testing.assert_array_equal(found, [[0, 1], [0.5, 0], [1, 1], [np.nan, 0]])


def test_where_rows_come_from_is_said() -> None:
    assert origin(rows(3).assign(exchange="simulated")).startswith("SIMULATED DATA")
    assert origin(rows(3).assign(exchange="replay")) == "Recorded candles, replayed."
    assert origin(rows(3)) == "Real candles of binance."


@pytest.mark.parametrize(
    ("symbol", "options"),
    [
        ("BTC/USDT", "--symbols BTC/USDT --days"),
        ("kucoinfutures:BTC/USDT", "--symbols BTC/USDT --exchanges kucoinfutures --days"),
        ("BTC/USDT:USDT", "--symbols BTC/USDT:USDT --days"),
    ],
)
def test_the_remedy_is_a_command(symbol: str, options: str) -> None:
    assert f"python continuous_scanner.py backfill {options} 30 --data-dir here" in remedy(symbol, Path("here"))


def test_what_is_not_there_is_told_with_the_remedy(backfilled: Path, tmp_path: Path) -> None:
    for symbol, folder in (("SOL/USDT", backfilled), ("BTC/USDT", tmp_path)):
        with pytest.raises(NoData, match="backfill --symbols"):
            stored(symbol, "5m", folder, 3)
    with pytest.raises(NoData, match="no final 7m signals"):
        from_training_data([], {}, "7m")


def test_several_exchanges_are_refused() -> None:
    def signal(exchange):
        return {"candle_closed": True, "timeframe": "5m", "exchange": exchange}

    with pytest.raises(ValueError, match="these are of binance, okx; ask for one"):
        from_training_data([signal("binance"), signal("okx")], {"5m": [{}]})
