"""A scanning server, a process of its own, and the media that refuse it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scanner.markets import Market
from scanner.store.reader import StoreReader
from scanner.timeframes import length_ms
from tests.child import API, ROOT, Child, running
from tests.store.killing import wrong
from tests.waiting import wait_for

SPEED = 600  # a 5m candle every half second
SYMBOLS, TIMEFRAMES = ("BTC/USDT", "ETH/USDT", "SOL/USDT"), {"scalp": "5m", "swing": "1h"}
ORDER = {"symbols": SYMBOLS, "config": {"timeframes": TIMEFRAMES, "live_record": "all"}}
OBEYS_MODES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")  # which root does not without it


class Server:
    """What a running server says over HTTP; `pid` is the process that scans."""

    def __init__(self, child: Child, address: str, pid: int, data: Path) -> None:
        self.child, self.pid, self.data = child, pid, data
        self._host = address.removeprefix("http://")
        self._calls: list[HTTPConnection] = []
        self.call()

    def call(self) -> None:
        """Ask by a new connection from here on; those before stay open."""
        self._calls.append(HTTPConnection(self._host, timeout=60))

    def call_until_answered(self) -> None:
        """The same, and by another one where that is not answered: what was spared for it may be gone by then."""

        def answered() -> bool:
            self.call()
            try:
                return self.ask("continuous/status")[0] == 200
            except (HTTPException, OSError):
                self._calls.pop().close()
                return False

        wait_for(answered)

    def close(self) -> None:
        for call in self._calls:
            call.close()

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """Status and content of the answer; posted where there is a body."""
        data = None if body is None else json.dumps(body)
        self._calls[-1].request("GET" if data is None else "POST", f"/api/scanner/{path}", data)
        answer = self._calls[-1].getresponse()
        return answer.status, json.load(answer)

    def tell(self, path: str, body: object = None) -> None:
        status, answer = self.ask(f"continuous/{path}", body or {})
        assert status == 200, answer

    def store(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("continuous/status")[1]["store"]
        return found

    def wait_for_state(self, state: str) -> dict[str, Any]:
        """How writing goes, once it is `state`."""
        wait_for(lambda: self.store()["state"] == state, what=f"{state}: {self.store()}")
        return self.store()

    def newest(self) -> str:
        """The open time of the newest 5m candle there is a signal on; empty before any."""
        status, answer = self.ask("continuous/signals?timeframe=5m&limit=1000")
        return max((signal["candle_time"] for signal in answer["signals"]), default="") if status == 200 else ""

    def scan_on(self, candles: int = 2) -> str:
        """Wait until signals on that many further candles have appeared; the newest."""
        seen = self.newest()
        for _ in range(candles):
            seen = wait_for(lambda before=seen: found if (found := self.newest()) > before else None)  # type: ignore[misc]
        return seen

    def scan_on_for_new_callers(self) -> None:
        """The same for one candle by new connections; one that is not answered is followed by another."""

        def newer() -> bool:
            self.call()
            try:
                return self.newest() > seen
            except (HTTPException, OSError):
                return False
            finally:
                self._calls.pop().close()

        seen = self.newest()
        wait_for(newer)

    def all_losses_are_stated(self) -> bool:
        """Whether the gap ledger says of every record that was not kept when that was, and of none that it lasts."""
        losses = self.losses()
        return all(gap["to"] for gap in losses) and lost(losses) == self.store()["not_kept"]

    def losses(self) -> list[dict[str, Any]]:
        """What the gap ledger says of records that were not kept."""
        status, answer = self.ask("continuous/gaps?cause=not_kept&days=10")
        assert status == 200, answer
        found: list[dict[str, Any]] = answer["gaps"]
        return found


@contextmanager
def serving(data: Path, home: Path, prefix: Sequence[str] = (), **variables: str) -> Iterator[Server]:
    """A server that does not scan yet."""
    home.mkdir(exist_ok=True)
    options = ("--port", "0", "--data-dir", str(data), "--simulated", "--speed", str(SPEED))
    with running([*prefix, *API, *options], home, **variables) as child:
        address = child.wait_until_said(r"listening on (http://\S+)")[1]
        with closing(Server(child, address, child.pid, data)) as server:
            yield server


@contextmanager
def serving_by_gunicorn(data: Path, home: Path) -> Iterator[Server]:
    home.mkdir(exist_ok=True)
    variables = {"SCANNER_DATA_DIR": str(data), "SCANNER_SIMULATED": "1", "SCANNER_SPEED": str(SPEED)}
    command = ["python", "-m", "gunicorn", "scanner_api:app", "--bind", "127.0.0.1:0"]
    with running([*API[:1], *command[1:]], home, ROOT, **variables) as child:
        address = child.wait_until_said(r"Listening at: (http://\S+)")[1]
        child.wait_until_said("try: curl")
        worker = int(child.wait_until_said(r"Booting worker with pid: (\d+)")[1])
        with closing(Server(child, address, worker, data)) as server:
            yield server


def obeying_modes() -> tuple[str, ...]:
    """What a command must begin with to be refused what the modes of files forbid."""
    if os.geteuid() != 0:
        return ()
    if shutil.which(OBEYS_MODES[0]) is None:
        pytest.skip("root is forbidden nothing, and there is no setpriv")
    return OBEYS_MODES


@contextmanager
def small_disk(place: Path, size: str = "8m") -> Iterator[Path]:
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


# --- what a medium does; each is over at the end of its context ---------------------------------------------------

Fault = Callable[[Server], AbstractContextManager[None]]


@contextmanager
def full(server: Server) -> Iterator[None]:
    ballast = server.data.parent / "ballast"
    fill(ballast)
    yield
    ballast.unlink()


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    disk, view = server.data.parent, server.data.parent.with_name("view")
    view.mkdir()
    subprocess.run(["mount", "--bind", disk, view], check=True)
    try:  # made read-only where nobody has files open, then put over the disk
        subprocess.run(["mount", "-o", "remount,ro,bind", view], check=True)
        subprocess.run(["mount", "--bind", view, disk], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)
    finally:
        subprocess.run(["umount", "--lazy", view], check=True)


@contextmanager
def no_writing(server: Server) -> Iterator[None]:
    """The folders of records and candles may be read only."""
    with modes([server.data / name for name in ("signals", "clustering", "ohlcv", "journal")], 0o500):
        yield


@contextmanager
def no_entering(server: Server) -> Iterator[None]:
    """The whole folder may be neither read nor written."""
    with modes([server.data], 0o000):
        yield


@contextmanager
def no_descriptors(server: Server) -> Iterator[None]:
    """The process may open no more files than it has open."""
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    numbers = set.intersection(*_descriptors(server.pid))
    lowest = next(number for number in range(len(numbers) + 1) if number not in numbers)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        server.call_until_answered()
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)


def _descriptors(pid: int, looks: int = 30) -> Iterator[set[int]]:
    """The open descriptors of a process, time and again: a flush keeps one for as long as the medium takes."""
    pause = threading.Event()
    for _ in range(looks):
        yield {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
        pause.wait(0.02)


@contextmanager
def modes(paths: Sequence[Path], mode: int) -> Iterator[None]:
    for path in paths:
        path.chmod(mode)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


# --- what must hold afterwards ------------------------------------------------------------------------------------


def lost(gaps: Sequence[dict[str, str]]) -> int:
    """How many records the gap ledger says were not kept."""
    return sum(int(gap["detail"].split()[0]) for gap in gaps)


def damage(data: Path) -> list[str]:
    """What does not hold in the folder: files that do not open, records that are there twice, candles that are not."""
    found = wrong(data, SimpleNamespace(signals=set(), candles={}))  # type: ignore[arg-type]
    reader = StoreReader(data)
    for symbol in SYMBOLS:
        for timeframe in TIMEFRAMES.values():
            steps = np.diff(reader.candles(Market("simulated", symbol), timeframe).open_time)
            if not len(steps) or (steps != length_ms(timeframe)).any():
                found.append(f"{symbol} {timeframe}: candles are missing")
    return found
