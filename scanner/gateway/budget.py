"""Request weight: what calls cost, what an exchange allows, and how much of that is left.

Pure: the time is an argument, in seconds of any steady clock. Weights are real time even when market time runs fast.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
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

    The exchange's own count, from its headers, corrects ours: it also sees the other processes of this address.
    `kept`, at most half of it all, is set aside for what must always be possible (prices); `free` and `try_spend`
    leave it alone unless asked for all of it.
    """

    def __init__(self, limit: int, window_s: float, share: float = 0.7, kept: int = 0) -> None:
        self.allowance = int(limit * share)
        self.window_s = window_s
        self.kept = min(kept, self.allowance // 2)
        self._spent: deque[tuple[float, int]] = deque()  # (when, weight), oldest first
        self._own = 0  # sum of _spent
        self._unanswered = 0  # spent, answer still out
        self._unheard = 0  # failed since the exchange last told its count; it may have counted them
        self._told: tuple[float, int] | None = None  # (when, weight) as the exchange counts

    def used(self, now: float) -> int:
        """Weight in the window that ends now: ours, or the exchange's count with what it cannot know yet."""
        self._forget(now)
        told = 0
        if self._told is not None and now - self._told[0] < self.window_s:
            told = self._told[1] + self._unanswered + self._unheard
        return max(self._own, told)

    def free(self, now: float, *, all_of_it: bool = False) -> int:
        """Weight that may still be spent now; >= 0."""
        return max(0, self.allowance - self.used(now) - (0 if all_of_it else self.kept))

    def try_spend(self, weight: int, now: float, *, all_of_it: bool = False) -> bool:
        """Spend `weight` if it fits; each spending is to be settled when its answer is in."""
        if weight > self.free(now, all_of_it=all_of_it):
            return False
        self._spent.append((now, weight))
        self._own += weight
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

    def _forget(self, now: float) -> None:
        while self._spent and now - self._spent[0][0] >= self.window_s:
            self._own -= self._spent.popleft()[1]
