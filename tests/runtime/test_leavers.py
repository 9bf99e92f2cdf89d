"""Freshness of the markets that are still scanned."""

from __future__ import annotations

import numpy as np

from scanner.markets import Market
from scanner.runtime.freshness import Freshness
from scanner.runtime.leavers import without

MARKETS = tuple(Market("simulated", f"{base}/USDT") for base in "ABC")


def test_whoever_left_is_in_no_column() -> None:
    table = np.arange(6).reshape(2, 3)
    found = Freshness(
        "simulated", MARKETS, ("5m", "1h"), table / 2, table, table, table, np.array([1.0, 2.0, 3.0]), np.arange(3)
    )
    left = without(found, {MARKETS[1]})
    assert left.markets == (MARKETS[0], MARKETS[2])
    for name in ("age_s", "state", "behind", "final_ms"):
        np.testing.assert_array_equal(getattr(left, name), getattr(found, name)[:, [0, 2]])
    assert left.price_age_s.tolist() == [1.0, 3.0]
    assert left.why.tolist() == [0, 2]
    assert without(found, set()) is found
    assert without(found, MARKETS).age_s.shape == (2, 0)
