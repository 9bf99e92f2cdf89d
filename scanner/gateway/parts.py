"""Hands candles of a close over while others are still being asked for: final signals wait for them alone."""

from __future__ import annotations

from collections.abc import Callable

from scanner.gateway.answers import CandleAnswer, CandleSweep, Purpose

PART_S = 2.0  # between two parts of one sweep: each costs its reader a look at every market

Deliver = Callable[[CandleSweep], None]


class Parts:
    """The answers to one sweep: those to closes leave in parts, the others stay in `sweep` until the end.

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
        self.newest_ms: int | None = None  # when the newest answer that holds candles began, of those handed over

    def add(self, answer: CandleAnswer) -> None:
        if answer.request.purpose is not Purpose.CLOSE:
            self._sweep.answers.append(answer)
            return
        self._waiting.append(answer)
        if self._steady() - self._handed_at >= PART_S:
            self._hand_over()

    def end(self) -> None:
        """What has not left goes with the rest."""
        self._sweep.answers.extend(self._waiting)
        self._waiting = []

    def _hand_over(self) -> None:
        part, self._waiting, self._handed_at = self._waiting, [], self._steady()
        began = [answer.began_ms for answer in part if len(answer)]
        if began:
            self.newest_ms = max(began)
        self._deliver(CandleSweep(self._sweep.exchange, part, [], [], is_last=False))
