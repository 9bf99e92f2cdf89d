"""The position calculator."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import InvalidInput
from scanner.fullscan.position import calculate_position

LONG = {"accountBalance": 10_000, "riskPerTrade": 2, "entryPrice": 45_000, "stopLoss": 43_000, "leverage": 1}


def test_a_long_position():
    found = calculate_position(LONG)
    assert (found["position_value"], found["units"], found["total_fees"]) == (4500, 0.1, 9)
    assert (found["stop_distance_pct"], found["margin_usage_pct"], found["stop_distance_usd"]) == (4.44, 45, 200)
    assert (found["risk_amount_usd"], found["adjusted_risk_usd"]) == (200, 191)
    assert (found["liquidation_price"], found["warnings"], found["safe_to_trade"]) == (None, [], True)


def test_a_short_position_that_is_liquidated_before_its_stop():
    values = {"accountBalance": 10_000, "riskPerTrade": 1, "entryPrice": 100, "stopLoss": 140, "leverage": 4}
    found = calculate_position(values)
    assert (found["position_value"], found["margin_required"], found["liquidation_price"]) == (1000, 250, 122.5)
    assert len(found["warnings"]) == 2
    assert not found["safe_to_trade"]


def test_each_warning():
    assert "half" in " ".join(calculate_position({**LONG, "riskPerTrade": 2.5})["warnings"])
    crowded = calculate_position({**LONG, "riskPerTrade": 10})
    assert len(crowded["warnings"]) == 3  # more than half, more than all, more than 3 %
    assert not crowded["safe_to_trade"]
    assert len(calculate_position({**LONG, "leverage": 4, "riskPerTrade": 0.5})["warnings"]) == 1


def test_texts_that_are_numbers_are_numbers_and_the_rest_has_defaults():
    found = calculate_position({"entryPrice": "100", "stopLoss": " 96 ", "riskPerTrade": "1"})
    assert (found["account_balance"], found["risk_per_trade_pct"], found["position_value"]) == (10_000, 1, 2500)
    assert found["total_fees"] == 5


@pytest.mark.parametrize("field", ["accountBalance", "riskPerTrade", "entryPrice", "stopLoss", "leverage"])
@pytest.mark.parametrize("value", [0, -1, "abc", "", None, True, [1], {}, "nan", "inf", math.inf, 1e16, 10**400, "0"])
def test_a_wrong_value_is_refused_by_name(field, value):
    with pytest.raises(InvalidInput, match=f"^{field}: ") as caught:
        calculate_position({**LONG, field: value})
    assert caught.value.field == field


def test_a_fee_may_be_nothing_but_not_less():
    assert calculate_position({**LONG, "feeRate": 0})["total_fees"] == 0
    with pytest.raises(InvalidInput, match=r"^feeRate: "):
        calculate_position({**LONG, "feeRate": -0.001})


def test_a_stop_at_the_entry_is_refused():
    with pytest.raises(InvalidInput, match=r"^stopLoss: .*is the entry price"):
        calculate_position({**LONG, "stopLoss": 45_000})


def test_a_missing_price_is_refused():
    with pytest.raises(InvalidInput, match=r"^entryPrice: "):
        calculate_position({})


sizes = st.floats(1e-15, 1e15)


@given(sizes, sizes, sizes, sizes, sizes, st.floats(0, 1))
def test_the_answer_is_always_json(balance, risk, entry, stop, leverage, fee):
    values = dict(zip(LONG, (balance, risk, entry, stop, leverage), strict=True)) | {"feeRate": fee}
    try:
        found = calculate_position(values)
    except InvalidInput:
        assert entry == stop
    else:
        json.dumps(found, allow_nan=False)
