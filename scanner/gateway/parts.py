"""Hands candles over while others are still being asked for: final signals wait for those of a close alone, and
histories would pile up."""

from __future__ import annotations

from collections.abc import Callable

from scanner.gateway.answers import CandleAnswer, CandleSweep, Purpose

PART_S = 2.0  # between two parts of one sweep: each costs its reader a look at every market
MOST_CANDLES = 100_000  # of histories in one part: 5 MB

Deliver = Callable[[CandleSweep], None]


class Parts:
    """The answers to one sweep: those to closes leave in parts, and so do histories, apart from them; the others stay
    in `sweep` until the end.

    Parameters
    ----------
    deliver : callable
        Takes a part; it is called where answers are added and must not wait.
    steady : callable
        Seconds that only grow.
    """

    def __init__(self, sweep: CandleSweep, deliver: Deliver, steady: Callable[[], float]) -> None:
        self._sweep, self._deliver, self._steady = sweep, deliver, steady
        self._handed_at = steady()
        self._waiting: list[CandleAnswer] = []
        self._histories: list[CandleAnswer] = []
        self.newest_ms: int | None = None  # when the newest answer that holds candles began, of those handed over

    def add(self, answer: CandleAnswer) -> None:
        if answer.request.purpose is Purpose.BACKFILL:
            self._add_history(answer)
        elif answer.request.purpose is Purpose.CLOSE:
            self._add_close(answer)
        else:
            self._sweep.answers.append(answer)

    def end(self) -> None:
        """What has not left goes with the rest."""
        self._sweep.answers.extend(self._waiting + self._histories)
        self._waiting, self._histories = [], []

    def _add_close(self, answer: CandleAnswer) -> None:
        self._waiting.append(answer)
        if self._steady() - self._handed_at >= PART_S:
            part, self._waiting, self._handed_at = self._waiting, [], self._steady()
            self._hand_over(part)

    def _add_history(self, answer: CandleAnswer) -> None:
        self._histories.append(answer)
        if sum(map(len, self._histories)) >= MOST_CANDLES:
            part, self._histories = self._histories, []
            self._hand_over(part)

    def _hand_over(self, part: list[CandleAnswer]) -> None:
        began = [answer.began_ms for answer in part if len(answer)]
        if began:
            self.newest_ms = max(began)
        self._deliver(CandleSweep(self._sweep.exchange, part, [], [], is_last=False))
