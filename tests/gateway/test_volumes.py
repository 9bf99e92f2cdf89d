from __future__ import annotations

import numpy as np
import pytest

from scanner.gateway.volumes import Contract, base_volume, contract_of

VOLUME, PRICE = np.array([1000.0, 0.0]), np.array([50_000.0, 25_000.0])


def test_a_thousand_lots_of_a_thousandth_are_one():
    np.testing.assert_allclose(base_volume(VOLUME, PRICE, Contract(0.001)), [1, 0])


def test_inverse_contracts_of_100_usd_at_50_000_are_a_five_hundredth_each():
    np.testing.assert_allclose(base_volume(VOLUME, PRICE, Contract(100, inverse=True)), [2, 0])


def test_base_currency_stays():
    assert base_volume(VOLUME, PRICE, None) is VOLUME


@pytest.mark.parametrize(
    ("exchange", "market", "contract"),
    [
        ("kucoinfutures", {"contract": True, "contractSize": 0.001}, Contract(0.001)),
        ("gate", {"contract": True, "contractSize": 10, "inverse": True}, Contract(10, inverse=True)),
        ("gate", {"contract": False, "contractSize": None}, None),
        ("binance", {"contract": False}, None),
        ("bybit", {"contract": True, "contractSize": 1}, None),
        ("kucoinfutures", {"contract": True, "contractSize": None}, Contract(1.0)),
        ("kucoinfutures", {"contract": True, "contractSize": 0}, Contract(1.0)),
    ],
)
def test_which_markets_count_in_contracts(exchange, market, contract):
    assert contract_of(exchange, market) == contract
