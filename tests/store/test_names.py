"""File names."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import InvalidInput
from scanner.markets import EXCHANGE, SYMBOL, Market
from scanner.store import names
from scanner.timeframes import DAY_MS
from tests.store.making import BTC, MIDNIGHT, SWAP

markets = st.builds(Market, st.from_regex(EXCHANGE, fullmatch=True), st.from_regex(SYMBOL, fullmatch=True))
few_letters = st.text("AUSDT", min_size=1, max_size=5)
similar_markets = st.builds(
    lambda base, quote, settle: Market("binance", f"{base}/{quote}" + (f":{settle}" if settle else "")),
    few_letters,
    few_letters,
    st.none() | few_letters,
)


def test_names_are_the_published_ones():
    assert names.day_file(BTC, MIDNIGHT) == "binance_BTCUSDT_2025-10-24.json"
    assert names.candle_file(BTC, "5m") == "binance_BTCUSDT_5m.parquet"


def test_a_contract_has_a_name_of_its_own():
    assert names.candle_file(SWAP, "4h") == "kucoinfutures_BTCUSDT.USDT_4h.parquet"


def test_a_day_is_a_utc_day():
    assert names.day_file(BTC, MIDNIGHT - 1) == "binance_BTCUSDT_2025-10-23.json"
    assert names.day_file(BTC, MIDNIGHT + DAY_MS - 1) == "binance_BTCUSDT_2025-10-24.json"


@given(markets)
def test_names_are_safe_and_give_the_market_back(market):
    name = names.day_file(market, MIDNIGHT)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,255}", name)
    assert Path("folder", name).parent == Path("folder")
    assert names.try_day_file(name) == (market, date(2025, 10, 24))
    assert names.try_candle_file(names.candle_file(market, "1h")) == (market, "1h", None)


@given(similar_markets, similar_markets)
def test_two_markets_never_share_a_name_even_where_case_is_ignored(one, other):
    assert (names.stem(one).lower() == names.stem(other).lower()) == (one == other)


@pytest.mark.parametrize(
    "market",
    [
        Market("binance", "../../etc/passwd"),
        Market("..", "BTC/USDT"),
        Market("binance/..", "BTC/USDT"),
        Market("binance", "BTC/USDT\0"),
        Market("binance", "BTC/USDT\n"),
        Market("binance", ""),
        Market("binance", "BTC"),
        Market("binance", "A" * 10_000 + "/USDT"),
        Market("binance", "\N{ROCKET}/USDT"),
        Market("CON", "BTC/USDT"),
    ],
)
def test_a_market_that_is_none_has_no_name(market):
    with pytest.raises(InvalidInput):
        names.day_file(market, MIDNIGHT)
    with pytest.raises(InvalidInput):
        names.candle_file(market, "5m")


def test_a_timeframe_that_is_none_has_no_name():
    with pytest.raises(InvalidInput):
        names.candle_file(BTC, "../5m")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "notes.json",
        "README.md",
        "binance_BTCUSDT_2025-13-24.json",
        "binance_BTCUSDT_2025-10-24.json.corrupt-1",
        ".binance_BTCUSDT_2025-10-24.json.twin",
        "binance_BTC-USDT_2025-10-24.json",
        "binance_BTCUSDT_7m.parquet",
        "binance_BTCUSDT_5m.parquet.tmp",
        "binance_BTC_USDT_5m.parquet",
        "binance:BTC_USDT_2025-10-24.json",
        "binance_" + "A" * 5000 + "_5m.parquet",
    ],
)
def test_a_name_that_is_not_ours_is_recognised(name):
    assert names.try_day_file(name) is None
    assert names.try_candle_file(name) is None
