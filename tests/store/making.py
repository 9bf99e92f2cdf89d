"""Records, candles and child processes for the tests of the store."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from scanner.markets import Market
from scanner.records import iso
from scanner.store import regular
from scanner.store.batches import Batch
from scanner.store.ohlcv import Rows
from scanner.timeframes import DAY_MS, LENGTH_MS, MINUTE_MS

BTC = Market("binance", "BTC/USDT")
ETH = Market("binance", "ETH/USDT")
SWAP = Market("kucoinfutures", "BTC/USDT:USDT")
MIDNIGHT = 1_761_264_000_000  # 2025-10-24T00:00:00Z
NOON = MIDNIGHT + DAY_MS // 2
ROOT = Path(__file__).parents[2]


def signal(moment_ms: int = NOON, *, timeframe: str = "5m", final: bool = False, **more: Any) -> dict[str, Any]:
    """A signal made at `moment_ms` on the candle that was open then, or on the one that had just closed."""
    length = LENGTH_MS[timeframe]
    opened = moment_ms - moment_ms % length - (length if final else 0)
    times = {"timestamp": iso(moment_ms), "candle_time": iso(opened), "candle_closed": final}
    return {
        "symbol": "BTC/USDT",
        "exchange": "binance",
        "timeframe": timeframe,
        **times,
        "combined_score": 61.5,
        **more,
    }


def cluster(moment_ms: int = NOON, *, timeframe: str = "5m", **more: Any) -> dict[str, Any]:
    record = {"symbol": "binance:BTC/USDT", "timeframe": timeframe, "timestamp": iso(moment_ms), "total_clusters": 1}
    return record | more


def candles(start_ms: int, count: int, price: float = 100.0, step_ms: int = 5 * MINUTE_MS) -> tuple[np.ndarray, ...]:
    """Open times and five columns: `price` in all of them, volume 1."""
    moments = start_ms + step_ms * np.arange(count)
    flat = np.full(count, price)
    return moments, flat, flat, flat, flat, np.ones(count)


def rows(start: int, count: int = 1, price: float = 100.0) -> Rows:
    """Candles of 5 minutes, the first of them the `start`th since `MIDNIGHT`."""
    moments, *columns = candles(MIDNIGHT + start * 5 * MINUTE_MS, count, price)
    return Rows(moments, np.stack(columns, axis=-1))


def batches_of(count: int) -> list[Batch]:
    """Batches for a journal, each with candles of two files."""
    return [
        [("a.parquet", rows(number)), ("b.parquet", rows(number, 2, price=number + 1.0))] for number in range(count)
    ]


def same_batches(found: list[Batch], wanted: list[Batch]) -> None:
    assert [[name for name, _ in batch] for batch in found] == [[name for name, _ in batch] for batch in wanted]
    assert all(a[1].equals(b[1]) for x, y in zip(found, wanted, strict=True) for a, b in zip(x, y, strict=True))


def listing(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def make_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file refuse to be read, as one without permission does (to root none does)."""

    def refuse(path: Path) -> BinaryIO:
        path.lstat()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(regular, "opened", refuse)


class Seconds:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def child(job: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that runs one job of `child.py`; killed at the end."""
    command = [sys.executable, "-m", "tests.store.child", job, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
