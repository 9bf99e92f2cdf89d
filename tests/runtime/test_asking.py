"""What refreshing a forming candle is worth."""

from __future__ import annotations

import numpy as np
import pytest

from scanner.runtime.asking import refresh_value, wanted
from tests.runtime.book.test_book import NOW, cycle, opened

DAY_S = 86_400


def test_a_refresh_is_worth_the_volume_likely_to_be_lacking_and_more_when_the_price_moved() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    seen = book.panels["5m"].close[:, -1]
    later = NOW + 30_000
    still = refresh_value(book, later, seen, np.array([DAY_S * 10.0, 0.0]))
    assert still.tolist() == pytest.approx([300.0, 0.0])  # 10 a second for 30 s; nobody trades the other
    moved = refresh_value(book, later, seen * 1.01, np.array([DAY_S * 10.0, 0.0]))
    assert moved.tolist() == pytest.approx([900.0, 0.0])  # 1 % is twice 0.5 %


def test_a_market_without_a_known_volume_counts_as_the_median_and_one_without_a_price_as_still() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    value = refresh_value(book, NOW + 1000, np.array([np.nan, np.nan]), np.array([DAY_S * 4.0, np.nan]))
    assert value.tolist() == pytest.approx([4.0, 4.0])


def test_the_requests_carry_the_value() -> None:
    book, exchange = opened()
    cycle(book, exchange, NOW)
    assert [request.value for request in wanted(book, NOW + 30_000, np.array([3.0, 7.0]))] == [3.0, 7.0]
