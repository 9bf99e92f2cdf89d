"""Which gaps of the ledger have been fetched by now."""

from __future__ import annotations

from scanner.errors import StoreFailure
from scanner.markets import Market
from scanner.store.gaps import BACKFILLED, DOWN, NO_TRADE, OUTAGE, Gap
from scanner.store.store import TrainingStore
from scanner.timeframes import length_ms, open_time_of


def heal(store: TrainingStore, exchange: str, base: str) -> None:
    """Note as backfilled every gap of an exchange beyond and within which all markets it concerns have their candles.

    Raises
    ------
    StoreFailure
        The folder or the gap ledger cannot be read; a market whose file cannot be has not all its candles.
    """
    kept = [market for market in store.markets() if market.exchange == exchange]
    gaps = [gap for gap in store.gaps.read(exchange=exchange) if gap.cause in (DOWN, OUTAGE) and not gap.backfilled]
    for gap in gaps:
        concerned = [market for market in kept if gap.symbol in (None, market.symbol)]
        if concerned and all(_is_whole(store, market, base, gap) for market in concerned):
            store.gaps.append([Gap(exchange, gap.symbol, BACKFILLED, *gap.span)])


def _is_whole(store: TrainingStore, market: Market, base: str, gap: Gap) -> bool:
    """Whether a market has all its candles of a gap, and some after it."""
    try:
        held, step = store.candles(market, base).open_time, length_ms(base)
    except StoreFailure:
        return False
    if not len(held) or held[-1] + step < open_time_of(gap.span[1], step):
        return False
    holes = (hole for hole in store.holes(market, base) if hole.cause != NO_TRADE)
    return not any(hole.span[0] < gap.span[1] and gap.span[0] < hole.span[1] for hole in holes)
