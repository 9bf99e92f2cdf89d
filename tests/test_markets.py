"""Symbols as people write them: every spelling means the same market, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from scanner.errors import InvalidInput
from scanner.markets import ASSET, DEFAULT_SYMBOLS, EXCHANGE, QUOTES, SYMBOL, Market, parse_symbol, select

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ASSETS = st.text(LETTERS + "0123456789", min_size=1, max_size=10)
MAJORS = st.sampled_from(["BTC", "ETH", "SOL", "DOGE", "1000SATS", "1INCH", "LINK"])
EXCHANGES = st.sampled_from(["binance", "kucoinfutures", "okx", "simulated", "replayfutures"])
CASES = st.sampled_from([str.upper, str.lower, str.title])


def spellings(base: str, quote: str) -> list[str]:
    """Every way to write a symbol that names both of its assets apart."""
    return [f"{base}{separator}{quote}" for separator in ("/", "%2F", "%2f", "-", "_")]


@given(ASSETS, ASSETS, CASES)
def test_every_spelling_of_a_symbol_is_the_same_market(base: str, quote: str, case: object) -> None:
    for spelling in spellings(base, quote):
        wanted = parse_symbol(case(spelling))  # type: ignore[operator]
        assert (wanted.exchange, wanted.symbol, wanted.base) == (None, f"{base}/{quote}", base)


@given(EXCHANGES, ASSETS, ASSETS, CASES)
def test_an_exchange_may_stand_in_front_of_every_spelling(exchange: str, base: str, quote: str, case: object) -> None:
    for spelling in [*spellings(base, quote), f"{base}/{quote}:{quote}"]:
        wanted = parse_symbol(case(f"{exchange}:{spelling}"))  # type: ignore[operator]
        assert wanted.exchange == exchange
        assert wanted.symbol == parse_symbol(spelling).symbol


@given(MAJORS, st.sampled_from([quote for quote in QUOTES if quote not in ("USD", "DAI")]), CASES)
def test_a_common_quote_needs_no_separator(base: str, quote: str, case: object) -> None:
    assume(base != quote)
    assert parse_symbol(case(f"{base}{quote}")).symbol == f"{base}/{quote}"  # type: ignore[operator]
    assert parse_symbol(case(f"binance:{base}{quote}"))[:2] == ("binance", f"{base}/{quote}")  # type: ignore[operator]


@pytest.mark.parametrize("quote", ["USDT", "USDC", "FDUSD", "BTC"])
def test_swaps_keep_what_they_settle_in_however_they_are_written(quote: str) -> None:
    for spelling in (f"SOL/{quote}:{quote}", f"SOL-{quote}:{quote}", f"sol{quote}:{quote}", f"SOL%2F{quote}%3a{quote}"):
        assert parse_symbol(spelling)[:2] == (None, f"SOL/{quote}:{quote}")
    assert parse_symbol(f"okx:SOL/{quote}:{quote}")[:2] == ("okx", f"SOL/{quote}:{quote}")


@given(st.one_of(st.text(max_size=100), st.text("BTCusd/:-_%2F.. \n\0", max_size=30)), st.booleans())
@example("../../etc/passwd", True)
@example("BTC/USDT\n", True)
@example("BTC\0/USDT", True)
@example("\u00dfTC/USDT", True)  # upper case makes SS of it
@example("\u017fOL/USDT", True)  # and S of this
@example("\u212aucoin:BTC/USDT", True)  # lower case makes k of it
@example("%252e%252e%252f", True)
def test_whatever_is_written_the_answer_keeps_to_the_strict_pattern(text: str, allow_base: bool) -> None:
    try:
        wanted = parse_symbol(text, allow_base=allow_base)
    except InvalidInput:
        return
    assert text.isascii()
    assert wanted.exchange is None or EXCHANGE.fullmatch(wanted.exchange)
    assert wanted.symbol is None or SYMBOL.fullmatch(wanted.symbol)
    assert ASSET.fullmatch(wanted.base)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "/", "BTC/", "/USDT", "BTC//USDT", "BTC/USDT/ETH", "BTC USDT", " BTC/USDT", "BTC/USDT ", "."),
        *("../../etc/passwd", "BTC/USDT\n", "BTC\0/USDT", "\U0001f680/USDT", "A" * 10_000, "BTC/USDT:USDT:USDT"),
        *("ßTC/USDT", "ſOL/USDT", "BTC/USDT;rm", "a b:BTC/USDT", ":BTC/USDT", "b:BTC/USDT"),
        *(None, 5, 1.5, True, ["BTC/USDT"], {"symbol": "BTC/USDT"}, b"BTC/USDT"),
    ],
)
def test_anything_else_is_refused_with_the_field_in_ascii(text: object) -> None:
    with pytest.raises(InvalidInput, match=r"^symbols\[3\]: .* is not a symbol such as 'BTC/USDT'") as refused:
        parse_symbol(text, "symbols[3]")
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 300


@given(ASSETS)
def test_a_base_alone_means_all_its_markets_where_that_is_allowed(base: str) -> None:
    assume(not any(base.endswith(quote) and base != quote for quote in QUOTES))
    assert parse_symbol(base, allow_base=True)[:3] == (None, None, base)
    with pytest.raises(InvalidInput):
        parse_symbol(base)


# --- markets -------------------------------------------------------------------------------------------------------

SPOT, SWAP = Market("binance", "BTC/USDT"), Market("kucoinfutures", "BTC/USDT:USDT")
WRAPPED, OTHER = Market("binance", "WBTC/USDT"), Market("binance", "BTC/USDC")
MARKETS = [SPOT, SWAP, WRAPPED, OTHER]


@given(EXCHANGES, ASSETS, ASSETS)
def test_a_market_is_written_as_it_is_parsed(exchange: str, base: str, quote: str) -> None:
    market = Market(exchange, f"{base}/{quote}")
    assert Market.parse(str(market)) == market
    assert market.base == base


@pytest.mark.parametrize("text", ["BTC/USDT", "BTC", "binance:", "binance:BTC"])
def test_a_market_needs_an_exchange_and_a_symbol(text: str) -> None:
    with pytest.raises(InvalidInput):
        Market.parse(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("BTC/USDT", [SPOT, SWAP]),
        ("btcusdt", [SPOT, SWAP]),
        ("BTC/USDT:USDT", [SWAP]),
        ("binance:BTC/USDT", [SPOT]),
        ("kucoinfutures:BTC-USDT", [SWAP]),
        ("BTC", [SPOT, SWAP, OTHER]),
        ("WBTC", [WRAPPED]),  # although it could be W/BTC
        ("binance:BTC", [SPOT, OTHER]),
        ("ETH/USDT", []),
    ],
)
def test_a_symbol_means_itself_its_swap_and_nothing_that_only_looks_alike(text: str, meant: list[Market]) -> None:
    assert select(MARKETS, parse_symbol(text, allow_base=True)) == meant


def test_the_default_symbols_are_symbols() -> None:
    assert len(DEFAULT_SYMBOLS) == 10
    assert [parse_symbol(symbol).symbol for symbol in DEFAULT_SYMBOLS] == [*DEFAULT_SYMBOLS]
