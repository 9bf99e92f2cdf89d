import numpy as np
import pytest
from hypothesis import given

from benchmarks.plain import clusters_plain
from scanner.config import StreamConfig
from scanner.core.clustering import detect_clusters
from tests.core.frames import frame
from tests.core.making import ABSOLUTE, candles_of, random_candles, values

NONE = {
    "trend_formation_signal": False,
    "cluster_strength": 0,
    "total_clusters": 0,
    "bullish_clusters": 0,
    "bearish_clusters": 0,
    "directional_ratio": 0,
    "follow_through": 0,
}


def rally():
    """20 candles: high volume on #10 and #11, both rising; then rising twice and falling once."""
    open_ = [100] * 11 + [102, 104, 105, 106] + [105.5] * 5
    close = [100.5] * 10 + [102, 104, 105, 106, 105.5] + [105.2] * 5
    volume = [100] * 10 + [500, 500] + [100] * 8  # threshold 2 * 140
    return candles_of(close, volume, open_)


def with_volume(bodies, volume):
    """20 candles that rise (+1), fall (-1) or stand still (0)."""
    return candles_of(100 + np.array(bodies), volume, np.full(20, 100.0))


def test_a_rally_with_followers_is_a_trend():
    assert values(detect_clusters(rally(), ABSOLUTE)) == {
        "trend_formation_signal": True,
        "cluster_strength": pytest.approx(2 / 3),
        "total_clusters": 1,
        "bullish_clusters": 1,
        "bearish_clusters": 0,
        "directional_ratio": 1,
        "follow_through": pytest.approx(2 / 3),
    }


def test_its_mirror_is_a_trend_downwards():
    up = rally()
    found = detect_clusters(candles_of(up.open, up.volume, open_=up.close), ABSOLUTE)
    assert (found.directional_ratio, found.bearish_clusters, found.trend_formation_signal) == (0, 1, True)
    assert found.cluster_strength == pytest.approx(2 / 3)


def test_nothing_after_the_cluster_means_no_follow_through():
    close = [100.0] * 95 + [104, 108, 112, 116, 120]
    found = detect_clusters(candles_of(close, [100.0] * 97 + [400, 350, 280]), ABSOLUTE)
    assert (found.bullish_clusters, found.bearish_clusters) == (1, 0)
    assert (found.follow_through, found.cluster_strength, found.trend_formation_signal) == (0, 0, False)


def test_without_high_volume_every_field_is_zero():
    assert values(detect_clusters(with_volume([1] * 20, [100] * 20), ABSOLUTE)) == NONE
    assert values(detect_clusters(with_volume([1] * 20, [0] * 20), ABSOLUTE)) == NONE


def test_volume_of_exactly_twice_the_average_is_not_high():
    for newest, clusters in ((19.0, 0), (19.5, 1)):  # (19 * 9 + 19) / 20 = 9.5
        assert detect_clusters(with_volume([1] * 20, [9.0] * 19 + [newest]), ABSOLUTE).total_clusters == clusters


def test_a_flip_of_direction_or_a_normal_candle_ends_a_cluster():
    bodies = [1, 1, -1, -1, 1, 1] + [1] * 14
    volume = [500, 500, 500, 500, 100, 500] + [100] * 14
    found = detect_clusters(with_volume(bodies, volume), ABSOLUTE)
    assert (found.bullish_clusters, found.bearish_clusters) == (2, 1)
    assert found.directional_ratio == pytest.approx(2 / 3)


def test_a_candle_without_a_body_clusters_downwards_and_follows_nobody():
    bodies = [0] + [0, 0, 0] + [1] * 16
    found = detect_clusters(with_volume(bodies, [900] + [10] * 19), ABSOLUTE)
    assert (found.bearish_clusters, found.follow_through) == (1, 0)


def test_a_missing_follower_does_not_follow():
    bodies = [1] * 20
    volume = [100] * 17 + [900, 100, 100]  # two candles after it, both rising
    assert detect_clusters(with_volume(bodies, volume), ABSOLUTE).follow_through == pytest.approx(2 / 3)


def test_seven_of_ten_clusters_are_a_trend():
    # ten single high-volume candles with quiet ones between: seven rise, three fall; the last is followed by one candle
    high = [1, 1, 1, -1, 1, -1, 1, -1, 1, 1]
    bodies = [body for pair in zip(high, [1] * 10, strict=True) for body in pair]
    candles = with_volume(bodies, [500, 1] * 10)
    for threshold, forming in ((0.7, True), (0.71, False)):
        config = StreamConfig(
            cluster_trend_threshold=threshold, cluster_followthrough_threshold=1 / 3, volume_threshold_multiplier=1.5
        )
        found = detect_clusters(candles, config)
        assert (found.total_clusters, found.bullish_clusters, found.follow_through) == (10, 7, 1 / 3)
        assert found.trend_formation_signal == forming


def test_nineteen_candles_are_too_few():
    up = rally()
    assert values(detect_clusters(up.rows(np.s_[1:]), ABSOLUTE)) == NONE


@given(random_candles(whole=True))
def test_the_batch_agrees_with_a_plain_loop(candles):
    found = detect_clusters(candles, ABSOLUTE)
    for row in range(len(candles.close)):
        market = frame(candles.rows(row))
        assert values(found.take(row)) == pytest.approx(clusters_plain(market, ABSOLUTE), abs=1e-12)
