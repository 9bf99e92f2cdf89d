"""How much of a recording a replay has turned into signals: at too high a speed the scanner falls behind."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from scanner.records import utc
from scanner.simulated.source import Listing
from scanner.timeframes import length_ms, open_time_of

ENOUGH = 0.95  # of the closed candles; a replay is under way before its exchange has answered for the first time


def closed_candles(listings: Iterable[Listing], symbols: Collection[str], timeframe: str, span: tuple[int, int]) -> int:
    """How many candles of `symbols` closed in `span` (ms), untraded ones included."""
    step = length_ms(timeframe)
    first, last = (open_time_of(moment, step) for moment in span)
    chosen = [each for each in listings if {each.symbol, each.symbol.partition(":")[0]} & set(symbols)]
    return sum(max(last - max(first, each.listed_ms), 0) // step for each in chosen)


def coverage(signals: int, candles: int, timeframe: str, span: tuple[int, int]) -> str:
    """What was replayed and how many of its candles have a final signal, in words."""
    start, end = (f"{utc(moment):%Y-%m-%d %H:%M}" for moment in span)
    text = f"replayed {start} to {end}: {signals} of {candles} closed {timeframe} candles have a final signal"
    return text if signals >= ENOUGH * candles else f"{text}; a lower --speed leaves out fewer"
