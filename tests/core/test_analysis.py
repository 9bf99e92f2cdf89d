"""The whole core at once: worked examples, and a plain per-market analysis as the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plain import analyse_plain
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.records import SIGNAL_TYPES, STRENGTHS
from tests.core.frames import frame
from tests.core.making import ABSOLUTE, BOTH, bits, candles_of, random_candles, values


def test_a_pump_without_followers_is_a_bearish_reversion():
    close = [100.0] * 95 + [104, 108, 112, 116, 120]
    found = analyse(candles_of(close, [100.0] * 97 + [400, 350, 280]), ABSOLUTE)
    assert found.momentum.momentum_score == pytest.approx(36.0440, abs=5e-5)
    assert found.reversion.reversion_score == 100
    assert found.combined_score == pytest.approx(61.6264, abs=5e-5)  # 0.6 * 36.0440 + 0.4 * 100
    assert SIGNAL_TYPES[found.signal_type] == "REVERSION_BEARISH"
    assert (found.price, found.enough) == (120, True)


def test_the_worked_example_of_an_overbought_pump():
    # 18 % in five rising candles after a market that went to and fro by 1.3 %; volume 2.3 times the average
    # (1610 against (7 * 310 + 3 * 1610) / 10 = 700) and falling; RSI 76
    to_and_fro = [100.0, 101.3] * 47 + [100.0]
    close = [*to_and_fro, 103.6, 107.2, 110.8, 114.4, 118.0]
    found = analyse(candles_of(close, [310.0] * 97 + [1932, 1610, 1288]), ABSOLUTE)
    reversion = found.reversion
    assert reversion.recent_gain_pct == pytest.approx(18)
    assert reversion.excessive_gain
    assert reversion.consecutive_moves == 5
    assert reversion.momentum_exhaustion
    assert reversion.volume_exhaustion
    assert 76 <= reversion.rsi < 77
    assert reversion.is_overbought
    assert reversion.reversion_score == 100
    assert SIGNAL_TYPES[found.signal_type] == "REVERSION_BEARISH"


@pytest.mark.parametrize("config", BOTH, ids=lambda config: config.scoring)
@given(candles=random_candles(whole=True))
def test_the_batch_agrees_with_one_market_at_a_time(config, candles):
    found = analyse(candles, config)
    for row in range(len(candles.close)):
        mine = found.take(row)
        plain = analyse_plain(frame(candles.rows(row)), config)
        assert SIGNAL_TYPES[mine.signal_type] == plain.pop("signal_type")
        assert STRENGTHS[mine.momentum.strength] == plain.pop("strength")
        flat = {**values(mine), **values(mine.clusters), **values(mine.reversion), **values(mine.momentum)}
        assert {name: flat[name] for name in plain} == pytest.approx(plain, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("config", BOTH, ids=lambda config: config.scoring)
@given(candles=random_candles(markets=1, whole=True), age=st.integers(20, 99))
def test_a_young_market_is_judged_by_the_candles_it_has(config, candles, age):
    young = candles.last(100).rows(0)
    young = Candles(*(np.where(np.arange(100) < 100 - age, np.nan, column) for column in young.columns()))
    plain = analyse_plain(frame(candles.rows(0), age), config)
    mine = analyse(young, config)
    assert SIGNAL_TYPES[mine.signal_type] == plain["signal_type"]
    assert mine.reversion.rsi == pytest.approx(plain["rsi"], abs=1e-9)
    assert mine.combined_score == pytest.approx(plain["combined_score"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("lead", [(), (0,), (1,), (3,), (2, 3), (2, 1, 3)])
def test_every_field_has_the_shape_of_the_leading_axes(lead):
    result = analyse(Candles(*np.ones((5, *lead, 100))), ABSOLUTE)
    for part in (result, result.clusters, result.reversion, result.momentum):
        assert {value.shape for name, value in vars(part).items() if isinstance(value, np.ndarray)} == {lead}


def test_rows_can_be_taken():
    close = 100 + np.cumsum(np.random.default_rng(1).normal(0, 1, (6, 100)), axis=1)
    candles = candles_of(close, np.ones((6, 100)))
    chosen = np.array([4, 1])
    assert bits(analyse(candles, ABSOLUTE).take(chosen)) == bits(analyse(candles.rows(chosen), ABSOLUTE))


@pytest.mark.parametrize(
    "columns",
    [
        [np.ones(100)] * 4 + [np.ones(99)],
        [np.ones((3, 100))] * 4 + [np.ones((4, 100))],
        [np.ones((1, 100))] * 4 + [np.ones(100)],
        [np.float64(1)] * 5,
    ],
)
def test_a_wrong_shape_raises(columns):
    with pytest.raises(ValueError, match="columns of shape"):
        analyse(Candles(*columns), ABSOLUTE)


def test_blocks_do_not_show():
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (2500, 100)), axis=1))
    candles = candles_of(close, rng.lognormal(size=(2500, 100)))
    whole = analyse(candles, ABSOLUTE)
    for part in (slice(0, 7), slice(1020, 1030), slice(2490, 2500)):
        assert bits(whole.take(part)) == bits(analyse(candles.rows(part), ABSOLUTE))
