"""What a full scan goes by: aliases, intervals, look-backs and thresholds.

An alias (`medium`) names an interval and the parameters that suit it; an interval (`4h`) is scanned as itself, with
the parameters of the alias whose interval is nearest.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scanner.errors import InvalidInput
from scanner.timeframes import LENGTH_MS, WEEK_MS

MARKET_TYPES = ("crypto", "forex")
WARM_UP = 50  # candles before the longest momentum
MOST_CANDLES = 500

# alias: interval, backtest candles, {market type: (short, long, momentum threshold, RSI from, RSI to)}, duration in s
_ALIASES: dict[str, tuple[str, int, dict[str, tuple[int, int, float, float, float]], int]] = {
    "scalping": ("1m", 100, {"crypto": (10, 60, 0.01, 55, 70), "forex": (20, 120, 0.002, 50, 70)}, 1_800),
    "short": ("5m", 50, {"crypto": (5, 20, 0.03, 52, 68), "forex": (10, 50, 0.005, 48, 68)}, 14_400),
    "medium": ("1h", 24, {"crypto": (4, 12, 0.05, 50, 65), "forex": (6, 24, 0.008, 47, 67)}, 86_400),
    "daily": ("1d", 7, {"crypto": (7, 30, 0.06, 50, 65), "forex": (5, 20, 0.01, 45, 65)}, 604_800),
    "weekly": ("1w", 4, {"crypto": (4, 12, 0.15, 45, 70), "forex": (3, 10, 0.03, 40, 70)}, 2_592_000),
}
ALIASES: dict[str, str] = {alias: facts[0] for alias, facts in _ALIASES.items()}
INTERVAL_MS: dict[str, int] = {**LENGTH_MS, "1w": WEEK_MS}


@dataclass
class TradingConfig:
    """Parameters of the analysis; the first five are required, `get_dynamic_config` fills them in."""

    timeframes: Mapping[str, str]  # alias -> interval
    backtest_periods: Mapping[str, int]  # alias -> candles
    momentum_periods: Mapping[str, Mapping[str, Mapping[str, int]]]  # market type -> alias -> short, long (candles)
    signal_thresholds: Mapping[str, Mapping[str, Mapping[str, float]]]  # market type -> alias -> thresholds
    trade_durations: Mapping[str, int]  # alias -> seconds
    rsi_period: int = 14
    macd_params: Mapping[str, int] = field(default_factory=lambda: {"fast": 12, "slow": 26, "signal": 9})
    volume_trend_thresholds: Mapping[str, float] = field(default_factory=lambda: {"up": 0.05, "down": -0.05})
    retry_attempts: int = 3
    retry_delay: float = 2.0  # seconds, times the number of the attempt
    rate_limit_delay: float = 0.01
    max_concurrent_requests: int = 50
    circuit_breaker_threshold: int = 10  # rate-limit errors that make a scan pause
    circuit_breaker_pause: float = 60.0  # seconds
    websocket_update_interval: int = 1
    volume_profile_bins: int = 50
    fixed_range_bars: int = 20
    sentiment: bool = False  # look up fear and greed after a scan; needs the internet


@dataclass(frozen=True)
class Thresholds:
    """When a move counts: `momentum` as a fraction, the RSI band of buyers, the least MACD."""

    momentum: float
    rsi_min: float
    rsi_max: float
    macd_min: float = 0.0

    def under_sentiment(self, fear_greed: float | None) -> Thresholds:
        """The same after a look at the fear and greed index (0..100): greed asks for more, fear for less."""
        if fear_greed is not None and fear_greed > 75:
            return replace(self, momentum=self.momentum * 1.2, rsi_min=min(self.rsi_min + 5, 60))
        if fear_greed is not None and fear_greed < 25:
            return replace(self, momentum=self.momentum * 0.8, rsi_min=max(self.rsi_min - 5, 30))
        return self


@dataclass(frozen=True)
class TimeframePlan:
    """One timeframe as requested, and what that means for a scan."""

    requested: str
    interval: str
    alias: str  # whose parameters are used
    short: int  # candles of the short momentum
    long: int
    thresholds: Thresholds
    duration_s: int

    @property
    def base(self) -> int:
        """Candles a market must have to be looked at."""
        return self.long + WARM_UP

    @property
    def interval_ms(self) -> int:
        return INTERVAL_MS[self.interval]

    def candles(self, full_analysis: bool = True) -> int:
        """Candles to fetch: three times the base for a full analysis, at most 500."""
        return min(MOST_CANDLES, 3 * self.base) if full_analysis else self.base


def get_dynamic_config(cpus: int | None = None) -> TradingConfig:
    """The default parameters, with as many requests at once as this machine has use for."""
    known = cpus or os.cpu_count() or 1
    return TradingConfig(
        timeframes=dict(ALIASES),
        backtest_periods={alias: facts[1] for alias, facts in _ALIASES.items()},
        momentum_periods={kind: {a: _periods(f[2][kind]) for a, f in _ALIASES.items()} for kind in MARKET_TYPES},
        signal_thresholds={kind: {a: _thresholds(f[2][kind]) for a, f in _ALIASES.items()} for kind in MARKET_TYPES},
        trade_durations={alias: facts[3] for alias, facts in _ALIASES.items()},
        max_concurrent_requests=min(max(5 * known, 20), 100),
    )


def _periods(facts: tuple[int, int, float, float, float]) -> dict[str, int]:
    return {"short": facts[0], "long": facts[1]}


def _thresholds(facts: tuple[int, int, float, float, float]) -> dict[str, float]:
    return {"momentum_threshold": facts[2], "rsi_min": facts[3], "rsi_max": facts[4], "macd_min": 0.0}


def interval_of(timeframe: object, field_name: str = "timeframe") -> str:
    """The interval that an alias or interval means: ``medium`` and ``1h`` are both ``1h``.

    Raises
    ------
    InvalidInput
        It is neither.
    """
    if isinstance(timeframe, str) and timeframe in ALIASES:
        return ALIASES[timeframe]
    if isinstance(timeframe, str) and timeframe in INTERVAL_MS:
        return timeframe
    raise InvalidInput(field_name, timeframe, f"is not one of {', '.join([*ALIASES, *INTERVAL_MS])}")


def each_once(timeframes: object, interval: Callable[[Any], str]) -> tuple[str, ...]:
    """Written timeframes from a list, no two of one interval: each would agree with itself.

    Parameters
    ----------
    interval : callable
        The interval that a written timeframe means; raises InvalidInput.

    Raises
    ------
    InvalidInput
    """
    if isinstance(timeframes, str) or not isinstance(timeframes, Sequence) or not timeframes:
        raise InvalidInput("timeframes", timeframes, "is not a list of timeframes such as ['medium', '4h']")
    if len({interval(timeframe) for timeframe in timeframes}) != len(timeframes):
        raise InvalidInput("timeframes", timeframes, "names one timeframe twice")
    return tuple(timeframes)


def alias_of(timeframe: object, field_name: str = "timeframe") -> str:
    """The alias whose parameters a timeframe is scanned with: its own, or the one of the nearest interval."""
    interval = interval_of(timeframe, field_name)
    if timeframe in ALIASES:
        return str(timeframe)

    def distance(alias: str) -> float:
        return abs(math.log(INTERVAL_MS[interval] / INTERVAL_MS[ALIASES[alias]]))

    return min(ALIASES, key=distance)


def plan_for(
    timeframe: object, config: TradingConfig | None = None, market_type: str = "crypto", fear_greed: float | None = None
) -> TimeframePlan:
    """What scanning this timeframe takes.

    Raises
    ------
    InvalidInput
        The timeframe is unknown.
    """
    config = config or get_dynamic_config()
    alias = alias_of(timeframe)
    interval = interval_of(config.timeframes.get(alias, alias) if timeframe == alias else timeframe)
    periods: Mapping[str, int] = config.momentum_periods[market_type][alias]
    bounds: Mapping[str, Any] = config.signal_thresholds[market_type][alias]
    thresholds = Thresholds(
        bounds["momentum_threshold"], bounds["rsi_min"], bounds["rsi_max"], bounds.get("macd_min", 0.0)
    )
    return TimeframePlan(
        requested=str(timeframe),
        interval=interval,
        alias=alias,
        short=periods["short"],
        long=periods["long"],
        thresholds=thresholds.under_sentiment(fear_greed),
        duration_s=config.trade_durations[alias],
    )
