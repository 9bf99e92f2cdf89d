"""The rule of a universe: what may be written, and what a slip is told."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.order import Capacity, StartOrder, with_room, without_unfit
from scanner.settings import Settings
from scanner.universe import Universe

CONFIG = StreamConfig()


def test_a_rule_in_full() -> None:
    values = {
        "quote": "usdt",
        "top": 200,
        "min_volume_usd": 1e6,
        "include": ["btc-usdc"],
        "exclude": ["xrp", "ETH_USDT"],
    }
    universe = Universe(("USDT",), 200, 1e6, ("BTC/USDC",), ("XRP", "ETH/USDT"))
    assert Universe.from_mapping(values) == universe
    assert universe.as_dict() == values | {"quote": ["USDT"], "include": ["BTC/USDC"], "exclude": ["XRP", "ETH/USDT"]}
    assert Universe.from_mapping(universe.as_dict()) == universe


def test_the_same_on_one_line() -> None:
    text = "quote=USDT,USDC, top=200,min_volume_usd=1e6,include=BTC/EUR,ETH/EUR,exclude=XRP"
    expected = Universe(("USDT", "USDC"), 200, 1e6, ("BTC/EUR", "ETH/EUR"), ("XRP",))
    assert Universe.from_text(text, "--universe") == expected
    assert Universe.from_text(" ALL ", "--universe") == Universe()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([], "universe"),
        ("all of them", "universe"),
        ({"tops": 3}, "universe.tops"),
        ({"quote": ""}, "universe.quote"),
        ({"quote": ["A"] * 21}, "universe.quote"),
        ({"quote": ["USDT", 5]}, "universe.quote"),
        ({"quote": "../../etc"}, "universe.quote"),
        ({"top": 0}, "universe.top"),
        ({"top": -5}, "universe.top"),
        ({"top": True}, "universe.top"),
        ({"top": 2.5}, "universe.top"),
        ({"top": "200"}, "universe.top"),
        ({"top": 10**9}, "universe.top"),
        ({"min_volume_usd": math.nan}, "universe.min_volume_usd"),
        ({"min_volume_usd": math.inf}, "universe.min_volume_usd"),
        ({"min_volume_usd": -1}, "universe.min_volume_usd"),
        ({"min_volume_usd": False}, "universe.min_volume_usd"),
        ({"min_volume_usd": "1e6"}, "universe.min_volume_usd"),
        ({"include": "BTC/USDT"}, "universe.include"),
        ({"include": ["BTC"]}, "universe.include[0]"),
        ({"include": ["BTC/USDT", "binance:BTC/USDT"]}, "universe.include[1]"),
        ({"exclude": ["%00"]}, "universe.exclude[0]"),
        ({"include": ["BTC/USDT"], "exclude": ["BTC"]}, "universe.include[0]"),
    ],
)
def test_a_slip_is_told_by_its_field(values: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Universe.from_mapping(values)
    assert refusal.value.field == field


@pytest.mark.parametrize("text", ["", "top", "top=200,300", "top=1,top=2", "BTC/USDT", "quote=USDT,,top=3"])
def test_a_line_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--universe"):
        Universe.from_text(text, "--universe")


def test_slips_on_a_line_name_the_option_and_the_field() -> None:
    with pytest.raises(InvalidInput, match=r"--universe\.top: 'many' is not a whole number"):
        Universe.from_text("top=many", "--universe")
    with pytest.raises(InvalidInput, match=r"--universe\.min_volume_usd: nan"):
        Universe.from_text("min_volume_usd=nan", "--universe")


def test_all_and_a_universe_stand_in_place_of_a_list() -> None:
    assert StartOrder.checked("all", ["binance"], CONFIG).universe == Universe()
    rule = Universe(top=5)
    assert StartOrder.checked("All", ["binance"], CONFIG, rule).universe == rule
    assert StartOrder.checked(None, ["binance"], CONFIG, rule) == StartOrder((), ("binance",), CONFIG, universe=rule)
    with pytest.raises(InvalidInput, match=r"universe: .* exclude each other"):
        StartOrder.checked(["BTC/USDT"], ["binance"], CONFIG, rule)
    with pytest.raises(InvalidInput, match="symbols: 'every' is not a list of 1 to 5000 texts, nor 'all'"):
        StartOrder.checked("every", ["binance"], CONFIG)


def test_an_order_with_a_universe_can_be_kept_and_read_back() -> None:
    order = StartOrder.checked(None, ["binance"], CONFIG, Universe(("USDT",), 50, exclude=("XRP",)))
    assert StartOrder.from_dict(json.loads(json.dumps(order.as_dict()))) == order


ASSETS = st.text("ABCXYZ123", min_size=1, max_size=6)
QUOTES = st.sampled_from(["USDT", "USDC", "BTC", "EUR"])
SYMBOLS = st.builds("{}/{}".format, ASSETS, QUOTES)
UNIVERSES = st.builds(
    lambda included, **fields: {**fields, "include": [s for s in included if s.partition("/")[0] == "KEPT"]},
    included=st.lists(SYMBOLS | st.just("KEPT/USDT"), max_size=3),
    quote=st.lists(QUOTES, max_size=3) | QUOTES | st.none(),
    top=st.integers(1, 5000) | st.none(),
    min_volume_usd=st.floats(0, 1e15) | st.none(),
    exclude=st.lists(SYMBOLS | ASSETS | st.sampled_from(["WBTC", "BTCUSDT", "eth"]), max_size=4) | st.none(),
)


@given(UNIVERSES)
def test_every_order_of_a_universe_can_be_kept_and_read_back(values: dict[str, Any]) -> None:
    order = StartOrder.checked(None, ["simulated"], CONFIG, Universe.from_mapping(values))
    assert StartOrder.from_dict(json.loads(json.dumps(order.as_dict()))) == order


def test_an_order_of_all_can_be_kept_and_read_back() -> None:
    order = StartOrder.checked("all", ["simulated"], CONFIG)
    assert StartOrder.from_dict(json.loads(json.dumps(order.as_dict()))) == order


def test_what_is_excluded_is_counted_as_it_is_kept() -> None:
    names = [f"A{i}BTC" for i in range(2501)]  # each may be A1/BTC or the asset A1BTC
    with pytest.raises(InvalidInput, match=r"universe\.exclude: .* means 5002 symbols and assets, more than 5000"):
        Universe.from_mapping({"exclude": names})
    kept = Universe.from_mapping({"exclude": names[:2500]})
    assert Universe.from_mapping(kept.as_dict()) == kept


def test_settings_are_read_when_they_are_taken() -> None:
    settings = Settings.from_env({"SCANNER_UNIVERSE": "quote=USDT,top=5", "SCANNER_RENAMES": "OLD=NEW"})
    assert settings.universe == "quote=USDT,top=5"
    for variable, text in (("UNIVERSE", "top=0"), ("SYMBOLS", "BTC/USDT,,"), ("SYMBOLS", "a b"), ("RENAMES", "A-B")):
        with pytest.raises(InvalidInput, match=f"SCANNER_{variable}"):
            Settings.from_env({f"SCANNER_{variable}": text})


def test_a_list_that_does_not_fit_is_refused_with_what_would() -> None:
    order = StartOrder.checked([f"S{i}/USDT" for i in range(30)], ["binance", "okx"], CONFIG)
    assert with_room(order, Capacity(60, "")) == order
    assert with_room(order, None) == order
    with pytest.raises(InvalidInput, match="60 markets, more than memory allows: 29 on each exchange would fit; 1 MB"):
        with_room(order, Capacity(59, "1 MB each"))


def test_a_universe_that_may_not_fit_starts_with_a_warning() -> None:
    order = StartOrder.checked(None, ["binance"], CONFIG, Universe(top=100))
    assert with_room(order, Capacity(120, "")).warnings == ()
    (warning,) = with_room(order, Capacity(119, "1 MB each")).warnings
    assert warning == "universe: up to 120 markets may be more than memory allows: 119 would fit; 1 MB each"
    everything = StartOrder.checked("all", ["binance"], CONFIG)
    assert with_room(everything, Capacity(1, "")) == everything  # nobody can tell yet


def test_exchanges_that_will_not_do_are_a_warning_beside_others_and_a_refusal_alone() -> None:
    order = StartOrder.checked(["BTC/USDT"], ["binance", "coinspot"], CONFIG)
    assert without_unfit(order, {"coinspot": "has no candles"}).warnings == ("coinspot has no candles",)
    with pytest.raises(InvalidInput, match="cannot be scanned: binance is shut; coinspot has no candles"):
        without_unfit(order, {"binance": "is shut", "coinspot": "has no candles"})
