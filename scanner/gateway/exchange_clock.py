"""An exchange's own clock, as far as the dates on its answers tell.

Decides whether what an exchange says of a candle can be judged by our clock: a candle that has closed here may still be
open there. Costs no request. A cached answer or a slow one shows an older date, so one date changes nothing; several
that agree do.
"""

from __future__ import annotations

import email.utils
from collections import deque
from collections.abc import Mapping

from scanner.clock import Clock

TOLERANCE_S = 10.0  # market seconds; the finality grace is longer
DELAY_S = 0.5  # real seconds an answer may take on its way, where market time runs fast
AGREEING = 3  # dates in a row that must tell the same before they are believed
PATIENCE_S = 60.0  # real seconds of dates that contradict each other, after which they are not listened to
STAMP_MS = 1000  # a date is cut to whole seconds


class ExchangeClock:
    """Market time by the exchange's clock: ours, unless its dates differ by more than the tolerance.

    Attributes
    ----------
    ahead_ms : int
        How far the exchange's clock is ahead of ours; 0 while they agree.
    """

    def __init__(self, ours: Clock) -> None:
        self._ours = ours
        self._tolerance_ms = int(max(TOLERANCE_S, DELAY_S * ours.speed) * 1000)
        self._samples: deque[int] = deque(maxlen=AGREEING)
        self._doubtful_since_ms: int | None = None
        self.ahead_ms = 0

    @property
    def speed(self) -> float:
        return self._ours.speed

    def now_ms(self) -> int:
        return self._ours.now_ms() + self.ahead_ms

    @property
    def in_doubt(self) -> bool:
        """Whether the newest date disagrees with what is believed: nothing should be called final now."""
        return self._doubtful_since_ms is not None and not self._is_babble

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take note of an answer's headers, names in lower case, at the moment it arrives."""
        date_ms = date_of(headers)
        if date_ms is None:
            return
        now_ms = self._ours.now_ms()
        self._samples.append(date_ms + STAMP_MS // 2 - now_ms)
        if self._agrees(self._samples[-1], self.ahead_ms):
            self._doubtful_since_ms = None
            return
        if self._doubtful_since_ms is None:
            self._doubtful_since_ms = now_ms
        if len(self._samples) == AGREEING and self._agrees(min(self._samples), max(self._samples)):
            self._believe(max(self._samples))  # the quickest answer knows best

    def _believe(self, ahead_ms: int) -> None:
        self.ahead_ms = 0 if self._agrees(ahead_ms, 0) else ahead_ms
        self._doubtful_since_ms = None

    def _agrees(self, one_ms: int, other_ms: int) -> bool:
        return abs(one_ms - other_ms) <= self._tolerance_ms

    @property
    def _is_babble(self) -> bool:
        since_ms = self._doubtful_since_ms
        return since_ms is not None and self._ours.now_ms() - since_ms > PATIENCE_S * 1000 * max(self.speed, 1.0)


def date_of(headers: Mapping[str, str]) -> int | None:
    """When an answer was made, in ms, by the exchange's clock; None when it does not say.

    ``Age`` is how long a cache has kept it.
    """
    try:
        made = email.utils.parsedate_to_datetime(headers["date"])
        return int((made.timestamp() + max(0, int(headers.get("age", "0")))) * 1000)
    except (KeyError, ValueError, OverflowError):
        return None
