from __future__ import annotations

import re

import pytest

from scanner.errors import InvalidInput
from scanner.markets import Market, parse_symbol
from scanner.renames import KNOWN, TABLE, Rename, Renames


def test_the_table_is_well_formed() -> None:
    assert len({rename.old for rename in TABLE}) == len(TABLE)
    assert all(re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", rename.since) and rename.units > 0 for rename in TABLE)


def test_either_name_means_both_and_only_where_one_coin_is_one_coin() -> None:
    assert KNOWN.others("MATIC") == ("POL",)
    assert KNOWN.others("POL") == ("MATIC",)
    assert KNOWN.others("BTC") == KNOWN.others("AGIX") == ()


def test_a_coin_may_be_renamed_twice() -> None:
    chain = Renames((Rename("A", "B"), Rename("B", "C")))
    assert [set(chain.others(name)) for name in "ABC"] == [{"B", "C"}, {"A", "C"}, {"A", "B"}]


def test_own_renames_come_on_top_and_take_entries_out() -> None:
    own = KNOWN.extended(" old=new , MATIC=,", "SCANNER_RENAMES")
    assert own.others("OLD") == ("NEW",)
    assert own.others("MATIC") == ()
    assert own.of("RNDR") == KNOWN.of("RNDR")


@pytest.mark.parametrize("text", ["OLD", "=NEW", "OLD=OLD", "O/D=NEW", "OLD=NEW=X"])
def test_a_slip_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="SCANNER_RENAMES"):
        KNOWN.extended(text, "SCANNER_RENAMES")


@pytest.mark.parametrize("asked", ["MATIC/USDT", "pol-usdt", "binance:MATICUSDT"])
def test_a_symbol_asks_for_the_coin_under_all_its_names(asked: str) -> None:
    wanted = parse_symbol(asked)
    assert wanted.matches(Market("binance", "MATIC/USDT"))
    assert wanted.matches(Market("binance", "POL/USDT:USDT"))
    assert not wanted.matches(Market("binance", "POL/BTC"))
    assert not wanted.matches(Market("binance", "BTC/USDT"))


def test_a_base_asks_for_all_its_pairs_under_all_its_names() -> None:
    wanted = parse_symbol("matic", allow_base=True)
    assert wanted.matches(Market("binance", "POL/BTC"))
    assert not parse_symbol("matic", allow_base=True, renames=Renames(())).matches(Market("binance", "POL/BTC"))
