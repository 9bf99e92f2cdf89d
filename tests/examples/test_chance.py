import numpy as np
import pytest

from examples.chance import block_bootstrap


def test_what_never_varies_is_sure():
    found = block_bootstrap(np.full(100, 0.25), np.arange(100))
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


def test_independent_values_have_the_interval_of_the_textbook():
    values = np.random.default_rng(1).normal(0, 1, 2500)
    found = block_bootstrap(values, np.arange(2500))
    # 1.96 standard errors of 1 / sqrt(2500) on either side
    assert found.high - found.low == pytest.approx(2 * 1.96 / 50, rel=0.1)
    assert found.low < values.mean() < found.high


def test_values_that_hang_together_count_once():
    daily = np.random.default_rng(2).normal(0, 1, 25)
    values, block = np.repeat(daily, 100), np.repeat(np.arange(25), 100)
    together, apart = block_bootstrap(values, block), block_bootstrap(values, np.arange(2500))
    assert together.high - together.low == pytest.approx(10 * (apart.high - apart.low), rel=0.25)


def test_too_few_blocks_tell_nothing():
    found = block_bootstrap(np.arange(90.0), np.repeat(np.arange(9), 10))
    assert found.mean == 44.5
    assert np.isnan([found.low, found.high]).all()
    assert found.of(1, ".1f") == "44.5 (too little time to tell how sure)"


def test_blocks_need_no_neighbours():
    found = block_bootstrap(np.ones(20), np.arange(20) * 7)
    assert found.of(0.5, ".0f") == "2 (2 to 2)"
