import numpy as np
import pytest

from scanner.core.volatility import Volatility, volatility_regime, volatility_regimes


def walk(sizes):
    """Closes that go up and down by these fractions in turn."""
    steps = np.asarray(sizes) * np.where(np.arange(len(sizes)) % 2, -1, 1)
    return 100 * np.cumprod(np.concatenate([[1.0], 1 + steps]))


def test_a_wild_hour_after_quiet_ones_is_high():
    assert volatility_regime(walk([0.001] * 300 + [0.01] * 12)[None], 12).regime == "high"


def test_a_quiet_hour_after_wild_ones_is_low():
    assert volatility_regime(walk([0.01] * 300 + [0.001] * 12)[None], 12).regime == "low"


@pytest.mark.parametrize(
    ("below", "regime"), [(75, "high"), (74, "medium"), (50, "medium"), (26, "medium"), (25, "low"), (0, "low")]
)
def test_the_limits_are_inclusive(below, regime):
    earlier = np.random.default_rng(1).permutation(100)  # as many hours of one candle, of 1 % to 2 %
    sizes = 0.01 + 0.0001 * np.append(earlier, below - 0.5)
    assert volatility_regime(walk(sizes)[None], 1) == Volatility(regime, below)


def test_growing_volatility_ends_at_the_top_of_its_own_history():
    assert volatility_regime(walk(np.linspace(0.001, 0.01, 300))[None], 12) == Volatility("high", 100)


def test_the_last_hour_ranks_among_all_earlier_ones():
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    returns = close[1:] / close[:-1] - 1
    hours = [np.sqrt(np.mean(returns[end - 12 : end] ** 2)) for end in range(12, len(returns) + 1)]
    rank = 100 * np.mean(np.array(hours[:-1]) < hours[-1])
    assert volatility_regime(close[None], 12).percentile == pytest.approx(rank)


def test_the_median_market_decides():
    wild, quiet = walk([0.001] * 300 + [0.01] * 12), walk([0.01] * 300 + [0.001] * 12)
    assert volatility_regime(np.stack([wild, wild, quiet]), 12).regime == "high"
    assert volatility_regime(np.stack([wild, quiet]), 12).regime == "medium"


def test_the_scale_of_a_market_is_irrelevant():
    small, large = (volatility_regime(walk(size * (1 + np.sin(np.arange(400))))[None], 12) for size in (0.0001, 0.01))
    assert small.percentile == pytest.approx(large.percentile, abs=1)


@pytest.mark.parametrize(("candles", "regime"), [(112, "unknown"), (113, "high")])
def test_a_short_history_is_unknown(candles, regime):
    close = walk(np.linspace(0.001, 0.01, candles - 1))  # 112 returns: 100 earlier hours of 12 and the last
    assert volatility_regime(close[None], 12).regime == regime


@pytest.mark.parametrize("close", [np.empty((0, 500)), np.empty((3, 0)), np.ones((3, 5)), np.full((2, 400), np.nan)])
def test_nothing_to_go_by_is_unknown(close):
    found = volatility_regime(close, 12)
    assert found.regime == "unknown"
    assert np.isnan(found.percentile)


def test_a_market_that_never_moved_says_nothing():
    wild = walk([0.001] * 300 + [0.01] * 12)
    assert volatility_regime(np.stack([wild, np.ones(313), np.ones(313)]), 12).regime == "high"
    assert volatility_regime(np.ones((2, 313)), 12).regime == "unknown"


@pytest.mark.parametrize("poison", [np.nan, 0.0, -1.0, np.inf, 1e300, 5e-324])
def test_a_bad_price_leaves_its_own_hours_out(poison):
    close = walk(np.linspace(0.001, 0.01, 399))
    close[100] = poison
    assert volatility_regime(close[None], 12).regime == "high"


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="volatility_regime"):
        volatility_regime(np.ones(400), 12)
    with pytest.raises(ValueError, match="volatility_regime"):
        volatility_regime(np.ones((1, 400)), 0)


@pytest.mark.parametrize(("candles", "length"), [(400, 200), (400, 112), (200, 200), (30, 12), (30, 5)])
def test_the_regimes_of_a_history_are_those_of_each_moment(candles, length):
    rng = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(rng.normal(0, rng.uniform(0.001, 0.02, (4, candles))), axis=1))
    close[1, :50], close[2] = np.nan, 7.0
    replayed = volatility_regimes(close, 12, length)
    moments = range(length, candles + 1)
    assert replayed == [volatility_regime(close[:, end - length : end], 12).regime for end in moments]


def test_a_history_shorter_than_a_stretch_is_refused():
    with pytest.raises(ValueError, match="needs 20"):
        volatility_regimes(np.ones((1, 19)), 12, 20)
