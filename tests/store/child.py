"""What the tests have done in another process: ``python -m tests.store.child JOB FOLDER ...``."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scanner.errors import FolderInUse, StoreFailure
from scanner.store.store import TrainingStore
from scanner.timeframes import MINUTE_MS
from tests.store.making import BTC, ETH, MIDNIGHT, SWAP, candles, cluster, signal


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def own(folder: str) -> None:
    """Own the folder until standard input ends; say our pid, or why not."""
    try:
        with TrainingStore(folder):
            say(os.getpid())
            sys.stdin.read()
    except FolderInUse as error:
        say(error)


def append_records(folder: str) -> None:
    """Append for ever; say the number of each cycle once it is kept."""
    store = TrainingStore(folder)
    store.open()
    for cycle in range(1_000_000):
        batch = [signal(MIDNIGHT + cycle, final=False, number=cycle, filling="x" * 3000)] * 3
        store.append_signals({BTC: batch, ETH: batch}, MIDNIGHT)
        store.append_clusters({SWAP: [cluster(MIDNIGHT + cycle, number=cycle)]}, MIDNIGHT)
        say(cycle)


def append_candles(folder: str) -> None:
    """Write candles for ever; say how many are kept."""
    store = TrainingStore(folder)
    store.open()
    for cycle in range(1_000_000):
        for market in (BTC, SWAP):
            store.append_candles(market, "5m", *candles(MIDNIGHT + cycle * 5 * 200 * MINUTE_MS, 200))
            store.write_candles(market, "5m")
        say((cycle + 1) * 200)


def read_array(path: str) -> None:
    """Read the file over and over until standard input ends; say how many reads there were, and how many failed."""
    import threading

    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set())).start()
    say("ready")
    good = bad = 0
    while True:
        try:
            with Path(path).open() as file:
                json.load(file)
            good += 1
        except ValueError:
            bad += 1
        if done.is_set():
            break
    say(f"{good} {bad}")


def read_by_path(folder: str, kind: str) -> None:
    """For each line of standard input read a file some times; say ``whole``, or what was wrong."""
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow.parquet as pq

    candles = f"{folder}/ohlcv/binance_BTCUSDT_5m.parquet"
    (signals,) = Path(folder).glob("signals/[!.]*.json")
    query = f"SELECT epoch_ms(timestamp), close FROM '{candles}'"
    read: Callable[[], tuple[Any, Any]] = {
        "json": lambda: ([0], json.loads(signals.read_text()) and 100.0),
        "pandas": lambda: _columns(pd.read_parquet(candles)),
        "duckdb": lambda: tuple(duckdb.sql(query).fetchnumpy().values()),
        "polars": lambda: _columns(pl.read_parquet(candles).to_pandas()),
        "pyarrow": lambda: _columns(pq.read_table(candles).to_pandas()),
    }[kind]
    read()
    say("ready")
    for _ in sys.stdin:
        try:
            whole = all(_is_whole(*read()) for _ in range(3))
        except (OSError, ValueError, duckdb.Error, pl.exceptions.PolarsError) as error:
            say(repr(error).replace("\n", " "))
        else:
            say("whole" if whole else "other candles")


def _columns(frame: Any) -> tuple[Any, Any]:
    return frame["timestamp"].astype("datetime64[ms, UTC]").astype("int64"), frame["close"]


def _is_whole(open_time: Any, close: Any) -> bool:
    """Whether the candles follow each other, at the price of 100 that the test gave them."""
    return bool((np.diff(open_time) == 300_000).all() and np.all(close == 100.0))


def limited(folder: str, limit: str) -> None:
    """Append with a limit on the size of every file, then without: say what became of each."""
    store = TrainingStore(folder)
    store.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    for number in range(40):
        try:
            store.append_signals({BTC: [signal(number=number, filling="x" * 200)], ETH: []}, MIDNIGHT)
        except StoreFailure as error:
            say(f"failed {number} {error}")
            break
    health = store.health()
    say(json.dumps({key: health[key] for key in ("state", "cause", "not_kept")}))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.append_signals({BTC: [signal(number=-1)]}, MIDNIGHT)
    say(store.health()["state"])
    store.close()


JOBS = {
    "own": own,
    "append_records": append_records,
    "append_candles": append_candles,
    "read_array": read_array,
    "read_by_path": read_by_path,
    "limited": limited,
}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
