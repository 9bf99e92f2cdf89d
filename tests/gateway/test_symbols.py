from __future__ import annotations

from scanner.gateway.symbols import resolve_symbols

SPOT = {"BTC/USDT": {"active": True}, "ETH/USDT": {"active": None}, "POL/USDT": {"active": True}}
SWAP = {"BTC/USDT:USDT": {"active": True}, "BTC/USD:BTC": {"active": True}, "SOL/USDT:USDT": {"active": False}}


def resolve(wanted, listed):
    return resolve_symbols("somewhere", wanted, listed)


def test_a_listed_symbol_is_itself():
    assert resolve(["BTC/USDT", "ETH/USDT"], SPOT) == ({"BTC/USDT": "BTC/USDT", "ETH/USDT": "ETH/USDT"}, {})


def test_where_only_swaps_are_listed_a_pair_is_the_linear_one():
    assert resolve(["BTC/USDT"], SWAP) == ({"BTC/USDT": "BTC/USDT:USDT"}, {})


def test_spot_goes_before_swap_unless_it_is_halted():
    assert resolve(["BTC/USDT"], SPOT | SWAP)[0] == {"BTC/USDT": "BTC/USDT"}
    assert resolve(["BTC/USDT"], SPOT | SWAP | {"BTC/USDT": {"active": False}})[0] == {"BTC/USDT": "BTC/USDT:USDT"}


def test_a_swap_can_be_asked_for_by_its_whole_name():
    assert resolve(["BTC/USDT:USDT", "BTC/USD:BTC"], SPOT | SWAP)[0] == {
        "BTC/USDT:USDT": "BTC/USDT:USDT",
        "BTC/USD:BTC": "BTC/USD:BTC",
    }


def test_reasons():
    assert resolve(["SOL/USDT", "XYZ/USDT", "MATIC/USDT", "FTM/USDT"], SPOT | SWAP)[1] == {
        "SOL/USDT": "not active on somewhere: halted or delisted",
        "XYZ/USDT": "not listed on somewhere",
        "MATIC/USDT": "not listed on somewhere; POL/USDT is its new name",
        "FTM/USDT": "not listed on somewhere",
    }


def test_one_market_is_not_watched_twice():
    found, skipped = resolve(["BTC/USDT", "BTC/USDT", "BTC/USDT:USDT"], SWAP)
    assert found == {"BTC/USDT": "BTC/USDT:USDT"}
    assert skipped == {"BTC/USDT:USDT": "is the same market as BTC/USDT on somewhere"}
