"""How far a backfill has come, and what came of it: written by its threads, read by whoever shows it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

LISTING, CANDLES, SIGNALS = "markets", "candles", "signals"
STAGES = (LISTING, CANDLES, SIGNALS)


@dataclass(frozen=True)
class Progress:
    """`done` of `total` of what a stage counts: exchanges, candles, or days of markets."""

    stage: str = LISTING
    done: int = 0
    total: int = 0


@dataclass
class Report:
    """What a backfill has done.

    Attributes
    ----------
    candles, held : Counter
        By timeframe: fetched now, and there before.
    signals : Counter
        By timeframe and signal type: made now.
    clusters, known : Counter
        By timeframe: cluster records made now; final signals that were there before.
    begins_ms : dict
        ``binance:NEW/USDT 5m`` -> its first candle, where that is later than wanted.
    failed : dict
        Exchange, or market and timeframe -> why something is still missing.
    skipped : dict
        ``binance:NADA/USDT`` -> why it is not there.
    requests : int
        Requests answered.
    weight : dict
        Exchange -> most request weight in use in one window by all processes of the host, what may be, and the
        window in s.
    """

    candles: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    signals: Counter[tuple[str, str]] = field(default_factory=Counter)
    clusters: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    begins_ms: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    weight: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def add(self, other: Report) -> None:
        """Count in what another report says."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, mine + value) if isinstance(value, int) else mine.update(value)


class Meter:
    """The progress now; any thread may add to it or read it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Progress()

    def now(self) -> Progress:
        return self._now

    def begin(self, stage: str, total: int = 0) -> None:
        with self._lock:
            self._now = Progress(stage, 0, total)

    def expect(self, more: int) -> None:
        """There is more to do in this stage than was known."""
        with self._lock:
            self._now = Progress(self._now.stage, self._now.done, self._now.total + more)

    def add(self, done: int) -> None:
        with self._lock:
            self._now = Progress(self._now.stage, self._now.done + done, self._now.total)
