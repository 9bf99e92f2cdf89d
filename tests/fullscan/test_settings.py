"""Aliases, intervals and their parameters."""

from __future__ import annotations

import pytest

from scanner.errors import InvalidInput
from scanner.fullscan.settings import (
    ALIASES,
    INTERVAL_MS,
    Thresholds,
    TradingConfig,
    alias_of,
    get_dynamic_config,
    interval_of,
    plan_for,
)


@pytest.mark.parametrize(
    ("alias", "interval", "short", "long", "full", "quick", "momentum", "rsi", "duration"),
    [
        ("scalping", "1m", 10, 60, 330, 110, 0.01, (55, 70), 1800),
        ("short", "5m", 5, 20, 210, 70, 0.03, (52, 68), 14_400),
        ("medium", "1h", 4, 12, 186, 62, 0.05, (50, 65), 86_400),
        ("daily", "1d", 7, 30, 240, 80, 0.06, (50, 65), 604_800),
        ("weekly", "1w", 4, 12, 186, 62, 0.15, (45, 70), 2_592_000),
    ],
)
def test_each_alias_has_its_parameters(alias, interval, short, long, full, quick, momentum, rsi, duration):
    plan = plan_for(alias)
    assert (plan.interval, plan.short, plan.long, plan.duration_s) == (interval, short, long, duration)
    assert (plan.candles(), plan.candles(full_analysis=False)) == (full, quick)
    assert (plan.thresholds.momentum, plan.thresholds.rsi_min, plan.thresholds.rsi_max) == (momentum, *rsi)
    assert plan.thresholds.macd_min == 0


def test_forex_has_parameters_of_its_own():
    plan = plan_for("daily", market_type="forex")
    assert (plan.short, plan.long, plan.thresholds.momentum, plan.thresholds.rsi_min) == (5, 20, 0.01, 45)


@pytest.mark.parametrize(
    ("interval", "alias"),
    [
        ("1m", "scalping"),
        ("3m", "short"),
        ("5m", "short"),
        ("15m", "short"),
        ("30m", "medium"),
        ("1h", "medium"),
        ("2h", "medium"),
        ("4h", "medium"),
        ("6h", "daily"),
        ("12h", "daily"),
        ("1d", "daily"),
        ("1w", "weekly"),
    ],
)
def test_an_interval_is_itself_with_the_parameters_of_the_nearest_alias(interval, alias):
    plan = plan_for(interval)
    assert (plan.requested, plan.interval, plan.alias, alias_of(interval)) == (interval, interval, alias, alias)
    assert plan.long == plan_for(alias).long


def test_an_alias_and_its_interval_mean_the_same():
    assert {alias: interval_of(alias) for alias in ALIASES} == ALIASES
    assert set(ALIASES.values()) <= set(INTERVAL_MS)


@pytest.mark.parametrize("timeframe", ["", "7m", "Medium", "1H", None, 5, ["1h"], "1M", "day_trade"])
def test_anything_else_is_refused_by_name(timeframe):
    with pytest.raises(InvalidInput, match=r"timeframe: .* is not one of scalping, short"):
        plan_for(timeframe)


def test_a_changed_config_counts():
    config = get_dynamic_config()
    config.timeframes = {**config.timeframes, "medium": "2h"}
    config.momentum_periods = {**config.momentum_periods, "crypto": {"medium": {"short": 2, "long": 9}}}
    plan = plan_for("medium", config)
    assert (plan.interval, plan.short, plan.long) == ("2h", 2, 9)
    config.timeframes = {"medium": "soon"}
    with pytest.raises(InvalidInput):
        plan_for("medium", config)


@pytest.mark.parametrize(("cpus", "at_once"), [(1, 20), (4, 20), (8, 40), (64, 100)])
def test_requests_at_once_follow_the_machine(cpus, at_once):
    assert get_dynamic_config(cpus).max_concurrent_requests == at_once


def test_the_five_maps_are_required():
    with pytest.raises(TypeError):
        TradingConfig()  # type: ignore[call-arg]
    config = get_dynamic_config()
    again = TradingConfig(
        config.timeframes,
        config.backtest_periods,
        config.momentum_periods,
        config.signal_thresholds,
        config.trade_durations,
    )
    assert (again.rsi_period, again.retry_attempts, again.retry_delay, again.max_concurrent_requests) == (14, 3, 2, 50)
    assert (again.circuit_breaker_threshold, again.circuit_breaker_pause, again.volume_profile_bins) == (10, 60, 50)
    assert again.sentiment is False


def test_greed_asks_for_more_and_fear_for_less():
    usual = Thresholds(0.05, 50, 65)
    assert usual.under_sentiment(None) == usual.under_sentiment(25) == usual.under_sentiment(75) == usual
    assert usual.under_sentiment(76) == Thresholds(0.05 * 1.2, 55, 65)
    assert usual.under_sentiment(24) == Thresholds(0.05 * 0.8, 45, 65)
    assert Thresholds(0.05, 58, 70).under_sentiment(90).rsi_min == 60
    assert Thresholds(0.05, 33, 70).under_sentiment(10).rsi_min == 30
