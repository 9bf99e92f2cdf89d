"""How fresh the data of every market and timeframe are: an age in seconds, one word and its cause.

Decides by the time of the data, never by the health of a connection: an exchange that answers with what it said before
is stale, however quickly it answers. Pure but for `Pulse`, which remembers; the time is an argument, in market ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
WHY = (
    "",
    "no newer candles came",
    "no newer prices came",
    "{exchange} says the same of its candles over and over",
    "{exchange} says the same prices over and over",
    "the request budget went to others; the price is fresh",
)
NOTHING, OLD_CANDLES, OLD_PRICES, SAME_CANDLES, SAME_PRICES, SPARED = range(len(WHY))


@dataclass(frozen=True)
class Stir:
    """When anything of a kind of data of one exchange last changed, and how long that may take there; market ms.

    `repeats` tells that the same was seen again since.
    """

    moved_ms: int
    patience_ms: int
    repeats: bool = True

    def since(self, now_ms: int) -> int | None:
        """Since when the same is said over and over; None while that means nothing."""
        return self.moved_ms if self.repeats and now_ms - self.moved_ms > self.patience_ms else None


@dataclass(frozen=True)
class Held:
    """What is held of one exchange after a signal cycle; arrays [M], one entry per market, never changed.

    `as_of_ms` is when the newest good candle answer was asked for, 0 before one. `rationed` (bool) tells whose refresh
    was put off in the newest cycle because the request budget went to others. `final_ms` is per timeframe the open time
    of the newest final candle, -1 before any, `loaded` whether its history is there. `newest_ms` is the open time of
    the newest candle that any market has, `stir` when any candle last changed.
    """

    markets: tuple[Market, ...]
    base: str
    as_of_ms: Int
    rationed: Bool
    final_ms: Mapping[str, Int]
    loaded: Mapping[str, Bool]
    newest_ms: int
    stir: Stir


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
    price. `why` int64[M] indexes `WHY`; `trouble` is what is wrong with the exchange as a whole. See `cause_of`.
    """

    exchange: str
    markets: tuple[Market, ...] = ()
    timeframes: tuple[str, ...] = ()
    age_s: Float = field(default_factory=lambda: np.empty((0, 0)))
    state: Int = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    behind: Int = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    final_ms: Int = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    price_age_s: Float = field(default_factory=lambda: np.empty(0))
    why: Int = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    trouble: str | None = None


class Pulse:
    """Feels when a kind of data of one exchange changes, and learns how long it may stay the same there."""

    def __init__(self, interval_ms: int, now_ms: int) -> None:
        self._least_ms = int(LATE_AFTER * interval_ms)
        self._mark: object = None
        self._moved_ms = self._felt_ms = now_ms
        self._pauses: deque[int] = deque(maxlen=PAUSES)

    def feel(self, mark: object, now_ms: int) -> Stir:
        """Take note of what the newest data amount to; the same mark again means that nothing has changed.

        A pause counts from the change to the last time the same was seen: where every look brings something new there
        are none. One that is longer than was thought possible is believed in part, as it may have been a stall.
        """
        if mark != self._mark:
            if self._mark is not None:
                self._pauses.append(min(self._felt_ms - self._moved_ms, 2 * self._patience_ms))
            self._mark, self._moved_ms = mark, now_ms
        self._felt_ms = now_ms
        return Stir(self._moved_ms, self._patience_ms, repeats=now_ms > self._moved_ms)

    @property
    def _patience_ms(self) -> int:
        return self._least_ms + max(self._pauses, default=0)


def judge(
    exchange: str,
    held: Held,
    price_ms: Int,
    prices: Stir | None,
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
    prices : Stir or None
        When any price last changed; None before the first.
    now_ms : int
        Market time, by the exchange's clock.
    state, cause
        How the exchange is doing as a whole.
    gone : frozenset of Market
        Markets that the exchange does not list any more.
    """
    timeframes = tuple(held.loaded)
    shape = (len(timeframes), len(held.markets))
    stuck = _candles_stuck(held, intervals, now_ms)
    stuck_prices = None if prices is None else prices.since(now_ms)
    age_s = _age_s(held.as_of_ms, stuck, now_ms)
    price_age_s = _age_s(price_ms, stuck_prices, now_ms)
    spared = held.rationed & (stuck is None) & (state == "live")
    word, why = _by_age(age_s, price_age_s, spared, intervals)
    why = np.select(
        [why == OLD_CANDLES, why == OLD_PRICES],
        [
            SAME_CANDLES if stuck is not None else np.where(spared, SPARED, OLD_CANDLES),
            SAME_PRICES if stuck_prices is not None else OLD_PRICES,
        ],
        why,
    )
    behind = np.stack([_behind(held, timeframe, intervals, now_ms) for timeframe in timeframes]).reshape(shape)
    loaded = np.stack([held.loaded[timeframe] for timeframe in timeframes]).reshape(shape)
    words = np.where((word < STALE) & (behind > 0), GAP, word)
    words = np.where(loaded, words, LOADING)
    if state in CLOSED_DOORS:
        words = np.full(shape, RESTRICTED)
    words[:, [market in gone for market in held.markets]] = DELISTED
    final_ms = np.stack([held.final_ms[timeframe] for timeframe in timeframes]).reshape(shape)
    ages = np.where(loaded, age_s[None, :], np.nan)
    trouble = f"{exchange} is {state}: {cause}" if state not in ("live", "connecting") and cause else None
    return Freshness(exchange, held.markets, timeframes, ages, words, behind, final_ms, price_age_s, why, trouble)


def _age_s(known_ms: Int, stuck_ms: int | None, now_ms: int) -> Float:
    """float64[M]: seconds since what is known; of data that repeat themselves, since they last changed."""
    through_ms = known_ms if stuck_ms is None else np.minimum(known_ms, stuck_ms)
    return np.where(known_ms > 0, np.maximum(now_ms - through_ms, 0) / 1000.0, np.nan)


def _candles_stuck(held: Held, intervals: Intervals, now_ms: int) -> int | None:
    """Since when the exchange's candles say the same, or are those of the past; None while they do not."""
    since_ms = held.stir.since(now_ms)
    if since_ms is not None:
        return since_ms
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


def _by_age(age_s: Float, price_age_s: Float, spared: Bool, intervals: Intervals) -> tuple[Int, Int]:
    """int64[M], int64[M]: live, late or stale, and why: by candles and price, each in intervals of its own stream.

    A market that was spared by the budget while its price is fresh is late and no more, as its closes are not put off.
    One without a price is judged by its candles, unless no market has a price.
    """
    candles = np.nan_to_num(age_s * 1000 / intervals.signals_ms, nan=np.inf)
    unpriced = np.inf if np.isnan(price_age_s).all() else 0.0
    prices = np.nan_to_num(price_age_s * 1000 / intervals.prices_ms, nan=unpriced)
    spared = spared & (prices <= LATE_AFTER)
    by_candles = _rank(np.where(spared, np.minimum(candles, STALE_AFTER), candles))
    by_prices = _rank(prices)
    word = np.maximum(by_candles, by_prices)
    why = np.where(word == LIVE, NOTHING, np.where(by_candles >= by_prices, OLD_CANDLES, OLD_PRICES))
    return word, why


def _rank(intervals: Float) -> Int:
    ranked: Int = np.where(intervals > STALE_AFTER, STALE, np.where(intervals > LATE_AFTER, LATE, LIVE))
    return ranked


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
        why=np.concatenate([found.why, np.zeros(len(fresh), dtype=np.int64)]),
    )


def cause_of(found: Freshness, timeframe: int, market: int) -> str | None:
    """Why a market-timeframe, by its places in the arrays, is in its state; None where there is nothing to explain."""
    word = int(found.state[timeframe, market])
    if word == DELISTED:
        return f"{found.exchange} does not list it any more"
    if word == LIVE:
        return None
    if found.trouble is not None:
        return found.trouble
    fixed = {
        GAP: "closed candles are missing; they are being asked for",
        LOADING: "the history is being fetched",
        RESTRICTED: f"{found.exchange} does not serve this address",
    }
    return fixed.get(word) or WHY[int(found.why[market])].format(exchange=found.exchange)
