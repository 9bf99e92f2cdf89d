"""From a venue to rows: list, fetch, scan, within a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pandas as pd

from scanner.core.candles import Candles
from scanner.errors import Unreachable
from scanner.fullscan.frames import frame_of, with_whole_volume
from scanner.fullscan.progress import Tell, silent
from scanner.fullscan.scan import Order, scan_frames
from scanner.fullscan.settings import TimeframePlan, TradingConfig
from scanner.gateway.adopted import Harvest, MarketReader
from scanner.gateway.answers import CandleAnswer
from scanner.gateway.listing import Listing
from scanner.gateway.patience import Patience
from scanner.records import iso

KEPT_S = 300.0  # how long fetched candles serve again
FETCHING = 0.8  # of the time there is; the rest is for looking at what came


@dataclass(frozen=True)
class Wish:
    """Which markets of a venue, and how much of each."""

    quote: str = "USDT"
    market_type: str = "crypto"
    symbols: tuple[str, ...] | None = None  # None: all of them
    full_analysis: bool = True


@dataclass
class VenueCandles:
    """Candles of a venue by symbol as of a market time; `skipped` and `failed` say why the others are missing."""

    frames: dict[str, pd.DataFrame]
    now_ms: int
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class CandleCache:
    """Frames fetched less than five minutes ago, by symbol, interval and count."""

    def __init__(self, keep_s: float = KEPT_S) -> None:
        self._keep_s = keep_s
        self._kept: dict[tuple[str, str, int], tuple[float, pd.DataFrame]] = {}

    def get(self, symbol: str, interval: str, count: int, now: float) -> pd.DataFrame | None:
        kept = self._kept.get((symbol, interval, count))
        return kept[1] if kept is not None and now - kept[0] < self._keep_s else None

    def put(self, symbol: str, interval: str, count: int, now: float, frame: pd.DataFrame) -> None:
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < self._keep_s}
        self._kept[symbol, interval, count] = (now, frame)


async def read_venue(
    reader: MarketReader,
    plan: TimeframePlan,
    wish: Wish,
    deadline_s: float,
    cache: CandleCache | None = None,
    on_progress: Tell = silent,
) -> VenueCandles:
    """List the wished markets and fetch what the plan needs of each.

    Raises
    ------
    ExchangeFailure
        Markets cannot be listed in time, or not one could be read.
    """
    until = time.monotonic() + deadline_s * FETCHING
    try:
        async with asyncio.timeout(deadline_s):
            listings, skipped = await reader.listings(wish.quote, wish.market_type, wish.symbols)
            count = plan.candles(wish.full_analysis)
            known = _cached(cache, listings, plan.interval, count)
            missing = [listing for listing in listings if listing.symbol not in known]
            harvest = await reader.candles(missing, plan.interval, count, until, on_progress)
    except TimeoutError:
        raise Unreachable(f"{reader.id}: did not answer within {deadline_s:g} s") from None
    if not known:
        harvest.raise_if_barren()
    fresh = _frames(harvest, plan)
    for symbol, frame in fresh.items() if cache is not None else ():
        cache.put(symbol, plan.interval, count, time.monotonic(), frame)  # type: ignore[union-attr]
    both = {**known, **fresh}
    ordered = {listing.symbol: both[listing.symbol] for listing in listings if listing.symbol in both}
    failed = {symbol: str(failure) for symbol, failure in harvest.failures.items()}
    return VenueCandles(ordered, harvest.now_ms, skipped, failed)


def _cached(
    cache: CandleCache | None, listings: Iterable[Listing], interval: str, count: int
) -> dict[str, pd.DataFrame]:
    if cache is None:
        return {}
    found = {listing.symbol: cache.get(listing.symbol, interval, count, time.monotonic()) for listing in listings}
    return {symbol: frame for symbol, frame in found.items() if frame is not None}


def _frames(harvest: Harvest, plan: TimeframePlan) -> dict[str, pd.DataFrame]:
    return {
        symbol: with_whole_volume(_frame(answer), plan.interval_ms, harvest.now_ms)
        for symbol, answer in harvest.answers.items()
    }


def _frame(answer: CandleAnswer) -> pd.DataFrame:
    candles = Candles(answer.open, answer.high, answer.low, answer.close, answer.volume)
    return frame_of(answer.open_time, candles)


def table_of(candles: VenueCandles, order: Order, until: float = float("inf")) -> pd.DataFrame:
    """The rows of a venue, best first.

    Returns
    -------
    DataFrame
        The columns of `row.COLUMNS`. `attrs` holds exchange, timeframe, interval, market_time, total_scanned, and
        the reasons for markets without a row in skipped and failed.
    """
    found = scan_frames(candles.frames, replace(order, now_ms=candles.now_ms), until)
    table = found.table()
    table.attrs = {
        "exchange": order.exchange,
        "timeframe": order.plan.requested,
        "interval": order.plan.interval,
        "market_time": iso(candles.now_ms),
        "total_scanned": len(candles.frames),
        "skipped": {**candles.skipped, **found.skipped},
        "failed": candles.failed,
    }
    return table


def patience_from(config: TradingConfig) -> Patience:
    """How long and how often to ask, as the trading configuration says."""
    return Patience(
        attempts=max(config.retry_attempts, 1),
        delay_s=config.retry_delay,
        at_once=max(config.max_concurrent_requests, 1),
        limited=max(config.circuit_breaker_threshold, 1),
        pause_s=config.circuit_breaker_pause,
    )
