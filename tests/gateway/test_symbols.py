from __future__ import annotations

from scanner.gateway.symbols import Resolved, resolve_symbols

SPOT = {"BTC/USDT": {"active": True}, "ETH/USDT": {"active": None}, "POL/USDT": {"active": True}}
SWAP = {"BTC/USDT:USDT": {"active": True}, "BTC/USD:BTC": {"active": True}, "SOL/USDT:USDT": {"active": False}}


def resolve(wanted, listed):
    return resolve_symbols("somewhere", wanted, listed)


def test_a_listed_symbol_is_itself():
    assert resolve(["BTC/USDT", "ETH/USDT"], SPOT) == Resolved({"BTC/USDT": "BTC/USDT", "ETH/USDT": "ETH/USDT"})


def test_where_only_swaps_are_listed_a_pair_is_the_linear_one():
    assert resolve(["BTC/USDT"], SWAP) == Resolved({"BTC/USDT": "BTC/USDT:USDT"})


def test_spot_goes_before_swap_unless_it_is_halted():
    assert resolve(["BTC/USDT"], SPOT | SWAP).found == {"BTC/USDT": "BTC/USDT"}
    assert resolve(["BTC/USDT"], SPOT | SWAP | {"BTC/USDT": {"active": False}}).found == {"BTC/USDT": "BTC/USDT:USDT"}


def test_a_swap_can_be_asked_for_by_its_whole_name():
    assert resolve(["BTC/USDT:USDT", "BTC/USD:BTC"], SPOT | SWAP).found == {
        "BTC/USDT:USDT": "BTC/USDT:USDT",
        "BTC/USD:BTC": "BTC/USD:BTC",
    }


def test_reasons():
    listed = SPOT | SWAP | {"FET/USDT": {"active": True}}
    assert resolve(["SOL/USDT", "XYZ/USDT", "FTM/USDT", "AGIX/USDT"], listed).skipped == {
        "SOL/USDT": "not active on somewhere: halted or delisted",
        "XYZ/USDT": "not listed on somewhere",
        "FTM/USDT": "not listed on somewhere",
        "AGIX/USDT": "not listed on somewhere; it became 0.43335 FET, and FET/USDT is listed",
    }


def test_a_renamed_coin_is_found_by_either_name():
    old = {"MATIC/USDT:USDT": {"active": True}}
    assert resolve(["MATIC/USDT"], SPOT) == Resolved({"POL/USDT": "POL/USDT"}, {}, {"MATIC/USDT": "POL/USDT"})
    assert resolve(["POL/USDT"], old) == Resolved({"MATIC/USDT": "MATIC/USDT:USDT"}, {}, {"POL/USDT": "MATIC/USDT"})


def test_a_coin_listed_by_both_names_is_two_markets():
    both = SPOT | {"MATIC/USDT": {"active": True}}
    assert resolve(["MATIC/USDT", "POL/USDT"], both) == Resolved({"MATIC/USDT": "MATIC/USDT", "POL/USDT": "POL/USDT"})


def test_one_market_is_not_watched_twice():
    assert resolve(["BTC/USDT", "BTC/USDT", "BTC/USDT:USDT"], SWAP) == Resolved(
        {"BTC/USDT": "BTC/USDT:USDT"}, {"BTC/USDT:USDT": "is the same market as BTC/USDT on somewhere"}
    )
    assert resolve(["MATIC/USDT", "POL/USDT"], SPOT) == Resolved(
        {"POL/USDT": "POL/USDT"}, {}, {"MATIC/USDT": "POL/USDT"}
    )
