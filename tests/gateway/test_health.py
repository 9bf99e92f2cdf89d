from __future__ import annotations

from dataclasses import replace

import pytest

from scanner.errors import Banned, RateLimited, RefusedRegion, Unreachable, Unsupported
from scanner.gateway.health import Health

LIVE = Health(listed=True, heard_at=100.0, last_data_ms=1)


@pytest.mark.parametrize(
    ("health", "state", "cause"),
    [
        (Health(), "connecting", None),
        (Health(listed=True, heard_at=100.0), "connecting", None),
        (LIVE, "live", None),
        (Health(listed=True, heard_at=84.0, last_data_ms=1), "late", "no data for 16 s"),
        (Health(listed=True, unusable="no symbol"), "down", "no symbol"),
        (Health(failure=Unreachable("no answer")), "down", "no answer"),
        (replace(LIVE, no_candles=Unreachable("500")), "down", "no candles: 500"),
        (replace(LIVE, no_candles=RateLimited("429")), "limited", "no candles: 429"),
        (replace(LIVE, no_prices=Unreachable("500")), "down", "no prices: 500"),
        (Health(failure=Unsupported("no candles")), "down", "no candles"),
        (Health(failure=RefusedRegion("451")), "restricted", "451"),
        (Health(failure=RateLimited("429")), "limited", "429"),
        (Health(failure=Banned("418")), "banned", "418"),
    ],
)
def test_each_state_and_its_cause(health, state, cause):
    assert health.state(now=100.0, interval_s=5.0) == (state, cause)


def test_three_intervals_are_not_late_yet():
    assert LIVE.state(115.0, 5.0)[0] == "live"
    assert LIVE.state(115.1, 5.0)[0] == "late"
