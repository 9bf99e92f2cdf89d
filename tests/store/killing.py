"""A scanning server killed under load, over and over, and what it had shown: ``python -m tests.store.killing``.

After every kill each file must open, everything the API had shown must be there, and nothing twice. Exits with 1 when
that is not so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from scanner.clock import WallClock
from scanner.markets import Market
from scanner.simulated import Limits, SimulatedExchange, generated
from scanner.store.store import TrainingStore
from tests.runtime.resuming import SharedClock
from tests.store.making import ROOT

SPEED = 300.0  # a 5m candle a second
LONGEST_S = 1.0  # that a process lives: from its beginning, or from when it scans
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT", "JUV/USDT")
TIMEFRAMES = ("5m", "1h")


class Server:
    """Processes of one data folder; only one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.signals: set[str] = set()  # every signal the API has shown, as its key
        self.candles: dict[tuple[str, str], dict[str, float]] = {}  # (symbol, timeframe) -> timestamp -> close

    def life(self, seconds: float, *, scanning: bool) -> None:
        """Have a process live for a while, counted from when it scans if wanted; note what it shows, kill it."""
        self._tell("live")
        pid = int(self._line())
        if scanning:
            port = self._line()
            while not self._look(port):
                time.sleep(0.01)
        ends = time.monotonic() + seconds
        os.set_blocking(self._out.fileno(), False)
        port = port if scanning else ""
        while time.monotonic() < ends:
            port = port or self._out.readline().strip()
            if port:
                self._look(port)
            else:
                time.sleep(0.01)  # until there is a port, or the life is over
        os.kill(pid, signal.SIGKILL)
        os.set_blocking(self._out.fileno(), True)
        while self._line() != "gone":
            pass

    def _look(self, port: str) -> int:
        """Ask the API; how many signals it shows."""
        symbol = random.choice(SYMBOLS)
        newest = _get(port, "/api/scanner/continuous/signals?limit=1000").get("signals", [])
        self.signals.update(map(key_of, newest))
        dataset = _get(port, f"/api/scanner/training-data/{symbol}?days=3").get("dataset", {})
        self.signals.update(key_of(each) for each in dataset.get("signals", []))
        for timeframe, rows in dataset.get("ohlcv", {}).items():
            kept = self.candles.setdefault((symbol, timeframe), {})
            kept.update((row["timestamp"], row["close"]) for row in rows)
        return len(newest)

    @property
    def _out(self) -> Any:
        return self._process.stdout

    def _line(self) -> str:
        return str(self._out.readline()).strip()

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()


def key_of(record: dict[str, Any]) -> str:
    names = ("symbol", "exchange", "timeframe", "timestamp", "candle_time", "candle_closed", "combined_score")
    return json.dumps([record[name] for name in names])


def _get(port: str, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:  # nothing yet
        error.close()
        return {}


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """An exchange that goes on while the processes that scan it come and go."""
    clock = SharedClock(WallClock().now_ms() - int(time.monotonic_ns() * SPEED / 1e6), SPEED)
    with SimulatedExchange(generated(seed=3), clock, limits=Limits(binance_weight=300_000)) as exchange:
        command = [sys.executable, "-m", "tests.store.nursery", str(folder), exchange.url]
        process = subprocess.Popen(
            [*command, str(clock.start_ms), str(SPEED), *SYMBOLS],
            cwd=ROOT,
            env={**os.environ, "HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with process:
            try:
                yield Server(process)
            finally:
                process.kill()


def wrong(folder: Path, server: Server) -> list[str]:
    """What does not hold in a folder after a kill."""
    found = [f"{path.name} was set aside" for path in folder.rglob("*.corrupt-*")]
    records: Counter[str] = Counter()
    for path in folder.glob("signals/[!.]*.json"):
        records.update(key_of(record) for record in json.loads(path.read_text()))
    found += [f"twice: {key}" for key, times in records.items() if times > 1]
    found += [f"lost: {key}" for key in server.signals - set(records)]
    finals = Counter((key[0], key[2], key[4]) for key in map(json.loads, records) if key[5])
    found += [f"final twice: {key}" for key, times in finals.items() if times > 1]
    for kind in ("clustering", "gaps", "universe"):
        for path in folder.glob(f"{kind}/[!.]*.json"):
            json.loads(path.read_text())
    for path in folder.glob("ohlcv/[!.]*.parquet"):
        moments = pd.read_parquet(path)["timestamp"]
        if not (moments.is_unique and moments.is_monotonic_increasing):
            found.append(f"{path.name}: a candle twice")
    store = TrainingStore(folder)
    for (symbol, timeframe), shown in server.candles.items():
        rows = store.candles(Market("simulated", symbol), timeframe)
        stamps = pd.to_datetime(rows.open_time, unit="ms", utc=True)
        kept = {stamp.isoformat(): close for stamp, close in zip(stamps, rows.values[:, 3].tolist(), strict=True)}
        found += [f"lost: {symbol} {timeframe} {stamp}" for stamp, close in shown.items() if kept.get(stamp) != close]
    return found


def told(*lines: str) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.store.killing", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many (default: 200)")
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory(prefix="killing-") as path, serving(Path(path)) as server:
        for number in range(kills):
            server.life(random.uniform(0, LONGEST_S), scanning=number % 2 == 0)
            if problems := wrong(Path(path), server):
                return told(f"after kill {number + 1}:", *problems[:20])
        candles = sum(map(len, server.candles.values()))
        told(f"{kills} kills: {len(server.signals):,} signals and {candles:,} candles shown, all kept once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
