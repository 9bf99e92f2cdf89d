"""When each candle file is to be written, and how long writing may take. Pure: the time is an argument.

A file cannot grow in place, a new candle means writing another one: so it is rewritten once in a while, the longer it
is and the more files there are the rarer. The moments are spread by name so that not all files fall due together. The
first candles of a market, and a history, are written at once.
"""

from __future__ import annotations

import heapq
import math
import zlib

REWRITE_S = 300.0  # between two rewrites of one file, up to ROWS_AT_THAT_PACE candles
ROWS_AT_THAT_PACE = 10_000
FILES_AT_THAT_PACE = 1_000  # a rewrite costs 1 ms of processor: with 8,000 files still no more than 4 a second
HISTORY = 100  # candles that come together and are more than a file has: nobody should wait to see them
RETRY_S = 30.0  # after a write that failed
WRITING_SHARE = 0.1  # of the time, on average
BURST_S = 0.5  # of writing at once: signals wait meanwhile


def delay_s(name: str, new: int, stored: int, files: int) -> float:
    """Seconds that `new` candles may wait for a file of `stored` ones, one of `files`; half of it differs by name."""
    if not stored or new > max(stored, HISTORY):
        return 0.0
    spread = 0.5 + zlib.crc32(name.encode()) / 2**33
    return REWRITE_S * max(1.0, stored / ROWS_AT_THAT_PACE) * max(1.0, files / FILES_AT_THAT_PACE) * spread


class Schedule:
    """Which file is due when. Times are seconds that only grow. Not for several threads at once."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []  # with what was put forward since, which `next_due` passes over
        self._refused: set[str] = set()

    def put(self, name: str, moment: float) -> None:
        """Have a file due at a moment, or sooner where that was said before."""
        if moment < self._moments.get(name, math.inf):
            self._moments[name] = moment
            heapq.heappush(self._queue, (moment, name))

    def next_due(self, now: float) -> str | None:
        """The file that has been due for longest, None if none is; it is not due any more."""
        while self._queue and self._queue[0][0] <= now:
            moment, name = heapq.heappop(self._queue)
            if self._moments.get(name) == moment:
                del self._moments[name]
                return name
        return None

    def note_refused(self, name: str, now: float) -> None:
        """A file could not be written: it is due again in a while."""
        self._refused.add(name)
        self.put(name, now + RETRY_S)

    def note_written(self, name: str) -> None:
        self._refused.discard(name)

    def hurry_refused(self, now: float) -> None:
        """The medium may take by now what it refused: all of that is due."""
        for name in self._refused:
            self.put(name, now)


class Allowance:
    """How much time there is for writing: a share of all time, saved up for one burst at most.

    Whoever has any left may begin to write; what that takes longer is missing afterwards. Not for several threads at
    once.
    """

    def __init__(self, now: float) -> None:
        self._left_s, self._earned_until = BURST_S, now

    def is_left(self, now: float) -> bool:
        earned_s = (now - self._earned_until) * WRITING_SHARE
        self._left_s, self._earned_until = min(BURST_S, self._left_s + earned_s), now
        return self._left_s > 0

    def spend(self, seconds: float) -> None:
        self._left_s -= seconds
