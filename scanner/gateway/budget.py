"""Request weight: what calls cost, what an exchange allows, and how much of that is left.

Pure: the time is an argument, in seconds of any steady clock. Weights are real time even when market time runs fast.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightTable:
    """What an exchange allows per window and what its calls cost.

    `tickers` is a rising list of (markets asked for by name, weight); more markets, or all of them, cost `all_tickers`.
    """

    limit: int
    window_s: float
    markets: int = 1
    candles: int = 1
    last_prices: int = 1
    all_tickers: int = 1
    bids_asks: int = 1
    ticker: int = 1
    tickers: tuple[tuple[int, int], ...] = ()

    def tickers_weight(self, count: int) -> int:
        """Weight of asking for the tickers of `count` markets by name."""
        return next((weight for most, weight in self.tickers if count <= most), self.all_tickers)

    @property
    def most_named(self) -> int:
        """Markets up to which it is cheapest to name them; 0 when naming brings nothing."""
        return self.tickers[0][0] if self.tickers else 0


KNOWN = {
    "binance": WeightTable(
        limit=6000,
        window_s=60,
        markets=20,
        candles=2,
        last_prices=4,
        all_tickers=80,
        bids_asks=4,
        ticker=2,
        tickers=((20, 2), (100, 40)),
    ),
    "kucoinfutures": WeightTable(
        limit=2000, window_s=30, markets=3, candles=3, all_tickers=3, bids_asks=5, ticker=2
    ),
}  # fmt: skip


def weights_of(ccxt_id: str, rate_limit_ms: float) -> WeightTable:
    """The table of an exchange; where none is known, requests as ccxt spaces them."""
    if ccxt_id in KNOWN:
        return KNOWN[ccxt_id]
    return WeightTable(limit=max(1, int(60_000 / max(rate_limit_ms, 1.0))), window_s=60)


def used_weight(headers: Mapping[str, str]) -> int | None:
    """Weight the exchange says this address has used in its window; None when it does not say.

    Header names are in lower case. Binance: `x-mbx-used-weight-1m`; KuCoin: the limit less what remains.
    """
    used = _whole(headers.get("x-mbx-used-weight-1m"))
    if used is not None:
        return used
    limit, left = _whole(headers.get("gw-ratelimit-limit")), _whole(headers.get("gw-ratelimit-remaining"))
    return None if limit is None or left is None else max(0, limit - left)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else None


class OverBudget(Exception):
    """Not asked: the request weight of this exchange is used up for now."""


class Budget:
    """Weight spent on one exchange in a sliding window; never more than `share` of its limit.

    Others may spend from the same limit: `hear` tells what they have. Then no more is spent than they were told of
    (`grant`). The exchange's own count, from its headers, corrects ours: it sees everybody at this address.
    `kept`, at most half of it all, is for what must always be possible (prices), which is spent with `all_of_it`.
    """

    def __init__(self, limit: int, window_s: float, share: float = 0.7, kept: int = 0) -> None:
        self.limit, self.window_s = limit, window_s
        self.allowance = int(limit * share)
        self.kept = min(kept, self.allowance // 2)
        self._own, self._others = Spendings(window_s), Spendings(window_s)
        self._prices, self._rest = Spendings(window_s), Spendings(window_s)  # of our own
        self._kept_by_others = 0
        self._granted: tuple[int, float] | None = None  # weight, and until when; None: nobody need be told
        self._unanswered = 0  # spent, answer still out
        self._unheard = 0  # failed since the exchange last told its count; it may have counted them
        self._told: tuple[float, int] | None = None  # (when, weight) as the exchange counts

    def used(self, now: float) -> int:
        """Weight in the window that ends now: everybody's, or the exchange's count with what it cannot know yet."""
        return max(self._own.sum(now) + self._others.sum(now), self._told_by(now))

    def free(self, now: float, *, all_of_it: bool = False) -> int:
        """Weight that may still be spent now; >= 0."""
        return max(0, self.allowance - self.used(now) - (0 if all_of_it else self._kept_back(now)))

    def free_at(self, moment: float) -> int:
        """Weight that will be free at a moment to come if nothing is spent until then; >= 0."""
        used = max(self._own.sum_at(moment) + self._others.sum_at(moment), self._told_by(moment))
        prices = max(0, self.kept - self._prices.sum_at(moment))
        return max(0, self.allowance - used - prices - self._kept_by_others)

    def try_spend(self, weight: int, now: float, *, all_of_it: bool = False, kept: bool = False) -> bool:
        """Spend `weight` if it can be, `kept` for this; each spending is to be settled when its answer is in."""
        is_kept = kept and weight <= self.kept_back(now)  # others leave it to us anyway
        if weight > self.free(now, all_of_it=all_of_it) or (weight > self.granted(now) and not is_kept):
            return False
        self._own.add(now, weight)
        (self._prices if is_kept else self._rest).add(now, weight)
        if self._granted is not None and not is_kept:
            self._granted = (self._granted[0] - weight, self._granted[1])
        self._unanswered += weight
        return True

    def settle(self, weight: int, *, answered: bool) -> None:
        """A spent request is over."""
        self._unanswered -= weight
        if not answered:
            self._unheard += weight

    def observe(self, used: int, now: float) -> None:
        """The exchange says it has counted `used` in its current window."""
        self._told = (now, used)
        self._unheard = 0

    # Together with others

    def granted(self, now: float) -> int:
        """Weight that others know of and that is not spent yet; the whole limit when nobody need know."""
        if self._granted is None:
            return self.limit
        return self._granted[0] if now < self._granted[1] else 0

    def grant(self, weight: int | None, until: float = float("inf")) -> None:
        """Others know that this much may be spent before `until`; None: nobody need know any more."""
        self._granted = None if weight is None else (weight, until)

    def hear(self, others: Iterable[tuple[float, int]], kept: int) -> None:
        """What others have spent or may spend any moment, as (when, weight), and what is kept for their prices."""
        self._others = Spendings(self.window_s)
        for at, weight in sorted(others):
            self._others.add(at, weight)
        self._kept_by_others = kept

    def spendings(self, now: float) -> list[tuple[float, int]]:
        """Our own (when, weight) in the window that ends now, oldest first, without what is kept for prices."""
        return self._rest.all(now)

    def kept_back(self, now: float) -> int:
        """Weight of our own prices that is still to come in this window."""
        return max(0, self.kept - self._prices.sum(now))

    def _kept_back(self, now: float) -> int:
        return self.kept_back(now) + self._kept_by_others

    def _told_by(self, now: float) -> int:
        if self._told is None or now - self._told[0] >= self.window_s:
            return 0
        return self._told[1] + self._unanswered + self._unheard


class Spendings:
    """Weights with their times, oldest first, in a sliding window."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._kept: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, at: float, weight: int) -> None:
        self._kept.append((at, weight))
        self._sum += weight

    def sum(self, now: float) -> int:
        """Of the window that ends now; what came before is forgotten."""
        while self._kept and now - self._kept[0][0] >= self._window_s:
            self._sum -= self._kept.popleft()[1]
        return self._sum

    def sum_at(self, moment: float) -> int:
        """Of a window that ends later; nothing is forgotten."""
        return sum(weight for at, weight in self._kept if moment - at < self._window_s)

    def all(self, now: float) -> list[tuple[float, int]]:
        self.sum(now)
        return list(self._kept)
