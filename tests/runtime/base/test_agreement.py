"""How timeframes agree, by hand."""

from __future__ import annotations

import math

import pytest

from scanner.runtime.base.agreement import agreement

T = ("short", "medium", "daily")


def analyses(*facts):
    """Analyses by timeframe from (class, opportunity)."""
    rows = [{"signal": s, "opportunity_score": o, "market_regime": "bull", "price": 1.0, "rsi": 50.0} for s, o in facts]
    return dict(zip(T, rows, strict=False))


@pytest.mark.parametrize(
    ("facts", "least", "expected"),
    [
        # class and opportunity of each timeframe, least opportunity -> confluence, recommendation, mean, buys, sells
        ([("Buy", 80), ("Weak Buy", 76), ("Neutral", 75)], 65, (True, "STRONG", 77.0, 2, 0)),
        ([("Buy", 80), ("Weak Buy", 70), ("Neutral", 75)], 65, (True, "MODERATE", 75.0, 2, 0)),  # not above 75
        ([("Buy", 80), ("Buy", 80), ("Neutral", 64.9)], 65, (False, "WEAK", 74.97, 2, 0)),  # one falls short
        ([("Buy", 80), ("Buy", 80), ("Neutral", 65)], 65, (True, "MODERATE", 75.0, 2, 0)),
        ([("Strong Sell", 90), ("Sell", 90), ("Buy", 90)], 65, (True, "STRONG", 90.0, 1, 2)),
        ([("Buy", 90), ("Sell", 90), ("Neutral", 90)], 65, (False, "WEAK", 90.0, 1, 1)),
        ([("Buy", 90)], 65, (False, "WEAK", 90.0, 1, 0)),
        ([("Buy", 0), ("Buy", 0)], 0, (True, "MODERATE", 0.0, 2, 0)),
        ([("Buy", math.nan), ("Buy", 80)], 65, (False, "WEAK", 40.0, 2, 0)),  # unknown counts as 0
    ],
)
def test_two_on_one_side_and_enough_opportunity_everywhere_agree(facts, least, expected):
    told = agreement("BTC/USDT", T, analyses(*facts), least)
    assert (
        told["confluence"],
        told["recommendation"],
        told["average_opportunity"],
        told["bullish_timeframes"],
        told["bearish_timeframes"],
    ) == expected
    assert told["timeframes_analyzed"] == len(facts) == len(told["timeframe_results"])


def test_the_commonest_regime_dominates():
    found = analyses(("Buy", 80), ("Buy", 80), ("Buy", 80))
    for timeframe, regime in zip(T, ("ranging", "bear", "bear"), strict=True):
        found[timeframe]["market_regime"] = regime
    assert agreement("BTC/USDT", T, found, 65)["dominant_regime"] == "bear"


def test_nothing_found_names_what_was_asked():
    told = agreement("BTC/USDT", T, {}, 65)
    assert (told["confluence"], told["timeframes_analyzed"]) == (False, list(T))
    assert set(told) == {"symbol", "confluence", "message", "timeframes_analyzed"}
