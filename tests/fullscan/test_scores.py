"""The scores: numbers worked by hand, then bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.fullscan.profile import VolumeProfile
from scanner.fullscan.scores import (
    combined_score,
    composite_score,
    confidence_score,
    opportunity_score,
    signal_strength,
    volume_composite_score,
)

PROFILE = VolumeProfile(np.arange(5.0), np.array([1.0, 4.0, 5.0, 10.0]), 3.5)


def test_opportunity_of_a_pullback_in_an_uptrend():
    # .25*1 + .20*1 + .15*1 + .15*1 + .10*1 + .10*.6 + .05*1 = .96
    assert opportunity_score(0.001, 0.01, 42, -0.2, 0.25, 6, 1.6, 18) == 96.0


def test_opportunity_of_an_overbought_market_is_halved_by_a_divergence():
    # .25*.2 + .20*.2 + .15*.1 + .15*.4 + .10*.3 + .10*.8 + .05*.3 = .29, halved
    assert opportunity_score(0.02, 0.05, 74, 3, 0.95, 8, 2.1, 88, True) == 14.5


def test_opportunity_with_missing_parts():
    # .25*.8 + .20*.5 + .15*.5 + .15*1 + .10*.6 + .10*.4 + .05*.5 = .65
    assert opportunity_score(0, -0.01, 50, -0.7, None, 4, 0.9, None) == 65.0


@pytest.mark.parametrize(
    ("rsi", "factor"),
    [(29.99, 0.3), (30, 1), (44.99, 1), (45, 0.8), (54.99, 0.8), (55, 0.5), (69.99, 0.5), (70, 0.2), (100, 0.2)],
)
def test_intervals_are_closed_on_the_left(rsi, factor):
    rest = opportunity_score(0, 0, 0, 0, None, 0, 1, None) - 100 * 0.25 * 0.3
    assert opportunity_score(0, 0, rsi, 0, None, 0, 1, None) - rest == pytest.approx(100 * 0.25 * factor)


@pytest.mark.parametrize(("fib", "score"), [(0, 58.0), (40, 64.0)])
def test_composite(fib, score):
    # .20*.4 + .15*.5 + .20*.4 + .15*.5 + .20*.6 + .10*.5 + .10 = .58, and .15*.4 = .06 for the levels
    assert composite_score(0.0004, -0.001, 62, 0.01, 6, 1.75, True, fib) == score


def test_composite_is_cut_at_a_hundred_where_its_weights_add_up_to_more():
    assert composite_score(1, 1, 100, 1, 10, 9, True) == 100.0


@pytest.mark.parametrize(("ratio", "score"), [(1.75, 0.450), (0.9, 0.495)])
def test_confidence_jumps_at_a_volume_ratio_of_one(ratio, score):
    # .18*.5 + .12*.5 + .18*.4 + .18*.2 + .22*.6 = .39, and .12*.5 or .12*.875
    assert confidence_score(0.05, -0.1, 62, 0.01, 6, ratio) == score


def test_volume_composite():
    # .5*.5 + .3*10/20 + .2*.8 = .56
    assert volume_composite_score(1.75, PROFILE, 0.01) == 56.0
    assert volume_composite_score(1.75, PROFILE, -0.01) == 56.0
    assert volume_composite_score(1.75, None, None) == 25.0


@pytest.mark.parametrize(
    ("arguments", "strength"),
    [
        ((0.004, 0.01, 55, 0.1, 1.3), 74.0),  # 50 + (4 + 5) + 5 + 5 + 5
        ((-0.02, 0.01, 72, -0.05, 0.7), 14.5),  # 50 - (15 + 5) - 10 - 2.5 - 3
        ((-0.02, -0.03, 40, -1, 1), 10.0),  # 50 - (15 + 15) - 10
    ],
)
def test_strength(arguments, strength):
    assert signal_strength(*arguments) == strength


def test_combined():
    assert combined_score(80, 60, 40, 50) == pytest.approx(40 + 15 + 6 + 5)


anything = st.floats(-1e6, 1e6)
percent = st.floats(0, 100)
maybe = st.none() | anything


@given(
    anything,
    anything,
    percent,
    anything,
    maybe,
    st.floats(0, 10),
    st.floats(0, 1e6),
    st.none() | percent,
    st.booleans(),
)
def test_every_score_stays_within_its_bounds(ms, ml, rsi, macd, bb, ts, vr, k, flag):
    found = [
        opportunity_score(ms, ml, rsi, macd, bb, ts, vr, k, flag),
        composite_score(ms, ml, rsi, macd, ts, vr, flag, rsi),
        volume_composite_score(vr, PROFILE if flag else None, bb),
        signal_strength(ms, ml, rsi, macd, vr),
        100 * confidence_score(ms, ml, rsi, macd, ts, vr),
    ]
    assert all(math.isfinite(score) and 0 <= score <= 100 for score in found)
    assert 0 <= combined_score(*found[:4]) <= 100
    assert found[0] >= 10.5 or flag
