"""A backfill by its command into a folder some of whose files cannot be written."""

from __future__ import annotations

import os
import re
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd

from scanner.markets import Market
from scanner.records import utc
from scanner.store.reader import StoreReader
from scanner.timeframes import DAY_MS
from tests.child import running
from tests.terminal.test_backfill import BACKFILL, signals

ONLY_NEW = r"  candles fetched: (none|5m \d(, \w+ \d)*); in"  # those that have closed since


def test_a_file_that_cannot_be_written_costs_its_market_alone_and_is_made_good_once_it_can(tmp_path: Path) -> None:
    data, day = tmp_path / "training_data", utc(time.time_ns() // 1_000_000 - DAY_MS).date()
    blocked = {
        "simulated:BTC/USDT 5m": data / "ohlcv" / "simulated_BTCUSDT_5m.parquet",
        f"simulated:ETH/USDT {day}": data / "signals" / f"simulated_ETHUSDT_{day}.json",
        f"simulated:ADA/USDT {day}": data / "clustering" / f"simulated_ADAUSDT_{day}.json",
    }
    command = [*BACKFILL, "BTC/USDT,ETH/USDT,ADA/USDT,SOL/USDT", "--days", "2"]
    btc, eth, ada = blocked.values()
    for path in blocked.values():
        path.parent.mkdir(parents=True)
    (btc / "of somebody else").mkdir(parents=True)
    os.mkfifo(eth)
    ada.symlink_to(tmp_path)
    for again in range(2):
        with running(command, tmp_path) as child:
            assert child.wait() == 1, child.err
        missing = dict(re.findall(r"^  missing (.+?): (\w+/.*)$", child.out, re.M))
        before_it = f"simulated:ADA/USDT {day - timedelta(days=1)}"  # whose last candle may close in a cluster
        assert missing.keys() - {before_it} == blocked.keys()
        for name, path in blocked.items():
            assert missing[name].startswith(f"{path.parent.name}/{path.name.split('USDT')[0]}USDT")
            assert re.search(rf"cannot be written: {path.name} is a (folder|pipe|link)$", missing[name])
        assert all([(btc / "of somebody else").is_dir(), eth.is_fifo(), ada.is_symlink()])
        assert not again or re.search(ONLY_NEW, child.out)
    before = signals(data)
    days = {
        market: {key[-1][:10] for key in before if market in key} for market in ("ETH/USDT", "ADA/USDT", "SOL/USDT")
    }
    assert days["ETH/USDT"] == days["SOL/USDT"] - {str(day)}
    assert days["ADA/USDT"] == days["SOL/USDT"] - {name[-10:] for name in missing if "ADA/USDT" in name}
    assert {key[2] for key in before if "BTC/USDT" in key} == {"1h", "4h", "1d"}
    shutil.rmtree(btc)
    eth.unlink()
    ada.unlink()
    with running(command, tmp_path) as child:
        assert child.wait() == 0, child.out
        assert re.search(ONLY_NEW, child.out)
    after = signals(data)
    assert before.items() <= after.items()
    one, *others = ({key[2:] for key in after if market in key} for market in ("BTC/USDT", *days))
    assert others == [one] * 3
    assert all(StoreReader(data).holes(Market("simulated", market), "5m") == [] for market in ("BTC/USDT", *days))
    assert len(pd.read_parquet(btc)) >= 2 * 288 + 599


def test_a_ledger_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    late = tmp_path / "training_data" / "late"
    for day in range(2):
        (late / f"simulated_{utc(time.time_ns() // 1_000_000 + day * DAY_MS).date()}.json").mkdir(parents=True)
    with running([*BACKFILL, "BTC/USDT", "--days", "1", "--timeframes", "5m"], tmp_path) as child:
        assert child.wait() == 1
    assert re.search(r"^  missing late/(\S+): cannot be written: \1 is a folder$", child.out, re.M)
    assert "simulated:BTC/USDT" not in child.out
    assert signals(tmp_path / "training_data")
