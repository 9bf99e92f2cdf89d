"""Faults a test can switch on while the exchange runs, from any thread.

Each is a small value; `Faults` holds which paths suffer from which.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

ALL = "/"  # the prefix of every path


@dataclass(frozen=True)
class Hang:
    """No answer until faults are cleared."""


@dataclass(frozen=True)
class Drip:
    """The answer comes in small pieces, with a pause after each."""

    piece_bytes: int = 16
    pause_s: float = 0.1


@dataclass(frozen=True)
class Reset:
    """The connection is cut without an answer."""


@dataclass(frozen=True)
class Status:
    """An HTTP error in place of the answer, with or without Retry-After."""

    code: int
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Html:
    """A web page, as a firewall or a maintenance notice answers."""

    code: int = 200


@dataclass(frozen=True)
class Truncated:
    """The first half of the JSON."""


@dataclass(frozen=True)
class Empty:
    """200 without a body."""


@dataclass(frozen=True)
class Nulls:
    """Right shape, wrong values: every number becomes `value`, times and ids stay."""

    value: str | None = None  # None is null; "NaN" and the like are text


@dataclass(frozen=True)
class Holes:
    """Every second row of a table of candles, the newest excepted, has `value` in place of its numbers."""

    value: str | None = None


@dataclass(frozen=True)
class Frozen:
    """Market time stands still: a live server with old data."""

    at_ms: int


@dataclass(frozen=True)
class Skewed:
    """Market time is off by this much, ahead when positive."""

    by_ms: int


@dataclass(frozen=True)
class Delisted:
    """The symbol is gone from the exchange, as spot pair and as swap."""

    symbol: str  # BTC/USDT


@dataclass(frozen=True)
class Silent:
    """A websocket that stays open, answers what it is asked, and tells nothing."""


@dataclass(frozen=True)
class Repeating:
    """A websocket that tells what it told last, over and over, with the times it had."""


@dataclass(frozen=True)
class HalfDead:
    """A websocket on which some markets have gone dead; subscribing to them anew helps."""

    symbols: tuple[str, ...]  # BTC/USDT


@dataclass(frozen=True)
class CloseAfter:
    """A websocket that the exchange closes after so many real seconds."""

    seconds: float


Fault = (
    Hang
    | Drip
    | Reset
    | Status
    | Html
    | Truncated
    | Empty
    | Nulls
    | Holes
    | Frozen
    | Skewed
    | Delisted
    | Silent
    | Repeating
    | HalfDead
    | CloseAfter
)


class Faults:
    """Which paths suffer from what; safe to change from another thread while requests run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: tuple[tuple[str, Fault], ...] = ()
        self._left: dict[tuple[str, Fault], int] = {}
        self.clearings = 0  # how often faults were cleared: a hanging request waits for the next time

    def set(self, prefix: str, *faults: Fault, times: int | None = None) -> None:
        """Paths that start with `prefix` suffer from `faults`, besides what was set before.

        Parameters
        ----------
        prefix : str
            Such as ``/api/v3/klines``, or `ALL`.
        times : int or None
            Requests until it is over by itself; None is until cleared.
        """
        with self._lock:
            new = tuple((prefix, fault) for fault in faults)
            self._rules = tuple(rule for rule in self._rules if rule not in new) + new
            for rule in new:
                self._left.pop(rule, None)
                if times is not None:
                    self._left[rule] = times

    def clear(self, prefix: str | None = None) -> None:
        """End the faults of one prefix, or all."""
        with self._lock:
            self._rules = tuple(rule for rule in self._rules if prefix is not None and rule[0] != prefix)
            self._left = {rule: left for rule, left in self._left.items() if rule in self._rules}
            self.clearings += 1

    def drawn(self, path: str) -> tuple[Fault, ...]:
        """Faults one request suffers from, in the order they were set; it uses up one of their `times`."""
        with self._lock:
            hit = tuple(rule for rule in self._rules if path.startswith(rule[0]))
            for rule in hit:
                if rule in self._left:
                    self._left[rule] -= 1
            spent = {rule for rule, left in self._left.items() if left <= 0}
            self._rules = tuple(rule for rule in self._rules if rule not in spent)
            self._left = {rule: left for rule, left in self._left.items() if rule not in spent}
        return tuple(fault for _, fault in hit)


def market_time(faults: Sequence[Fault], now_ms: int) -> int:
    """What time it is for a request under `faults`."""
    for fault in faults:
        if isinstance(fault, Frozen):
            now_ms = min(now_ms, fault.at_ms)
        elif isinstance(fault, Skewed):
            now_ms += fault.by_ms
    return now_ms


def clock_faults(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Those that show in the dates of answers: a server with frozen data still knows what time it is."""
    return tuple(fault for fault in faults if isinstance(fault, Skewed))


def delisted(faults: Sequence[Fault]) -> frozenset[str]:
    """Spot symbols that are gone."""
    return frozenset(fault.symbol.partition(":")[0] for fault in faults if isinstance(fault, Delisted))
