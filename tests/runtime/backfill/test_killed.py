"""A backfill that is killed again and again ends as one that is not, and fetches nothing twice that it has kept."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from scanner.clock import ManualClock
from scanner.markets import Market, parse_symbol
from scanner.simulated import Limits, SimulatedExchange, generated
from scanner.store.dataset import Query
from scanner.store.past import features_of
from scanner.store.reader import StoreReader
from scanner.timeframes import HOUR_MS

ROOT = Path(__file__).parents[3]
NOW = 1_761_307_200_000  # 2025-10-24T12:00:00Z
DAYS = 2
SYMBOLS = ("BTC/USDT", "ETH/USDT", "JUV/USDT")  # the last is often silent
CANDLES = "/api/v3/klines"


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatedExchange]:
    with SimulatedExchange(generated(seed=3), ManualClock(NOW), limits=Limits(binance_weight=300_000)) as opened:
        opened.requests = Requests()
        yield opened


class Requests(Counter[str]):
    """Counts those of an exchange, and does at one of them, before it is answered, what a test wants done."""

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[int, Callable[[], None]] = {}

    def at(self, number: int, act: Callable[[], None]) -> None:
        self._due[number] = act

    def __setitem__(self, path: str, count: int) -> None:
        super().__setitem__(path, count)
        if path == CANDLES and (act := self._due.pop(count, None)):
            act()


class Whole(NamedTuple):
    folder: Path
    said: dict[str, Any]


class Lives:
    """Backfills of one exchange, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def whole(self, folder: Path) -> dict[str, Any]:
        """One that comes to its end; what it says of itself."""
        self._begin(folder)
        found: dict[str, Any] = json.loads(self._line())
        assert self._line() == "gone"
        return found

    def killed_at_request(self, folder: Path, requests: Requests, number: int) -> None:
        """One that is killed as it asks for candles so many times."""
        pid: Future[int] = Future()
        requests.at(requests[CANDLES] + number, lambda: os.kill(pid.result(60), signal.SIGKILL))
        pid.set_result(self._begin(folder))
        assert self._line() == "gone", "it had come to its end"

    def killed_at_file(self, folder: Path, name: str, number: int) -> None:
        """One that is killed where there are so many files in a folder of its data, and are to be more."""
        self._begin(folder, name, number)
        assert self._line() == "gone", "it had come to its end"

    def _begin(self, *line: object) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(map(str, line)) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def lives(exchange: SimulatedExchange) -> Iterator[Lives]:
    command = [sys.executable, "-m", "tests.runtime.backfill.lives", exchange.url, str(NOW), str(DAYS), *SYMBOLS]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield Lives(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def whole(lives: Lives, exchange: SimulatedExchange, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What was not killed."""
    folder, before = tmp_path_factory.mktemp("whole"), asked(exchange)
    said = lives.whole(folder)
    assert said["failed"] == {}
    assert asked(exchange) - before == said["requests"]
    return Whole(folder, said)


def asked(exchange: SimulatedExchange) -> int:
    """How often candles have been asked for; what was asked before the killed one died is counted by now."""
    with urllib.request.urlopen(f"{exchange.url}/api/v3/ping", timeout=60) as answer:
        answer.read()
    return exchange.requests[CANDLES]


def candles(folder: Path) -> dict[tuple[str, str], list[int]]:
    store = StoreReader(folder)
    return {
        (symbol, timeframe): store.candles(Market("simulated", symbol), timeframe).open_time.tolist()
        for symbol in SYMBOLS
        for timeframe in ("5m", "1h", "4h", "1d")
    }


def hashes(folder: Path) -> dict[str, str]:
    """A hash of the features and labels of each market."""
    found = {}
    for symbol in SYMBOLS:
        table = features_of(StoreReader(folder), Query(parse_symbol(symbol), DAYS + 2), NOW + HOUR_MS)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        assert table.num_rows > 288 * DAYS
        found[symbol] = hashlib.sha256(sink.getvalue()).hexdigest()
    return found


def test_killed_at_any_point_it_ends_as_one_that_was_not(
    tmp_path: Path, exchange: SimulatedExchange, lives: Lives, whole: Whole
) -> None:
    requests = exchange.requests
    assert isinstance(requests, Requests)
    for number in (1, 5, 9):
        lives.killed_at_request(tmp_path, requests, number)
        asked(exchange)
    lives.killed_at_file(tmp_path, "signals", 1)
    before = asked(exchange)
    said = lives.whole(tmp_path)
    assert (said["failed"], said["held"], said["fetched"]) == ({}, whole.said["fetched"], 0)
    assert asked(exchange) - before == 0
    assert candles(tmp_path) == candles(whole.folder)
    assert hashes(tmp_path) == hashes(whole.folder)


def test_what_it_has_kept_before_a_kill_is_not_asked_for_again(
    tmp_path: Path, exchange: SimulatedExchange, lives: Lives, whole: Whole
) -> None:
    lives.killed_at_file(tmp_path, "ohlcv", 3)
    kept, before = sum(map(len, candles(tmp_path).values())), asked(exchange)
    said = lives.whole(tmp_path)
    assert 0 < said["held"] == kept
    assert kept + said["fetched"] == whole.said["fetched"]
    assert asked(exchange) - before == said["requests"] < whole.said["requests"]
