"""Programs as people start them: real child processes, with or without a terminal, never left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import wait_for

ROOT = Path(__file__).parents[1]
SCANNER, API = (sys.executable, str(ROOT / "continuous_scanner.py")), (sys.executable, str(ROOT / "scanner_api.py"))
OURS = ("SCANNER_", "GUNICORN_", "WEB_CONCURRENCY", "MAKE", "MFLAGS", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
_ON_TERMINAL = 'exec <"$0" >"$0" 2>&1; exec "$@"'  # the first terminal a session opens controls it
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Child:
    """A running program; `out` and `err` are what it has said so far, on a terminal all of it in `out`."""

    def __init__(
        self, process: subprocess.Popen[bytes], sources: Sequence[int], terminal: tuple[int, int] | None = None
    ) -> None:
        self._process = process
        self._typing, self._held = terminal or (None, None)  # held open until the program has ended
        self._said = [bytearray() for _ in sources]
        self._readers = [
            threading.Thread(target=_read, args=pair, name="child-output")
            for pair in zip(sources, self._said, strict=True)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def out(self) -> str:
        return _CONTROL.sub("", self._said[0].decode(errors="replace"))

    @property
    def err(self) -> str:
        return self._said[-1].decode(errors="replace")

    def wait_until_said(self, pattern: str, deadline_s: float = 60) -> re.Match[str]:
        """The first match of `pattern` in the output; fails when the program ends without saying it."""

        def match() -> re.Match[str] | None:
            ended = self._process.poll() is not None
            if ended:
                self._join()
            found = re.search(pattern, self.err) or re.search(pattern, self.out)
            assert found or not ended, f"ended with {self._process.returncode}: {self.out}\n{self.err}"
            return found

        return wait_for(match, deadline_s, f"{pattern!r} in what the program says")  # type: ignore[return-value]

    def wait(self, deadline_s: float = 60) -> int:
        """Its exit status; everything it said has then been read."""
        status = self._process.wait(deadline_s)
        self._join()
        return status

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal to the process; its exit status and how long it took, in seconds."""
        began = time.monotonic()
        self._process.send_signal(number)
        return self.wait(), time.monotonic() - began

    def press_ctrl_c(self) -> tuple[int, float]:
        """As `stop`, by typing on its terminal."""
        assert self._typing is not None
        began = time.monotonic()
        os.write(self._typing, b"\x03")
        return self.wait(), time.monotonic() - began

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a group of its own
        self._process.wait()
        self._join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._typing is not None:
            os.close(self._typing)

    def _join(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None
        for reader in self._readers:
            reader.join(30)


def _read(source: int, into: bytearray) -> None:
    with suppress(OSError):  # a terminal whose last program has gone
        while block := os.read(source, 65536):
            into += block


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a child: ours without what would configure it, and a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "HOME": str(home), "TERM": "xterm-256color", **variables}


@contextmanager
def running(command: Sequence[str], folder: Path, cwd: Path | None = None, **variables: str) -> Iterator[Child]:
    """A program whose working folder is `folder` unless `cwd` says otherwise, its output going to pipes."""
    process = subprocess.Popen(
        command,
        cwd=cwd or folder,
        env=environment(folder, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stderr
    child = Child(process, (process.stdout.fileno(), process.stderr.fileno()))
    try:
        yield child
    finally:
        child.kill()


@contextmanager
def on_terminal(
    command: Sequence[str], folder: Path, size: tuple[int, int] = (40, 120), **variables: str
) -> Iterator[Child]:
    """A program on a terminal of `size` lines and columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(
        ["sh", "-c", _ON_TERMINAL, os.ttyname(theirs), *command],
        cwd=folder,
        env=environment(folder, **variables),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    child = Child(process, (ours,), (ours, theirs))
    try:
        yield child
    finally:
        child.kill()
