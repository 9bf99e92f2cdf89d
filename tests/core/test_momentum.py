import numpy as np
import pytest
from hypothesis import given

from benchmarks.plain import clusters_plain, momentum_plain
from scanner.core.clustering import detect_clusters
from scanner.core.momentum import detect_momentum
from scanner.records import STRENGTHS
from tests.core.frames import frame
from tests.core.making import ABSOLUTE, candles_of, random_candles, values
from tests.core.test_clustering import rally


def momentum_of(candles, config=ABSOLUTE, **clusters):
    found = detect_clusters(candles, config)
    changed = {**vars(found), **{name: np.asarray(value) for name, value in clusters.items()}}
    return values(detect_momentum(candles, type(found)(**changed), config))


def moved(percent, volume=None):
    """A market that stands still and then moves once."""
    return candles_of([100.0] * 99 + [100 + percent], volume or [100.0] * 100)


def test_a_pump_without_followers():
    close = [100.0] * 95 + [104, 108, 112, 116, 120]
    found = momentum_of(candles_of(close, [100.0] * 97 + [400, 350, 280]))
    # 20 % * (1230 / 5) / (2730 / 20) = 20 * 1.8022
    assert found["momentum_score"] == pytest.approx(36.0440, abs=5e-5)
    assert found["volume_ratio"] == pytest.approx(1.8022, abs=5e-5)
    assert (found["cluster_validated"], STRENGTHS[found["strength"]]) == (False, "weak")


def test_a_trend_raises_the_score_by_its_strength():
    assert momentum_of(rally(), trend_formation_signal=False)["momentum_score"] == pytest.approx(2.2409, abs=5e-5)
    found = momentum_of(rally())
    assert found["momentum_score"] == pytest.approx(3.7348, abs=5e-5)
    assert found["cluster_validated"] is True


def test_a_weak_trend_raises_it_too():
    found = momentum_of(rally(), cluster_strength=0.4)
    assert found["momentum_score"] == pytest.approx(2.2409 * 1.4, abs=5e-5)


@pytest.mark.parametrize(
    ("percent", "score", "strength"),
    [(50, 50, "weak"), (51, 51, "moderate"), (80, 80, "moderate"), (81, 81, "strong"), (250, 100, "strong")],
)
def test_strength_and_cap(percent, score, strength):
    found = momentum_of(moved(percent))
    assert found["momentum_score"] == pytest.approx(score)
    assert STRENGTHS[found["strength"]] == strength


def test_a_fall_scores_like_a_rise():
    found = momentum_of(moved(-30))
    assert (found["momentum_score"], found["price_change_pct"]) == (pytest.approx(30), pytest.approx(-30))


def test_the_move_spans_nine_candles():
    close = [100.0] * 90 + [200] + [100.0] * 9
    assert momentum_of(candles_of(close, [1.0] * 100))["price_change_pct"] == -50
    close = [100.0] * 89 + [200] + [100.0] * 10
    assert momentum_of(candles_of(close, [1.0] * 100))["price_change_pct"] == 0


def test_a_silent_market_has_an_ordinary_volume():
    assert momentum_of(moved(10, [0.0] * 100))["volume_ratio"] == 1


def test_nineteen_candles_are_too_few():
    found = momentum_of(moved(50).last(19))
    assert found == {
        "momentum_score": 0,
        "price_change_pct": 0,
        "volume_ratio": 1,
        "cluster_validated": False,
        "strength": 0,
    }
    assert momentum_of(moved(50).last(20))["momentum_score"] == pytest.approx(50)


@given(random_candles(whole=True))
def test_the_batch_agrees_with_pandas(candles):
    found = detect_momentum(candles, detect_clusters(candles, ABSOLUTE), ABSOLUTE)
    for row in range(len(candles.close)):
        market = frame(candles.rows(row))
        plain = momentum_plain(market, clusters_plain(market, ABSOLUTE), ABSOLUTE)
        mine = values(found.take(row))
        assert STRENGTHS[mine.pop("strength")] == plain.pop("strength")
        assert mine == pytest.approx(plain, rel=1e-9, abs=1e-9)
