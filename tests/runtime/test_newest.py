"""The table of newest signals: the same choice as among plain records, rendered for the chosen alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.config import STYLES, StreamConfig
from scanner.core.analysis import Analysis, analyse
from scanner.core.candles import Candles
from scanner.errors import InvalidInput
from scanner.markets import Market, parse_symbol
from scanner.runtime import newest
from scanner.runtime.batches import Context, Record, SignalBatch
from scanner.runtime.newest import NewestSignals
from scanner.runtime.query import SignalQuery, market_of, select_records, select_signals

SYMBOLS = ["BTC/USDT", "BTC/USDC", "BTC/USDT:USDT", "WBTC/USDT", "W/BTC", "ETH/BTC", "BT/CUSDT", "SOL/USDT"]
MARKETS = [Market(exchange, symbol) for exchange in ("binance", "kucoinfutures") for symbol in SYMBOLS]
WRITTEN = ["BTC", "btc-usdt", "BTC/USDT:USDT", "WBTC", "W/BTC", "ETH", "binance:BTC", "kucoinfutures:BTC/USDT", "XRP"]
SCORES = [0.0, -0.0, 59.999, 60.0, 60.0, 100.0, np.nan, np.inf]
NOW = 1_700_000_000_000


def analysis(scores: list[float]) -> Analysis:
    found = analyse(Candles(*np.ones((5, len(scores), 20))), StreamConfig())
    return dataclasses.replace(found, combined_score=np.array(scores))


def batch(markets: list[Market], style: str, at_ms: int, scores: list[float]) -> SignalBatch:
    count = len(markets)
    return SignalBatch(
        exchange=markets[0].exchange if markets else "binance",
        style=style,
        timeframe=STYLES[style],
        at_ms=at_ms,
        closed=False,
        markets=tuple(markets),
        rows=np.arange(count),
        candle_time=np.full(count, NOW),
        progress=np.full(count, 0.5),
        analysis=analysis(scores),
        percentile=np.full(count, np.nan),
        data_age_s=np.zeros(count),
        gaps=np.zeros(count, dtype=np.int64),
        params_id="test",
        scoring="absolute",
        simulated=False,
        context=Context(),
    )


@st.composite
def batches(draw: st.DrawFn) -> list[SignalBatch]:
    """Some batches of one exchange each; made at few moments, so that scores and times are often equal."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        exchange = draw(st.sampled_from(["binance", "kucoinfutures"]))
        markets = draw(st.lists(st.sampled_from([m for m in MARKETS if m.exchange == exchange]), unique=True))
        scores = draw(st.lists(st.sampled_from(SCORES), min_size=len(markets), max_size=len(markets)))
        at_ms = NOW + draw(st.sampled_from([0, 1, 1000]))
        found.append(batch(markets, draw(st.sampled_from(list(STYLES))), at_ms, scores))
    return found


queries = st.builds(
    SignalQuery,
    symbol=st.none() | st.sampled_from(WRITTEN),
    timeframe=st.none() | st.sampled_from([*STYLES, *STYLES.values()]),
    min_score=st.sampled_from([0.0, 60.0, 60.5, 100.0]),
    limit=st.sampled_from([0, 1, 3, 50]),
)


def plain(found: list[SignalBatch]) -> list[Record]:
    return [each.record(i) for each in found for i in range(len(each))]


@given(batches(), queries)
def test_the_choice_is_the_one_among_plain_records(found: list[SignalBatch], query: SignalQuery) -> None:
    chosen = select_signals(NewestSignals.of(found), query, STYLES)
    assert chosen == select_records(plain(found), query, STYLES)


@given(batches(), st.sampled_from([text for text in WRITTEN if "/" in text or "-" in text]))
def test_a_symbol_finds_its_markets_in_order(found: list[SignalBatch], written: str) -> None:
    table, wanted = NewestSignals.of(found), parse_symbol(written)
    meant = table.records(table.meant(wanted))
    assert meant == [record for record in plain(found) if wanted.matches(market_of(record))]


def test_only_what_is_answered_becomes_records(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    render = newest.records
    monkeypatch.setattr(
        newest, "records", lambda rows, about: rendered.extend(a.symbol for a in about) or render(rows, about)
    )
    table = NewestSignals.of([batch(MARKETS[:8], "scalp", NOW, [10.0 * i for i in range(8)])])
    assert [r["combined_score"] for r in select_signals(table, SignalQuery(limit=2), STYLES)] == [70.0, 60.0]
    assert rendered == [MARKETS[7].symbol, MARKETS[6].symbol]


def test_wrong_filters_are_refused_when_there_is_nothing_to_filter() -> None:
    with pytest.raises(InvalidInput, match="symbol"):
        select_signals(NewestSignals(), SignalQuery(symbol="?", timeframe="?"), STYLES)
    with pytest.raises(InvalidInput, match="timeframe"):
        select_signals(NewestSignals(), SignalQuery(timeframe="?"), STYLES)
