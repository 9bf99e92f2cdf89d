"""The file in which the processes of a host keep one exchange's account, under a lock of the folder.

A file of its own for each exchange: its id, or the loopback address of an embedded one. It is replaced whole, so a
killed process leaves it readable; what that process had reserved leaves the window by itself. What is no account is
set aside when it cannot be read at all, and left alone when somebody else may be able to.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock

from scanner.gateway.failures import LONGEST_WAIT_S
from scanner.gateway.ledger import Closed, Ledger, Share, read_ledger

LOCK_NAME = "weights.lock"
LOCK_S = 0.3  # a process holds the lock for far less than a millisecond
LEFT_BEHIND_S = 3600.0  # an embedded exchange's account that nobody has touched for so long
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Said:
    """What a process tells, and what it would like to spend: `want` of at most `room` if nobody else spent."""

    spent: tuple[tuple[float, int], ...]
    kept: int = 0
    want: int = 0
    least: int = 0  # less than this is of no use
    room: int = 0
    lapses_s: float = 0.0  # what is granted must be spent within
    closed: Closed | None = None


@dataclass(frozen=True)
class Heard:
    """What a process hears: what the others have spent, what was granted and until when, and how many they are."""

    others: list[tuple[float, int]]
    kept: int
    granted: int
    until: float
    processes: int
    closed: Closed | None


class Account:
    """One exchange's account in a folder. `exchange` may be called from any thread, by one at a time.

    Parameters
    ----------
    name : str
        Of the exchange, the same in all processes.
    """

    def __init__(self, folder: Path, name: str, window_s: float, wall: Callable[[], float] = time.time) -> None:
        self.path = folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.json"
        self.wall = wall
        self._window_s = window_s
        self._name = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._lock = filelock.FileLock(folder / LOCK_NAME, timeout=LOCK_S, poll_interval=0.002, thread_local=False)

    def exchange(self, said: Said) -> Heard:
        """Tell, hear, and reserve in one step.

        Raises
        ------
        OSError, filelock.Timeout
            The file cannot be read, written or locked.
        ValueError
            It is somebody else's.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            now = self.wall()
            ledger = self._read(now)
            mine = Share(now, said.spent, said.kept)
            ledger = ledger.told(self._name, mine, said.closed, now, self._window_s)
            others, kept = ledger.others(self._name), ledger.kept_by_others(self._name)
            granted = _granted(said, sum(weight for _, weight in others) + kept)
            until = now + said.lapses_s
            if granted:
                reserved = Share(now, (*said.spent, (until, granted)), said.kept)
                ledger = ledger.told(self._name, reserved, None, now, self._window_s)
            self._write(ledger, durable=said.closed is not None)
        return Heard(others, kept, granted, until, len(ledger.shares), ledger.closed)

    def leave(self, said: Said) -> None:
        """The last words: nothing stays reserved, and an embedded exchange's account ends with its last user."""
        heard = self.exchange(said)
        if self.path.name.startswith(LOOPBACK) and heard.processes == 1 and heard.closed is None:
            with contextlib.suppress(OSError), self._lock:
                self.path.unlink()
            _sweep(self.path.parent, self.wall())

    def _read(self, now: float) -> Ledger:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Ledger()
        except UnicodeDecodeError:
            text = ""
        try:
            return read_ledger(text, now, LONGEST_WAIT_S)
        except ValueError as error:
            if _is_json(text):
                raise ValueError(f"{self.path}: {error}; move it away") from error
            self.path.replace(self.path.with_suffix(".corrupt"))
            return Ledger()

    def _write(self, ledger: Ledger, *, durable: bool) -> None:
        beside = self.path.with_suffix(".tmp")
        with beside.open("w", encoding="utf-8") as file:
            file.write(ledger.written())
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(self.path)


def _granted(said: Said, others: int) -> int:
    most = min(said.want, said.room - others)
    return most if most >= max(said.least, 1) else 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _sweep(folder: Path, now: float) -> None:
    """Remove accounts of embedded exchanges whose processes were killed."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{LOOPBACK}*.json"):
            if now - path.stat().st_mtime > LEFT_BEHIND_S:
                path.unlink()
