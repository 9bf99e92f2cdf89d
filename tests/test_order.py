"""Start orders: canonical when right, refused by name when wrong."""

from __future__ import annotations

import pytest

from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.order import EMBEDDED, MOST_EXCHANGES, MOST_SYMBOLS, StartOrder, limited_to

CONFIG = StreamConfig()


def test_symbols_become_canonical_and_each_is_scanned_once() -> None:
    order = StartOrder.checked(["btc-usdt", "BTCUSDT", "ETH/USDT:USDT", "BTC/USDT"], ["binance", "binance"], CONFIG)
    assert order.symbols == ("BTC/USDT", "ETH/USDT:USDT")
    assert order.exchanges == ("binance",)
    assert (order.config, dict(order.skipped)) == (CONFIG, {})


@pytest.mark.parametrize("symbols", [[], "BTC/USDT", None, 5, {"a": 1}, {"BTC/USDT"}, ["A/B"] * (MOST_SYMBOLS + 1)])
def test_symbols_are_a_list_of_some_length(symbols: object) -> None:
    with pytest.raises(InvalidInput, match=r"^symbols: .* is not a list of 1 to 5000 texts"):
        StartOrder.checked(symbols, ["binance"], CONFIG)


@pytest.mark.parametrize("symbol", ["", "BTC", "../x", "binance:BTC/USDT", 5, None, ["BTC/USDT"], "BTC\0/USDT"])
def test_a_wrong_symbol_is_named_by_its_place(symbol: object) -> None:
    with pytest.raises(InvalidInput, match=r"^symbols\[1\]: "):
        StartOrder.checked(["BTC/USDT", symbol], ["binance"], CONFIG)


@pytest.mark.parametrize("exchanges", [[], "binance", None, 5, ["binance"] * (MOST_EXCHANGES + 1)])
def test_exchanges_are_a_list_of_some_length(exchanges: object) -> None:
    with pytest.raises(InvalidInput, match=r"^exchanges: .* is not a list of 1 to 10 texts"):
        StartOrder.checked(["BTC/USDT"], exchanges, CONFIG)


@pytest.mark.parametrize("exchange", ["", "B", "Binance", "../x", "__class__", "bin ance", "x" * 40, 5, None])
def test_a_wrong_exchange_is_named_by_its_place(exchange: object) -> None:
    with pytest.raises(InvalidInput, match=r"^exchanges\[1\]: "):
        StartOrder.checked(["BTC/USDT"], ["binance", exchange], CONFIG)


@pytest.mark.parametrize(
    "exchanges", [["binance", "simulated"], ["replay", "kucoinfutures"], ["simulated", "replay"], [*EMBEDDED]]
)
def test_real_simulated_and_replayed_exchanges_do_not_mix(exchanges: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"^exchanges: .* mixes real, simulated or replayed ones"):
        StartOrder.checked(["BTC/USDT"], exchanges, CONFIG)


@pytest.mark.parametrize(
    "exchanges", [["simulated", "simulatedfutures"], ["replay", "replayfutures"], ["binance", "kraken"]]
)
def test_exchanges_of_one_kind_go_together(exchanges: list[str]) -> None:
    assert StartOrder.checked(["BTC/USDT"], exchanges, CONFIG).exchanges == tuple(exchanges)


def test_styles_a_source_cannot_serve_are_left_out_with_the_reason() -> None:
    order = limited_to(StartOrder.checked(["BTC/USDT"], ["replay"], CONFIG), ("1h", "4h", "1d"), "a recording")
    assert order.config.styles == {"day_trade": "4h", "swing": "1h", "position": "1d"}
    assert order.config.base_timeframe == "1h"
    assert dict(order.skipped) == {"scalp 5m": "a recording cannot serve it"}


def test_a_source_that_serves_everything_changes_nothing() -> None:
    order = StartOrder.checked(["BTC/USDT"], ["replay"], CONFIG)
    assert limited_to(order, ("5m", "1h", "4h", "1d"), "a recording") == order


def test_a_source_that_serves_nothing_is_refused() -> None:
    order = StartOrder.checked(["BTC/USDT"], ["replay"], StreamConfig(timeframes={"fast": "1m"}))
    with pytest.raises(InvalidInput, match=r"^timeframes: .* holds none that a recording can serve: 1h"):
        limited_to(order, ("1h",), "a recording")
