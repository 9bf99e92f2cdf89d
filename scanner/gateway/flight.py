"""Deadlines, and whose fault it is when one is missed: the exchange's silence, or our own queue before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class OutOfTime(Exception):
    """Cut off at the deadline through no fault of the exchange's."""


@dataclass
class Flight:
    """When ccxt's throttler let go of the latest request of one piece of work (steady time, s); None before."""

    sent_at: float | None = None


FLIGHT: ContextVar[Flight] = ContextVar("flight")


def note_sent(now: float) -> None:
    """The current piece of work has sent a request."""
    flight = FLIGHT.get(None)
    if flight is not None:
        flight.sent_at = now


async def in_time(work: Coroutine[Any, Any, T], deadline_s: float, patience_s: float, steady: Callable[[], float]) -> T:
    """The outcome of `work`, cut off after `deadline_s`.

    Raises
    ------
    TimeoutError
        The exchange has been silent for `patience_s` or longer.
    OutOfTime
        It has not: the request was sent late, or not at all.
    """
    flight = Flight()
    FLIGHT.set(flight)
    try:
        async with asyncio.timeout(deadline_s) as limit:
            return await work
    except TimeoutError:
        if limit.expired() and (flight.sent_at is None or steady() - flight.sent_at < patience_s):
            raise OutOfTime from None
        raise
