"""How fresh the data of every market and timeframe are: an age in seconds, one word and its cause.

Decides by the time of the data, never by the health of a connection: an exchange that answers with what it said before
is stale, however quickly it answers. Pure but for `Pulse`, which remembers; the time is an argument, in market ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from scanner.core.candles import Bool, Float, Int
from scanner.markets import Market
from scanner.timeframes import length_ms, open_time_of

STATES = ("live", "late", "stale", "gap", "loading", "restricted", "delisted")
LIVE, LATE, STALE, GAP, LOADING, RESTRICTED, DELISTED = range(len(STATES))
LATE_AFTER, STALE_AFTER = 1.5, 5.0  # intervals of the stream that brings the data
PERCENTILES = (50, 90, 99)
CLOSED_DOORS = ("restricted", "banned")  # states of an exchange that does not serve this address
PAUSES = 200  # between changes, remembered to know what is usual


@dataclass(frozen=True)
class Held:
    """What is held of one exchange after a signal cycle; arrays [M], one entry per market, never changed.

    `as_of_ms` is when the newest good candle answer was asked for, 0 before one. `rationed` (bool) tells whose refresh
    was put off in the newest cycle because the request budget went to others. `final_ms` is per timeframe the open time
    of the newest final candle, -1 before any, `loaded` whether its history is there. `newest_ms` is the open time of
    the newest candle that any market has, `moved_ms` when anything of the exchange last changed and `patience_ms` how
    long that may take here.
    """

    markets: tuple[Market, ...]
    base: str
    as_of_ms: Int
    rationed: Bool
    final_ms: Mapping[str, Int]
    loaded: Mapping[str, Bool]
    newest_ms: int
    moved_ms: int
    patience_ms: int


@dataclass(frozen=True)
class Intervals:
    """Market ms between runs of the streams that bring data, and the grace before a candle is final."""

    prices_ms: int
    signals_ms: int
    grace_ms: int


@dataclass(frozen=True)
class Freshness:
    """Ages and states of all market-timeframes of one exchange.

    `age_s` float64[T, M] is NaN before there are data; `state` int8[T, M] indexes `STATES`; `behind` int64[T, M] counts
    closed candles that are not held yet; `final_ms` int64[T, M] as in `Held`; `price_age_s` float64[M] is NaN without a
    price. `cause` says why in words, by state.
    """

    exchange: str
    markets: tuple[Market, ...] = ()
    timeframes: tuple[str, ...] = ()
    age_s: Float = field(default_factory=lambda: np.empty((0, 0)))
    state: Int = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    behind: Int = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    final_ms: Int = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    price_age_s: Float = field(default_factory=lambda: np.empty(0))
    cause: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))


class Pulse:
    """When anything of an exchange last changed, and how long it usually takes until something does."""

    def __init__(self, now_ms: int) -> None:
        self.moved_ms = now_ms
        self._mark: object = None
        self._pauses: deque[int] = deque(maxlen=PAUSES)

    def feel(self, mark: object, now_ms: int) -> None:
        """Take note of what the newest data amount to; the same mark again means that nothing has changed."""
        if mark == self._mark:
            return
        if self._mark is not None:
            self._pauses.append(now_ms - self.moved_ms)
        self._mark, self.moved_ms = mark, now_ms

    def patience_ms(self, interval_ms: int) -> int:
        """How long nothing may change before that means something: a quiet exchange gets more."""
        usual_ms = float(np.quantile(self._pauses, 0.95)) if self._pauses else 0.0
        return int(max(LATE_AFTER * interval_ms, 3 * usual_ms))


def judge(
    exchange: str,
    held: Held,
    price_ms: Int,
    intervals: Intervals,
    now_ms: int,
    state: str = "live",
    cause: str | None = None,
    gone: frozenset[Market] = frozenset(),
) -> Freshness:
    """The freshness of every market-timeframe of one exchange.

    Parameters
    ----------
    price_ms : int64[M]
        Time of each market's newest price, 0 without one.
    now_ms : int
        Market time, by the exchange's clock.
    state, cause
        How the exchange is doing as a whole.
    gone : frozenset of Market
        Markets that the exchange does not list any more.
    """
    timeframes = tuple(held.loaded)
    frozen = _frozen_since(held, intervals, now_ms)
    known_ms = held.as_of_ms if frozen is None else np.minimum(held.as_of_ms, frozen)
    age_s = np.where(known_ms > 0, (now_ms - known_ms) / 1000.0, np.nan)
    price_age_s = np.where(price_ms > 0, (now_ms - price_ms) / 1000.0, np.nan)
    shape = (len(timeframes), len(held.markets))
    behind = np.stack([_behind(held, timeframe, intervals, now_ms) for timeframe in timeframes]).reshape(shape)
    loaded = np.stack([held.loaded[timeframe] for timeframe in timeframes]).reshape(shape)
    spared = held.rationed & (frozen is None) & (state == "live")
    word = _by_age(age_s, price_age_s, spared, intervals)[None, :].repeat(shape[0], axis=0)
    word = np.where((word < STALE) & (behind > 0), GAP, word)
    word = np.where(loaded, word, LOADING)
    if state in CLOSED_DOORS:
        word = np.full(shape, RESTRICTED)
    word[:, [market in gone for market in held.markets]] = DELISTED
    final_ms = np.stack([held.final_ms[timeframe] for timeframe in timeframes]).reshape(shape)
    ages = np.where(loaded, age_s[None, :], np.nan)
    causes = MappingProxyType(_causes(exchange, state, cause, frozen is not None))
    return Freshness(exchange, held.markets, timeframes, ages, word, behind, final_ms, price_age_s, causes)


def _frozen_since(held: Held, intervals: Intervals, now_ms: int) -> int | None:
    """When the exchange last brought news, if it brings the same over and over; None while it does not."""
    silent_ms = now_ms - held.moved_ms
    if silent_ms > held.patience_ms:
        return held.moved_ms
    step = length_ms(held.base)
    due_ms = open_time_of(now_ms - intervals.grace_ms - int(LATE_AFTER * intervals.signals_ms), step)
    return held.newest_ms + step if 0 <= held.newest_ms < due_ms - step else None


def _behind(held: Held, timeframe: str, intervals: Intervals, now_ms: int) -> Int:
    """int64[M]: candles that closed long enough ago to be final, and are not."""
    step = length_ms(timeframe)
    settled_ms = now_ms - intervals.grace_ms - int(LATE_AFTER * intervals.signals_ms)
    due_ms = open_time_of(settled_ms, step) - step
    final_ms = held.final_ms[timeframe]
    missing: Int = np.where(final_ms >= 0, np.maximum(due_ms - final_ms, 0) // step, 0)
    return missing


def _by_age(age_s: Float, price_age_s: Float, spared: Bool, intervals: Intervals) -> Int:
    """int64[M]: live, late or stale by the older of candles and price, each in intervals of its own stream.

    A market that was spared by the budget while its price is fresh is late and no more: its closes are not put off.
    """
    candles = np.nan_to_num(age_s * 1000 / intervals.signals_ms, nan=np.inf)
    prices = np.nan_to_num(price_age_s * 1000 / intervals.prices_ms, nan=np.inf)
    stale = (candles > STALE_AFTER) & ~(spared & (prices <= LATE_AFTER))
    late = (candles > LATE_AFTER) | (prices > LATE_AFTER)
    return np.where(stale, STALE, np.where(late, LATE, LIVE)).astype(np.int64)


def _causes(exchange: str, state: str, cause: str | None, frozen: bool) -> dict[int, str]:
    """Why a market-timeframe is in a state, where the state alone does not say."""
    trouble = f"{exchange} is {state}: {cause}" if state not in ("live", "connecting") and cause else None
    unheard = trouble or (
        f"{exchange} brings nothing new" if frozen else "no newer answer: the request budget or time did not allow it"
    )
    return {
        LATE: unheard,
        STALE: unheard,
        GAP: trouble or "closed candles are missing; they are being asked for",
        LOADING: trouble or "the history is being fetched",
        RESTRICTED: trouble or f"{exchange} does not serve this address",
        DELISTED: f"{exchange} does not list it any more",
    }


def with_delisted(found: Freshness, markets: Sequence[Market]) -> Freshness:
    """With markets that are not held any more because the exchange does not list them."""
    fresh = tuple(market for market in markets if market not in found.markets)
    if not fresh:
        return found
    shape = (len(found.timeframes), len(fresh))
    return replace(
        found,
        markets=(*found.markets, *fresh),
        age_s=np.hstack([found.age_s, np.full(shape, np.nan)]),
        state=np.hstack([found.state, np.full(shape, DELISTED, dtype=found.state.dtype)]),
        behind=np.hstack([found.behind, np.zeros(shape, dtype=np.int64)]),
        final_ms=np.hstack([found.final_ms, np.full(shape, -1, dtype=np.int64)]),
        price_age_s=np.concatenate([found.price_age_s, np.full(len(fresh), np.nan)]),
    )
