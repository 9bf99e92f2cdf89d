"""What every detector owes, in both forms of scoring: bit for bit, not approximately."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.core.clustering import detect_clusters
from scanner.core.indicators import rsi
from scanner.core.momentum import detect_momentum
from scanner.core.reversion import detect_reversion
from tests.core.making import BOTH, POISONS, bits, copied, random_candles

pytestmark = pytest.mark.parametrize("config", BOTH, ids=lambda config: config.scoring)
COLUMNS = ("open", "high", "low", "close", "volume")

NEUTRAL = {
    "trend_formation_signal": False,
    "cluster_strength": 0,
    "total_clusters": 0,
    "bullish_clusters": 0,
    "bearish_clusters": 0,
    "directional_ratio": 0,
    "follow_through": 0,
    "reversion_score": 0,
    "reversion_candidate": False,
    "reversion_direction": 1,
    "momentum_exhaustion": False,
    "volume_exhaustion": False,
    "excessive_gain": False,
    "consecutive_moves": 0,
    "recent_gain_pct": 0,
    "is_overbought": False,
    "is_oversold": False,
    "rsi": 50,
    "momentum_score": 0,
    "price_change_pct": 0,
    "volume_ratio": 1,
    "cluster_validated": False,
    "strength": 0,
    "combined_score": 0,
    "signal_type": 0,
    "enough": False,
}


def everything(candles, config):
    """What the detectors say one by one, and what they say together; all must have every property."""
    clusters = detect_clusters(candles, config)
    return {
        "clusters": bits(clusters),
        "reversion": bits(detect_reversion(candles, config)),
        "momentum": bits(detect_momentum(candles, clusters, config)),
        "analysis": bits(analyse(candles, config)),
    }


def flat(analysis, row):
    """All fields of one row but the price."""
    parts = (analysis, analysis.clusters, analysis.reversion, analysis.momentum)
    arrays = {n: v for part in parts for n, v in vars(part).items() if isinstance(v, np.ndarray) and n != "price"}
    return {name: array[row].item() for name, array in arrays.items()}


@given(candles=random_candles())
def test_each_market_alone_equals_the_batch(config, candles):
    together = analyse(candles, config)
    for row in range(len(candles.close)):
        assert bits(analyse(candles.rows(row), config)) == bits(together.take(row))
        assert everything(candles.rows(slice(row, row + 1)), config)["analysis"] == bits(
            together.take(slice(row, row + 1))
        )


@given(candles=random_candles(markets=5), order=st.permutations(range(5)))
def test_the_order_of_markets_is_irrelevant(config, candles, order):
    assert bits(analyse(candles.rows(order), config)) == bits(analyse(candles, config).take(order))


@given(candles=random_candles(), exponent=st.integers(-40, 40))
def test_scaling_prices_by_a_power_of_two_changes_only_the_price(config, candles, exponent):
    scale = 2.0**exponent
    scaled = Candles(*(column * scale for column in candles.columns()[:4]), candles.volume)
    there, here = analyse(scaled, config), analyse(candles, config)
    np.testing.assert_array_equal(there.price, here.price * scale)
    assert bits(there)["price"] != bits(here)["price"] or exponent == 0
    assert {**bits(there), "price": None} == {**bits(here), "price": None}


@given(candles=random_candles(length=140), seed=st.integers(0, 999))
def test_candles_older_than_the_window_are_irrelevant(config, candles, seed):
    older = np.random.default_rng(seed).choice([1e-3, 7.0, np.nan, -1.0, 1e300], (5, *candles.close[:, :40].shape))
    changed = copied(candles)
    for column, values in zip(changed.columns(), older, strict=True):
        column[:, :40] = values
    assert everything(changed, config) == everything(candles, config) == everything(candles.last(100), config)


@given(candles=random_candles())
def test_replay_equals_live(config, candles):
    replay = analyse(candles.windows(100), config)
    for t in range(100, candles.shape[1] + 1):
        live = Candles(*(column[:, t - 100 : t] for column in candles.columns()))
        assert bits(replay.take(np.s_[:, t - 100])) == bits(analyse(live, config))


@given(candles=random_candles(length=110))
def test_data_cut_at_t_give_the_same_answer_at_t(config, candles):
    replay = analyse(candles.windows(100), config)
    for t in (100, 104, 109):
        future = copied(candles)
        for column in future.columns():
            column[:, t:] = np.random.default_rng(t).uniform(1, 9, column[:, t:].shape)
        assert bits(analyse(future.windows(100), config).take(np.s_[:, : t - 99])) == bits(
            replay.take(np.s_[:, : t - 99])
        )


@given(candles=random_candles(length=100))
def test_the_layout_in_memory_is_irrelevant(config, candles):
    expected = everything(candles, config)
    rows, width = candles.shape
    fortran = Candles(*(np.asfortranarray(column) for column in candles.columns()))
    backwards = Candles(*(column[::-1, ::-1].copy()[::-1, ::-1] for column in candles.columns()))
    spread = Candles(*(np.repeat(np.repeat(column, 3, axis=0), 2, axis=1)[::3, ::2] for column in candles.columns()))
    table = np.empty((rows, width, 5))
    for position, column in enumerate(candles.columns()):
        table[..., position] = column
    interleaved = Candles(*(table[..., position] for position in range(5)))
    for other in (fortran, backwards, spread, interleaved):
        assert everything(other, config) == expected


@given(candles=random_candles(length=120))
def test_rsi_is_the_same_alone_in_a_batch_and_in_replay(config, candles):
    views = candles.windows(100).close
    together = rsi(views)
    for row in range(views.shape[0]):
        assert bits(rsi(views[row])) == bits(together[row])
        assert [rsi(window.copy()) for window in views[row]] == together[row].tolist()


@given(candles=random_candles(markets=4), data=st.data())
@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_market_changes_only_itself(config, poison, candles, data):
    name, row = data.draw(st.sampled_from(COLUMNS)), data.draw(st.integers(0, 3))
    position = data.draw(st.integers(candles.shape[1] - 99, candles.shape[1] - 1))
    poisoned = copied(candles)
    getattr(poisoned, name)[row, position] = poison
    others = [other for other in range(4) if other != row]
    found = analyse(poisoned, config)
    assert bits(found.take(others)) == bits(analyse(candles, config).take(others))
    if name != "volume" or poison != 0:  # a candle nobody traded is sound
        assert flat(found, row) == NEUTRAL
        assert np.isnan(found.price[row])


@given(candles=random_candles(markets=2), start=st.integers(0, 97), length=st.integers(1, 98))
def test_a_hole_makes_a_market_unsound(config, candles, start, length):
    holed = copied(candles.last(100))
    for column in holed.columns():
        column[0, 1 + start : min(1 + start + length, 99)] = np.nan  # the first and the last candle remain
    found = analyse(holed, config)
    assert flat(found, 0) == NEUTRAL
    assert bits(found.take(1)) == bits(analyse(candles.rows(1), config))


@given(candles=random_candles(markets=2), age=st.integers(0, 100))
def test_candles_before_a_listing_do_not_exist(config, candles, age):
    young = copied(candles.last(100))
    for column in young.columns():
        column[0, : 100 - age] = np.nan
    found = analyse(young, config)
    assert bits(found.take(1)) == bits(analyse(candles.rows(1), config))
    own = Candles(*(column[:1, 100 - age :] for column in young.columns()))
    assert bits(found.take(slice(0, 1))) == bits(analyse(own, config))
    assert found.enough[0] == (age >= 20)
    if age < 10:
        assert flat(found, 0) == NEUTRAL
    elif age < 20:
        changed = {name for name, value in flat(found, 0).items() if value != NEUTRAL[name]}
        assert not changed & {"momentum_score", "total_clusters", "price_change_pct", "volume_ratio", "enough"}


@given(candles=random_candles())
def test_inputs_are_never_written(config, candles):
    for column in candles.columns():
        column.flags.writeable = False
    candles.close.sum()
    everything(candles, config)
    analyse(candles.windows(100), config)


@given(candles=random_candles())
def test_scores_stay_in_their_ranges(config, candles):
    found = analyse(candles.windows(100), config)
    for score in (found.combined_score, found.momentum.momentum_score, found.reversion.reversion_score):
        assert score.min() >= 0
        assert score.max() <= 100
    assert found.momentum.volume_ratio.max() <= 4
    assert set(np.unique(found.reversion.reversion_direction)) <= {-1, 1}


def test_an_unsound_market_is_neutral_under_the_loosest_thresholds(config):
    loose = replace(config, excessive_gain_threshold=0, volume_exhaustion_multiplier=0, volume_decline_threshold=1)
    loose = replace(loose, volume_threshold_multiplier=0, cluster_trend_threshold=0, cluster_followthrough_threshold=0)
    assert flat(analyse(Candles(*np.full((5, 1, 100), np.nan)), loose), 0) == NEUTRAL


def test_a_flat_market_is_neutral(config):
    candles = Candles(*np.full((5, 1, 100), 7.0))
    expected = {**NEUTRAL, "enough": True}
    assert flat(analyse(candles, config), 0) == expected
    silent = Candles(*candles.columns()[:4], np.zeros((1, 100)))
    assert flat(analyse(silent, config), 0) == expected
