"""What goes into the gateway and what comes out: plain frozen values, safe to pass between threads.

Market time is int ms since the epoch. Missing numbers are NaN. Volumes are in base currency, quote volumes in quote
currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from scanner.core.candles import Float, Int
from scanner.errors import ExchangeFailure
from scanner.markets import Market


class Purpose(IntEnum):
    """What candles are asked for; when not all can be, the smaller goes first."""

    GAP = 0  # closed candles are missing from what is known: a repair
    CLOSE = 1  # a candle has just closed and its final signal waits
    BACKFILL = 2  # the history of a market new to the scan
    FORMING = 3  # the volume of the candle now forming; prices come without
    CHECK = 4  # whether candles that are known are the exchange's own


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """Candles wanted: `limit` of them from `since_ms` on, and what for.

    The first `again` of them are known and final: asked for only to see whether they have changed.
    `value` tells what the refresh of a forming candle is worth, in any unit: the higher goes first. The other purposes
    have none.
    """

    market: Market
    timeframe: str
    since_ms: int
    limit: int
    purpose: Purpose = Purpose.FORMING
    value: float = 0.0
    again: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class CandleAnswer:
    """Candles of one market, oldest first, each open time once; n may be 0.

    The last one is usually still forming. `began_ms` is the market time at which the fetch began: a candle that had
    closed well before is final. `dropped` counts rows that no candle can have (nulls, prices <= 0, a time that is no
    boundary). A `provisional` one was pushed: only a newer candle in it makes one final, however long ago it closed.
    """

    request: CandleRequest
    open_time: Int  # [n] ms
    open: Float  # [n]
    high: Float  # [n]
    low: Float  # [n]
    close: Float  # [n]
    volume: Float  # [n] base currency
    began_ms: int
    dropped: int = 0
    provisional: bool = False

    def __len__(self) -> int:
        return len(self.open_time)


@dataclass(frozen=True, slots=True, eq=False)
class PriceAnswer:
    """One price sweep of one exchange: every price is finite and > 0; the other columns are NaN where unknown.

    `at_ms` is the market time at which the question was asked, so an age is never understated.
    """

    exchange: str
    at_ms: int
    markets: tuple[Market, ...]  # [n]
    price: Float  # [n] last trade
    quote_volume: Float  # [n] of 24 h
    bid: Float  # [n]
    ask: Float  # [n]

    def __len__(self) -> int:
        return len(self.markets)


@dataclass(frozen=True, slots=True, eq=False)
class CandleSweep:
    """What one exchange answered to one batch, or a part told before the rest: answers to closes, or histories.

    Every request of a batch is in exactly one list of one of its sweeps.
    """

    exchange: str
    answers: list[CandleAnswer]
    deferred: list[CandleRequest]  # not asked: no budget, no time, or the exchange is resting after failures
    failures: list[tuple[CandleRequest, ExchangeFailure]]
    is_last: bool = True

    @property
    def failed(self) -> dict[Market, ExchangeFailure]:
        """The newest failure of every market that had one."""
        return {request.market: failure for request, failure in self.failures}


@dataclass(frozen=True, slots=True)
class WeightState:
    """Request weight of an exchange: used in the window that ends now, and what may be.

    `shared` tells whether all processes of the host are counted together, `processes` how many they are; `cause` why
    they are not.
    """

    used: int
    allowance: int
    limit: int
    window_s: float
    shared: bool = False
    processes: int = 1
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Requests of one purpose that wait, and how long the first of them has been waiting; None when none does."""

    count: int = 0
    oldest_s: float | None = None


@dataclass(frozen=True, slots=True)
class PushFigures:
    """How pushed data are doing: markets that REST serves meanwhile, and what has been done for how many causes."""

    healing: int = 0
    connections: int = 0
    reconnects: int = 0
    resubscriptions: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    last_cause: str | None = None


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """How an exchange is doing; `state` is one of connecting, live, late, down, restricted, limited, banned.

    `ahead_ms` is how far its clock is ahead of ours, 0 while they agree. `deferred` has an entry for every purpose, in
    small letters. `push` is None where everything is asked for. `listing_cause` says why the list of markets, and with
    it the choice of a universe, is not as new as it should be.
    `is_idle` is true where nothing can be scanned although the exchange answers, or could: waiting does not help.
    """

    id: str
    state: str
    cause: str | None
    markets: int
    last_data_ms: int | None
    weight: WeightState
    deferred: Mapping[str, Deferred]
    ahead_ms: int = 0
    is_idle: bool = False
    push: PushFigures | None = None
    listing_cause: str | None = None

    @property
    def transport(self) -> str:
        """``rest``, ``push``, or ``push (healing 3)`` while REST serves three of the markets."""
        if self.push is None:
            return "rest"
        return f"push (healing {self.push.healing})" if self.push.healing else "push"


def no_numbers() -> Float:
    """float64[0]."""
    return np.empty(0, np.float64)
