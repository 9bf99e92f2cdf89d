"""Whether pushed data are still to be trusted, and what is wrong when not. Pure: values in, verdicts out.

The socket proves nothing: it stays open without data, repeats old ones, or loses some markets. What counts is when
the data of each stream last moved forward. A stream that is overdue is compared with what REST says: the same means
that nobody trades, something newer means that the stream is dead.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)  # whatever names a stream

LOOKS = 10  # at the pulses in one interval
FLOOR = 0.8  # intervals of silence until the liveliest market is overdue
LIVELY = 2.0  # intervals of usual silence, up to which the same price is no proof that nobody trades
CONFIRM = 0.45  # intervals in which what REST knows must have come: Binance sends candles every 2 s only
LONGEST = 24  # intervals a quiet market is trusted without a look at REST
SLACK = 1.5  # times its usual silence until a market is overdue


class Cause(StrEnum):
    """Why a connection, or some of its streams, had to be healed."""

    CLOSED = "closed"  # by the exchange, or by the network between
    REFUSED = "refused"  # it could not be opened
    SILENT = "silent"  # open, and nothing comes
    REPEATING = "repeating"  # old data come over and over
    HALF_DEAD = "half_dead"  # some streams are dead, others are well


@dataclass(frozen=True, slots=True)
class Pulse:
    """When one stream last brought something new; steady times in s."""

    since: float  # subscribed then
    patience_s: float  # silence that is usual for it
    advanced_at: float = float("-inf")
    agreed_at: float = float("-inf")  # REST knew nothing newer
    denied_at: float | None = None  # REST knew something newer, and nothing has come since

    @classmethod
    def begun(cls, now: float, interval_s: float) -> Pulse:
        """Of a stream that is subscribed now."""
        return cls(now, FLOOR * interval_s)

    @property
    def is_known(self) -> bool:
        """Whether anything has been heard or confirmed since it was subscribed."""
        return max(self.advanced_at, self.agreed_at) >= self.since

    @property
    def sure_at(self) -> float:
        """Until when its silence is explained."""
        return max(self.since, self.advanced_at, self.agreed_at)

    @property
    def due_at(self) -> float:
        """Until when nothing has to be done about it."""
        return self.sure_at + self.patience_s if self.denied_at is None else float("-inf")

    def is_overdue(self, now: float) -> bool:
        return now - self.sure_at > self.patience_s

    def is_lively(self, interval_s: float) -> bool:
        """Whether it has spoken and is rarely silent for long: then an unchanged price does not explain its silence."""
        return self.advanced_at >= self.since and self.patience_s <= LIVELY * interval_s

    def is_fresh(self, now: float) -> bool:
        """Whether what it brought may be used instead of asking REST."""
        return self.is_known and self.denied_at is None and not self.is_overdue(now)

    def is_dead(self, now: float, interval_s: float) -> bool:
        """Whether what REST knows should have come by now."""
        return self.denied_at is not None and now - self.denied_at >= CONFIRM * interval_s

    def advanced(self, now: float, interval_s: float) -> Pulse:
        """After something new came: usual is the silence that has just ended, or soon again what was usual before."""
        silence = now - max(self.since, self.advanced_at)
        patience = min(max(silence * SLACK, self.patience_s / 2, FLOOR * interval_s), LONGEST * interval_s)
        return Pulse(self.since, patience, now, self.agreed_at)

    def agreed(self, now: float, interval_s: float) -> Pulse:
        """After REST knew nothing newer: nobody trades; the longer, the less often one looks."""
        if not self.is_overdue(now):
            return replace(self, agreed_at=now)
        return replace(self, agreed_at=now, patience_s=min(2 * self.patience_s, LONGEST * interval_s))

    def denied(self, now: float) -> Pulse:
        """After REST knew something newer, which may still be on its way."""
        return self if self.denied_at is not None else replace(self, denied_at=now)


@dataclass(frozen=True, slots=True)
class Verdict(Generic[S]):
    """What to do about one connection: heal `dead` streams for a `cause`, ask REST about `suspects`."""

    cause: Cause | None = None
    dead: tuple[S, ...] = ()
    suspects: tuple[S, ...] = ()


def judge(
    pulses: Mapping[S, Pulse], now: float, interval_s: float, *, heard_at: float, broken: Cause | None = None
) -> Verdict[S]:
    """What the pulses of one connection's streams say about it.

    Parameters
    ----------
    pulses : mapping
        Every stream of the connection.
    interval_s : float
        Silence that is normal for a market that is traded.
    heard_at : float
        When the connection last brought anything at all.
    broken : Cause, optional
        Why it is known to have ended.
    """
    if broken is not None:
        return Verdict(broken, tuple(pulses))
    suspects = tuple(stream for stream, pulse in pulses.items() if pulse.is_overdue(now) and pulse.denied_at is None)
    dead = tuple(stream for stream, pulse in pulses.items() if pulse.is_dead(now, interval_s))
    if not dead:
        return Verdict(suspects=suspects)
    if any(now - pulse.advanced_at <= interval_s for pulse in pulses.values()):
        return Verdict(Cause.HALF_DEAD, dead, suspects)
    cause = Cause.REPEATING if now - heard_at <= interval_s else Cause.SILENT
    return Verdict(cause, tuple(pulses), ())
