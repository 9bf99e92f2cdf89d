"""Whether readers fail while their files are written: ``python -m benchmarks.bench_readers``.

Another process appends signals and candles as fast as it can, which is thousands of times as often as a scan does. Each
kind of reader reads on and on meanwhile.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.bench_store import BTC, NOW, STEP, history, record
from scanner.store.store import TrainingStore


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as path:
        candles = Path(path) / "ohlcv" / "binance_BTCUSDT_5m.parquet"
        signals = Path(path) / "signals" / "binance_BTCUSDT_2026-01-01.json"
        context = multiprocessing.get_context("spawn")
        ready, done, written = context.Event(), context.Event(), context.Value("q", 0)
        writer = context.Process(target=write, args=(path, ready, done, written))
        writer.start()
        ready.wait()
        readers: dict[str, Callable[[], object]] = {
            "json.load of a day file": lambda: json.loads(signals.read_text()),
            "pandas, one handle": lambda: _by_handle(candles),
            "pandas, path": lambda: pd.read_parquet(candles),
            "duckdb, path": lambda: duckdb.sql(f"SELECT count(*), sum(close) FROM '{candles}'").fetchall(),
        }
        print(f"{'reader':<26}{'reads':>8}{'failed':>8}{'writes meanwhile':>18}")
        for name, read in readers.items():
            before = written.value
            failed = sum(_fails(read) for _ in range(options.reads))
            print(f"{name:<26}{options.reads:>8,}{failed:>8,}{written.value - before:>18,}")
        done.set()
        writer.join()


def write(path: str, ready, done, written) -> None:  # type: ignore[no-untyped-def]
    with TrainingStore(path) as store:
        store.append_closed([(BTC, "5m", history(NOW - 10_000 * STEP, NOW))])
        for cycle in range(10_000_000):
            moment = NOW + cycle * STEP
            store.append_signals({BTC: [record(cycle)]}, NOW)
            store.append_closed([(BTC, "5m", history(moment, moment + STEP))])
            store.write_candles(BTC, "5m")
            written.value += 1
            ready.set()
            if done.is_set():
                return
            time.sleep(np.random.default_rng(cycle).random() * 0.002)


def _by_handle(path: Path) -> None:
    with path.open("rb") as file:
        pd.read_parquet(file)


def _fails(read: Callable[[], object]) -> bool:
    try:
        read()
    except (OSError, ValueError, duckdb.Error):
        return True
    return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Readers under a writing scanner.")
    parser.add_argument("--reads", type=int, default=10_000, help="of each kind (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
