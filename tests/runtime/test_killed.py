"""A scanning process that is really killed, and the next: nothing repeated, nothing lost, nothing unexplained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.clock import WallClock
from scanner.markets import Market
from scanner.simulated import Limits, SimulatedExchange, generated
from scanner.store.gaps import DOWN, NO_TRADE
from scanner.store.store import TrainingStore
from tests.child import ROOT
from tests.runtime.resuming import SharedClock
from tests.waiting import wait_for

SPEED = 300.0  # a 5m candle a second
SYMBOLS = ("BTC/USDT", "ETH/USDT", "JUV/USDT", "QNT/USDT")  # the last two are often silent
CANDLE = timedelta(minutes=5)


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    """An exchange that outlives the processes that ask it."""
    clock = SharedClock(WallClock().now_ms() - int(time.monotonic_ns() * SPEED / 1e6), SPEED)
    with SimulatedExchange(generated(seed=3), clock, limits=Limits(binance_weight=300_000)) as opened:
        yield opened


@contextmanager
def scanning(folder: Path, exchange: SimulatedExchange) -> Iterator[subprocess.Popen[str]]:
    """A scanning process, killed at the end; its first word tells whether it resumed."""
    clock: Any = exchange.clock
    command = [sys.executable, "-m", "tests.runtime.resuming", str(folder), exchange.url]
    process = subprocess.Popen(
        [*command, str(clock.start_ms), str(SPEED), *SYMBOLS],
        cwd=ROOT,
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def finals(folder: Path, symbol: str) -> list[dict[str, Any]]:
    """The final 5m signals on disk, oldest candle first."""
    files = sorted((folder / "signals").glob(f"simulated_{symbol.replace('/', '')}_*.json"))
    found = [record for path in files for record in json.loads(path.read_text())]
    chosen = [record for record in found if record["candle_closed"] and record["timeframe"] == "5m"]
    return sorted(chosen, key=lambda record: str(record["candle_time"]))


def downtimes(folder: Path) -> list[bool | None]:
    """Of every time nothing was scanning, whether it has been backfilled."""
    return [gap.backfilled for gap in TrainingStore(folder).gaps.read() if gap.cause == DOWN]


def first_word(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_after_a_kill_everything_goes_on_where_it_was(tmp_path: Path, exchange: SimulatedExchange) -> None:
    with scanning(tmp_path, exchange) as process:
        assert first_word(process) == "started"
        wait_for(lambda: all(len(finals(tmp_path, symbol)) > 2 for symbol in SYMBOLS))
        files = [tmp_path / "ohlcv" / f"simulated_{s.replace('/', '')}_5m.parquet" for s in SYMBOLS]
        wait_for(lambda: all(path.exists() for path in files))
        process.kill()
    killed_at = max(str(record["timestamp"]) for symbol in SYMBOLS for record in finals(tmp_path, symbol))
    before = {symbol: finals(tmp_path, symbol) for symbol in SYMBOLS}
    with scanning(tmp_path, exchange) as process:
        assert first_word(process) == "resumed"
        wait_for(lambda: downtimes(tmp_path) == [True])
        wait_for(lambda: all(finals(tmp_path, symbol)[-1]["timestamp"] > killed_at for symbol in SYMBOLS))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    for symbol in SYMBOLS:
        found = finals(tmp_path, symbol)
        opened = [datetime.fromisoformat(record["candle_time"]) for record in found]
        assert opened == [opened[0] + i * CANDLE for i in range(len(opened))], symbol  # none twice, none missing
        assert found[: len(before[symbol])] == before[symbol]  # and none has changed
        for record, at in zip(found, opened, strict=True):
            assert datetime.fromisoformat(record["timestamp"]) >= at + CANDLE
        for timeframe in ("5m", "1h"):
            holes = TrainingStore(tmp_path).holes(Market("simulated", symbol), timeframe)
            assert {hole.cause for hole in holes} <= {NO_TRADE}, symbol
