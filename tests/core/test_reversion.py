import numpy as np
import pytest
from hypothesis import given

from benchmarks.plain import reversion_plain
from scanner.core.reversion import detect_reversion
from tests.core.frames import frame
from tests.core.making import ABSOLUTE, candles_of, random_candles, values

FLAT = [100.0] * 100
SILENT = [100.0] * 100


def reversion_of(close, volume=None, config=ABSOLUTE):
    return values(detect_reversion(candles_of(close, volume or [100.0] * len(close)), config))


def test_a_pump_on_fading_volume_has_every_sign():
    close = [100.0] * 95 + [104, 108, 112, 116, 120]
    assert reversion_of(close, [100.0] * 97 + [400, 350, 280]) == {
        "reversion_score": 100,
        "reversion_candidate": True,
        "reversion_direction": -1,
        "momentum_exhaustion": True,
        "volume_exhaustion": True,
        "excessive_gain": True,
        "consecutive_moves": 5,
        "recent_gain_pct": pytest.approx(20),
        "is_overbought": True,
        "is_oversold": False,
        "rsi": 100,
    }


def test_a_flat_market_has_no_sign():
    found = reversion_of(FLAT)
    assert (found["reversion_score"], found["rsi"], found["reversion_direction"]) == (0, 50, 1)


@pytest.mark.parametrize(("newest", "excessive"), [(115.0, True), (114.99, False), (85.0, True), (85.01, False)])
def test_a_gain_of_exactly_15_percent_is_excessive(newest, excessive):
    assert reversion_of([100.0] * 99 + [newest])["excessive_gain"] is excessive


def test_the_gain_spans_five_moves():
    assert reversion_of([100.0] * 94 + [200, 100, 100, 100, 100, 100])["recent_gain_pct"] == -50
    assert reversion_of([100.0] * 93 + [200, 100, 100, 100, 100, 100, 100])["recent_gain_pct"] == 0


@pytest.mark.parametrize(("moves", "tired"), [(3, False), (4, True), (9, True)])
def test_four_moves_are_a_streak(moves, tired):
    found = reversion_of([100.0] * (100 - moves) + [100.0 + step for step in range(1, moves + 1)])
    assert (found["consecutive_moves"], found["momentum_exhaustion"]) == (moves, tired)


def test_only_the_newest_ten_candles_have_moves():
    assert reversion_of(list(range(100, 200)))["consecutive_moves"] == 9


@pytest.mark.parametrize(
    ("newest", "spent"),
    [
        ([21, 18, 15], True),  # 18 against (7 * 9 + 54) / 10 = 11.7: 1.54 times, falling 15.5 % each
        ([15, 18, 21], False),  # as high, but rising
        ([11, 10, 9], False),  # falling, but not high
    ],
)
def test_volume_is_spent_when_high_and_falling(newest, spent):
    assert reversion_of(FLAT, [9.0] * 97 + newest)["volume_exhaustion"] is spent


@pytest.mark.parametrize(("newest", "spent"), [(81, True), (81.1, False)])
def test_volume_falling_by_exactly_10_percent_counts(newest, spent):
    assert reversion_of(FLAT, [9.0] * 97 + [100, 90, newest])["volume_exhaustion"] is spent


@pytest.mark.parametrize(("quiet", "spent"), [(16.5, True), (16.6, False)])
def test_volume_of_exactly_one_and_a_half_times_the_average_counts(quiet, spent):
    # 31.5 against (7 * 16.5 + 94.5) / 10 = 21
    assert reversion_of(FLAT, [quiet] * 97 + [38.5, 31.5, 24.5])["volume_exhaustion"] is spent


def test_volume_that_stops_is_spent_and_volume_out_of_nothing_is_not():
    assert reversion_of(FLAT, [9.0] * 97 + [100, 0, 0])["volume_exhaustion"] is True
    assert reversion_of(FLAT, [9.0] * 97 + [100, 0, 5])["volume_exhaustion"] is False
    assert reversion_of(FLAT, [0.0] * 100)["volume_exhaustion"] is False


def test_two_signs_are_no_candidate_and_three_are():
    rise = [100.0] * 96 + [101, 102, 103, 104]  # a streak of four, RSI 100
    two = reversion_of(rise)
    three = reversion_of(rise, [9.0] * 97 + [21, 18, 15])
    assert (two["reversion_score"], two["reversion_candidate"]) == (50, False)
    assert (three["reversion_score"], three["reversion_candidate"]) == (75, True)


@pytest.mark.parametrize(
    ("close", "direction"),
    [
        ([100.0] * 99 + [101], -1),
        ([100.0] * 99 + [99], 1),
        ([90.0] * 50 + [100.0] * 50, -1),  # no gain; the RSI remembers the rise
        ([110.0] * 50 + [100.0] * 50, 1),
        (FLAT, 1),
    ],
)
def test_the_direction_is_against_the_gain_or_else_the_side_of_the_rsi(close, direction):
    assert reversion_of(close)["reversion_direction"] == direction


@pytest.mark.parametrize(
    ("last_two", "rsi", "overbought", "oversold"),
    [
        # gain g, then loss l: 100 * 13 g / (13 g + 14 l) is 70 with g = 98 and l = 39
        ([1098, 1059.0], 70, False, False),
        ([1098, 1059.1], 70.05, True, False),
        ([902, 941.0], 30, False, False),
        ([902, 940.9], 29.95, False, True),
    ],
)
def test_rsi_extremes_are_exclusive(last_two, rsi, overbought, oversold):
    found = reversion_of([1000.0] * 98 + last_two)
    assert found["rsi"] == (rsi if rsi in (30, 70) else pytest.approx(rsi, abs=0.01))
    assert (found["is_overbought"], found["is_oversold"]) == (overbought, oversold)


def test_ten_candles_are_enough_except_for_the_rsi():
    rise = [100.0 + 4 * step for step in range(13)]
    found = reversion_of(rise[:10])
    assert (found["consecutive_moves"], found["rsi"], found["is_overbought"]) == (9, 50, False)
    assert reversion_of(rise[:9])["reversion_score"] == 0
    assert reversion_of(rise)["rsi"] == 50
    assert reversion_of([*rise, 152.0])["rsi"] == 100


@given(random_candles(whole=True))
def test_the_batch_agrees_with_pandas_and_ta(candles):
    found = detect_reversion(candles, ABSOLUTE)
    for row in range(len(candles.close)):
        market = frame(candles.rows(row))
        assert values(found.take(row)) == pytest.approx(reversion_plain(market, ABSOLUTE), abs=1e-9)


def test_directions_are_small_integers():
    assert detect_reversion(candles_of(FLAT, SILENT), ABSOLUTE).reversion_direction.dtype == np.int8
