import numpy as np
import pytest

from scanner.core.breadth import Breadth, breadth_ratios, market_breadth

NAN = np.nan


def test_one_up_one_down_one_still_one_too_young():
    prices = np.array([[1.0, 2], [2, 1], [2, 2], [NAN, 5]])
    assert market_breadth([prices]) == Breadth(1, 1, 0.5, "neutral")


def test_nothing_kept_is_neutral():
    nothing = Breadth(0, 0, 0.5, "neutral")
    assert market_breadth([]) == nothing
    assert market_breadth([np.empty((3, 0)), np.empty((0, 4))]) == nothing
    assert market_breadth([np.full((2, 3), NAN)]) == nothing


@pytest.mark.parametrize("unusable", [NAN, 0.0, -1.0, np.inf])
def test_unusable_prices_are_no_ticks(unusable):
    prices = np.array([[unusable, 1, 2], [1, 2, unusable], [unusable, 1, unusable], [3, unusable, 2]])
    assert market_breadth([prices]) == Breadth(2, 1, 2 / 3, "bullish")


def test_only_the_oldest_and_the_newest_tick_matter():
    assert market_breadth([np.array([[1.0, 9, 9, 2], [5.0, 1, 1, 5]])]).advancing == 1


@pytest.mark.parametrize(
    ("up", "down", "bias"),
    [(3, 2, "neutral"), (7, 4, "bullish"), (2, 3, "neutral"), (4, 7, "bearish"), (1, 0, "bullish")],
)
def test_the_bias_needs_more_than_60_percent(up, down, bias):
    assert market_breadth([np.array([[1.0, 2]] * up + [[2.0, 1]] * down)]).market_bias == bias


def test_exchanges_count_together():
    assert market_breadth([np.array([[1.0, 2]]), np.array([[1.0, 3, 2]])]).advancing == 2


def test_one_market_is_no_table():
    with pytest.raises(ValueError, match="markets, ticks"):
        market_breadth([np.ones(3)])


def test_breadth_over_closes_is_that_of_each_moment():
    close = np.array([[1.0, 2, 3, 1], [5, 4, 3, 6], [NAN, 1, 2, 1], [7, 7, 7, 7]])
    # two candles back: 1 -> 3 up, 5 -> 3 down; 2 -> 1 down, 4 -> 6 up, 1 -> 1 still
    np.testing.assert_array_equal(breadth_ratios(close, 2), [0.5, 0.5])
    # one back: up, down; up, down, up; down, up, down
    np.testing.assert_array_equal(breadth_ratios(close, 1), [1 / 2, 2 / 3, 1 / 3])


@pytest.mark.parametrize("back", [0, 4])
def test_breadth_over_closes_needs_two_of_them(back):
    with pytest.raises(ValueError, match="candles back"):
        breadth_ratios(np.ones((2, 3)), back)
