import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.percentile import percentile_of


def test_the_rank_is_the_share_below_and_half_of_the_equal():
    history = np.array([0.0] * 60 + [1.0] * 20 + [2.0] * 20)
    assert percentile_of(np.float64(0), history) == 30
    assert percentile_of(np.float64(1), history) == 70
    assert percentile_of(np.float64(1.5), history) == 80
    assert percentile_of(np.float64(9), history) == 100


def test_below_100_scores_there_is_no_rank():
    history = np.array([[1.0] * 99 + [np.nan] * 401, [1.0] * 100 + [np.nan] * 400])
    np.testing.assert_array_equal(percentile_of(np.array([2.0, 2.0]), history), [np.nan, 100])


def test_a_missing_score_has_no_rank():
    assert np.isnan(percentile_of(np.float64(np.nan), np.ones(500)))


@given(st.integers(0, 2**32 - 1))
def test_each_market_ranks_among_its_own(seed):
    rng = np.random.default_rng(seed)
    history = rng.integers(0, 5, (6, 500)) * 25.0
    history[rng.random((6, 500)) < rng.random((6, 1))] = np.nan
    score = rng.integers(0, 5, 6) * 25.0
    for own, earlier, rank in zip(score.tolist(), history.tolist(), percentile_of(score, history), strict=True):
        known = [value for value in earlier if value == value]
        expected = [50 * ((value < own) + (value <= own)) for value in known]
        assert np.isnan(rank) if len(known) < 100 else rank == pytest.approx(sum(expected) / len(known))


def test_other_markets_are_refused():
    with pytest.raises(ValueError, match=r"history of shape \(3, 500\)"):
        percentile_of(np.zeros(2), np.zeros((3, 500)))
    with pytest.raises(ValueError, match="history"):
        percentile_of(np.float64(1), np.float64(1))
