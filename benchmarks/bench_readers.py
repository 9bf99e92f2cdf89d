"""Whether readers fail while their files are written: ``python -m benchmarks.bench_readers``.

Another process appends signals and candles a hundred times a second, and writes their files: 15,000 times as often as a
scan does. Each kind of reader reads on and on meanwhile.
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
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bench_store import BTC, NOW, STEP, history, record
from scanner.store.store import TrainingStore


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as path:
        candles = Path(path) / "ohlcv" / "binance_BTCUSDT_5m.parquet"
        signals = Path(path) / "signals" / "binance_BTCUSDT_2026-01-01.json"
        context = multiprocessing.get_context("spawn")
        ready, done, written = context.Event(), context.Event(), context.Value("q", 0)
        writer = context.Process(target=write, args=(path, options.pause, ready, done, written))
        writer.start()
        ready.wait()
        readers: dict[str, Callable[[], object]] = {
            "json.load of a day file": lambda: json.loads(signals.read_text()),
            "pandas, one handle": lambda: _by_handle(candles),
            "pandas, path": lambda: pd.read_parquet(candles),
            "pyarrow, path": lambda: pq.read_table(candles),
            "polars, path": lambda: pl.read_parquet(candles),
            "polars, lazily": lambda: pl.scan_parquet(candles).select(pl.col("close").sum()).collect(),
            "duckdb, path": lambda: duckdb.sql(f"SELECT count(*), sum(close) FROM '{candles}'").fetchall(),
        }
        print(f"{'reader':<26}{'reads':>8}{'failed':>8}{'writes meanwhile':>18}{'a read':>11}")
        for name, read in readers.items():
            print(f"{name:<26}{line(read, written, options)}", flush=True)
        done.set()
        writer.join()


def line(read: Callable[[], object], written, options: argparse.Namespace) -> str:  # type: ignore[no-untyped-def]
    """Read so many times, and on until there were so many writes."""
    before, began, reads, failed = written.value, time.perf_counter(), 0, 0
    while reads < options.reads or written.value - before < options.writes:
        reads += 1
        failed += _fails(read)
    each_ms = (time.perf_counter() - began) / reads * 1000
    return f"{reads:>8,}{failed:>8,}{written.value - before:>18,}{each_ms:>8.1f} ms"


def write(path: str, pause_s: float, ready, done, written) -> None:  # type: ignore[no-untyped-def]
    """Append a signal and a candle and write both, over and over."""
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
            time.sleep(2 * pause_s * np.random.default_rng(cycle).random())


def _by_handle(path: Path) -> None:
    with path.open("rb") as file:
        pd.read_parquet(file)


def _fails(read: Callable[[], object]) -> bool:
    try:
        read()
    except (OSError, ValueError, duckdb.Error, pa.ArrowException, pl.exceptions.PolarsError):
        return True
    return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Readers under a writing scanner.")
    parser.add_argument("--reads", type=int, default=10_000, help="of each kind, at least (default %(default)s)")
    parser.add_argument("--writes", type=int, default=1_000, help="meanwhile, at least (default %(default)s)")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between writes (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
