"""What a start asks for where it names nothing, and what of it is refused before anything is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from scanner.config import StreamConfig
from scanner.errors import InvalidInput, UnknownExchange
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS
from scanner.order import StartOrder
from scanner.runtime.orders import StartOrders
from scanner.settings import Settings
from scanner.simulated import Recording
from scanner.universe import Universe


@dataclass
class Tape:
    """As much of a recording as an order looks at: hours of two symbols."""

    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT")
    resolution: str = "1h"
    timeframes_servable: tuple[str, ...] = ("1h", "4h", "1d")


def orders(tape: Tape | None = None, **settings: Any) -> StartOrders:
    return StartOrders(Settings(**settings), lambda: cast("Recording | None", tape))


def asked(order: StartOrder) -> tuple[Any, ...]:
    return order.symbols, order.universe, order.exchanges


def test_who_names_nothing_gets_the_default_symbols_on_the_default_exchanges() -> None:
    assert asked(orders().order()) == (DEFAULT_SYMBOLS, None, DEFAULT_EXCHANGES)
    assert orders(simulated=True).order().exchanges == ("simulated",)


@pytest.mark.parametrize(
    ("settings", "symbols", "universe"),
    [
        ({"symbols": "btc-usdt, ETH/USDT"}, ("BTC/USDT", "ETH/USDT"), None),
        ({"symbols": " All "}, (), Universe()),
        ({"universe": "top=50"}, (), Universe(top=50)),
    ],
)
def test_the_settings_say_what_is_scanned_by_default(
    settings: dict[str, str], symbols: tuple[str, ...], universe: Universe | None
) -> None:
    assert asked(orders(**settings).order())[:2] == (symbols, universe)
    assert asked(orders(**settings).order(["SOL/USDT"]))[:2] == (("SOL/USDT",), None)
    assert asked(orders(**settings).order(universe=Universe(top=2)))[:2] == ((), Universe(top=2))


def test_a_wrong_setting_is_named_by_its_variable() -> None:
    with pytest.raises(InvalidInput, match=r"^SCANNER_UNIVERSE"):
        orders(universe="{").order()


def test_a_replay_scans_what_was_recorded_on_the_timeframes_that_it_makes_up() -> None:
    desk = orders(Tape(), replay="hours.parquet")
    order = desk.servable(desk.order())
    assert asked(order) == (("BTC/USDT", "ETH/USDT"), None, ("replay",))
    assert dict(order.skipped) == {"scalp 5m": "a recording of 1h candles cannot serve it"}


def test_the_timeframes_of_a_recording_do_not_bind_another_exchange() -> None:
    desk = orders(Tape())
    assert not desk.servable(desk.order(exchanges=["simulated"])).skipped


def test_an_exchange_that_lacks_what_a_scan_needs_is_refused_alone_and_told_of_beside_another() -> None:
    desk = orders()
    with pytest.raises(InvalidInput, match=r"^exchanges: .*cannot be scanned: bitflyer "):
        desk.servable(desk.order(exchanges=["bitflyer"]))
    (warning,) = desk.servable(desk.order(exchanges=["bitflyer", "binance"])).warnings
    assert warning.startswith("bitflyer ")


def test_an_unknown_exchange_is_refused_by_name() -> None:
    with pytest.raises(UnknownExchange, match="binanse"):
        orders().servable(orders().order(exchanges=["binanse"]))


def test_more_symbols_than_memory_allows_are_refused_and_a_universe_is_warned_of() -> None:
    desk = orders(memory_mb=1)
    room = desk.room(desk.order())
    assert room is not None
    with pytest.raises(InvalidInput, match=r"^symbols: .*more than memory allows"):
        desk.fitting(desk.order([f"C{i}/USDT" for i in range(room.markets + 1)], ["binance"]))
    (warning,) = desk.fitting(desk.order(None, ["binance"], StreamConfig(), Universe(top=room.markets + 1))).warnings
    assert warning.startswith("universe: ")
