"""Which candles are final: closed, and past revising.

Decided from what answers look like, and from when they were asked for; where the candles go and what is filled between
them is decided elsewhere. Moments are open times in int64 ms, -1 where there is none yet; `n` counts answers of one
timeframe, `M` markets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Bool, Int
from scanner.timeframes import MINUTE_MS, open_time_of

CAPS = 100  # exchanges cut their answers at multiples of this
SPOILT_MS = 30 * MINUTE_MS  # a candle that has come without its numbers for this long holds nothing up any more
NEVER_MS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Answers:
    """What answers about candles look like, without their prices: arrays [n].

    Attributes
    ----------
    since_ms, limit : int64[n]
        From where on candles were asked for, and how many.
    began_ms : int64[n]
        When they were asked for.
    count, dropped : int64[n]
        Candles that came, and rows that no candle can have.
    first_ms, newest_ms : int64[n]
        The oldest and the newest candle that came.
    provisional : bool[n]
        Whether they were pushed: more may be under way.
    """

    since_ms: Int
    limit: Int
    began_ms: Int
    count: Int
    dropped: Int
    first_ms: Int
    newest_ms: Int
    provisional: Bool

    @property
    def is_capped(self) -> Bool:
        """bool[n]: whether the exchange may have cut an answer short: a round number of candles, fewer than asked for.

        It says so without a word. Where it was no cut the next answer, about what comes after, shows it.
        """
        return np.asarray((self.count > 0) & (self.count < self.limit) & (self.count % CAPS == 0))

    @property
    def complete_from_ms(self) -> Int:
        """int64[n]: from when on an answer holds everything the exchange has."""
        return np.where(self.is_capped, self.first_ms, self.since_ms)


def final_through(answers: Answers, proven_ms: Int, timeframe_ms: int, grace_ms: int) -> Int:
    """The newest candle that each answer makes final: int64[n].

    A candle is final when a newer one exists, or when the answer was asked for at least the grace after its close and
    the exchange is known to go on (`proven_through`). A full page says nothing about what lies beyond it, and neither
    does one that may have been cut short, or what was pushed.
    """
    newer = np.where(answers.count > 0, answers.newest_ms - timeframe_ms, -1)
    full = answers.count + answers.dropped >= answers.limit
    says_no_more = full | answers.provisional | answers.is_capped
    whole_ms = answers.began_ms - grace_ms
    settled = whole_ms - whole_ms % timeframe_ms - timeframe_ms
    return np.where(says_no_more, newer, np.maximum(newer, np.minimum(settled, proven_ms)))


def proven_through(newest_ms: Int, shown_ms: int, timeframe_ms: int, ends_ms: int = NEVER_MS) -> Int:
    """The newest candle that each answer can be believed to show whole without a newer one: int64[n].

    An exchange that stands still shows its newest candle half-made, for ever. That it goes on is proved by a newer
    candle of any market, in an answer asked for before. The last candle of a recording needs no proof.

    Parameters
    ----------
    newest_ms : int64[n]
        The newest candle of each answer, of any market, in the order in which they were asked for.
    shown_ms : int
        The newest candle of any market before.
    ends_ms : int
        Where a recording ends.
    """
    known = np.maximum.accumulate(np.concatenate([[shown_ms], newest_ms]))
    if known[-1] + timeframe_ms >= ends_ms:
        return np.full(len(newest_ms), known[-1])
    return np.asarray(known[:-1] - timeframe_ms)


def lacking(open_ms: Int, since_ms: int, began_ms: int, timeframe_ms: int) -> Int:
    """Candles from `since_ms` on that had begun when an answer was asked for and that do not come in it: int64[k]."""
    return np.setdiff1d(np.arange(since_ms, began_ms, timeframe_ms, dtype=np.int64), open_ms)


def told_through(lacking_ms: Int, began_ms: int, timeframe_ms: int) -> int:
    """Up to which candle an answer with spoilt rows tells everything: what it lacks may be one of them.

    After `SPOILT_MS` such a candle counts as not traded.
    """
    recent = lacking_ms[lacking_ms >= open_time_of(began_ms - SPOILT_MS, timeframe_ms)]
    return int(recent[0]) - timeframe_ms if len(recent) else NEVER_MS


def settled_through(final_ms: Int, claimed_ms: Int, shown_ms: int) -> Int:
    """How far markets are final, int64[M]: as far as was claimed and the exchange has shown a candle, and never less.

    Parameters
    ----------
    final_ms, claimed_ms : int64[M]
        Final so far, and final by the answers, whether or not anybody trades.
    shown_ms : int
        The newest candle of any market.
    """
    return np.maximum(final_ms, np.minimum(claimed_ms, shown_ms))


def assembled_through(final_ms: Int, timeframe_ms: int, longer_ms: int) -> Int:
    """The newest candle of a longer timeframe of which all parts are final: int64[M]."""
    return np.asarray((final_ms + timeframe_ms) // longer_ms * longer_ms - longer_ms)


def doubted(as_of_ms: Int, now_ms: int, timeframe_ms: int) -> Int:
    """When markets were last seen, as far as that can be: int64[M].

    What was seen only later than now, by a clock put right since, counts as seen in the candle before at most. So
    nothing counts as older than it, and no candle that was held in part becomes final without a newer look.
    """
    return np.where(as_of_ms > now_ms, open_time_of(now_ms, timeframe_ms) - 1, as_of_ms)
