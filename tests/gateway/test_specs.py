from __future__ import annotations

import pytest

from scanner.errors import InvalidInput, UnknownExchange
from scanner.gateway import ExchangeSpec, known_exchanges, real_exchange


def test_an_id_of_ccxt_is_itself():
    assert real_exchange("binance") == ExchangeSpec("binance", "binance")


def test_a_misspelling_gets_suggestions():
    with pytest.raises(UnknownExchange, match="'binanse' is not known; did you mean binance"):
        real_exchange("binanse")
    with pytest.raises(UnknownExchange, match="'qqqqqqq' is not known; 'binance' would be one"):
        real_exchange("qqqqqqq")


@pytest.mark.parametrize("nonsense", ["", "Binance", "../etc", "a" * 10_000, "bin\x00ance", None, 3, "__init__", "é"])
def test_what_is_no_id_is_refused_by_name(nonsense):
    with pytest.raises(InvalidInput, match="exchange: "):
        real_exchange(nonsense)


def test_the_two_default_exchanges_are_known():
    assert {"binance", "kucoinfutures"} <= set(known_exchanges())
