"""Which signals are the newest after a cycle, held to a dictionary by market that later ones overwrite."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from scanner.config import StreamConfig
from scanner.markets import Market
from scanner.runtime.batches import SignalBatch
from scanner.runtime.book.book import Book
from scanner.runtime.cycles.signals import newest_of
from scanner.runtime.state import State
from tests.runtime.test_newest import MARKETS, NOW, batch

MINE = [market for market in MARKETS if market.exchange == "binance"]
CONFIG = StreamConfig(timeframes={"scalp": "5m", "swing": "1h"})


@st.composite
def batches(draw: st.DrawFn) -> list[SignalBatch]:
    """Some batches of one exchange, each told from the others by its moment."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        markets = draw(st.lists(st.sampled_from(MINE), unique=True, min_size=1))
        style = draw(st.sampled_from(["scalp", "swing"]))
        found.append(replace(batch(markets, style, NOW, [50.0] * len(markets)), timeframe=CONFIG.styles[style]))
    return found


def shown(found: tuple[SignalBatch, ...]) -> dict[Market, int]:
    return {market: each.at_ms for each in found for market in each.markets}


@given(batches(), batches(), batches(), st.lists(st.sampled_from(MINE), unique=True, min_size=1))
def test_a_market_shows_its_newest_signal_a_final_one_before_a_live_one(
    before: list[SignalBatch], finals: list[SignalBatch], lives: list[SignalBatch], held: list[Market]
) -> None:
    dated = [replace(each, at_ms=NOW + i) for i, each in enumerate([*before, *lives, *finals])]
    before, lives = dated[: len(before)], dated[len(before) : len(before) + len(lives)]
    finals = dated[len(before) + len(lives) :]
    book = Book("binance", held, CONFIG, NOW, simulated=False)
    known = {("binance", name): tuple(b for b in before if b.timeframe == name) for name in book.timeframes}
    snapshot = replace(State(10).current(), newest=MappingProxyType(known))
    made = newest_of(snapshot, book, finals, lives)
    assert {timeframe for _, timeframe in made} == {each.timeframe for each in [*lives, *finals]}
    for (_, timeframe), found in made.items():
        mine = [each for each in dated if each.timeframe == timeframe]
        newest = {market: each.at_ms for each in mine for market in each.markets if market in held}
        assert shown(found) == newest
        assert sum(len(each) for each in found) == len(newest)  # each market once
