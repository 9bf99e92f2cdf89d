"""StreamConfig: every knob of a scan, its default, unit, range and meaning, in one table.

The dataclass is the table: code reads the fields, the docs and the tests read the metadata. Values are refused, never
repaired; the message names the field.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.errors import InvalidInput
from scanner.timeframes import length_ms

STYLES: dict[str, str] = {"scalp": "5m", "day_trade": "4h", "swing": "1h", "position": "1d"}
TRANSPORTS = ("rest", "push")
WINDOW = 100  # candles every analysis sees, so that live, replay and backtest agree
_STYLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


def _number(default: float, low: float, high: float, meaning: str, *, detector: bool = False) -> Any:
    facts = {"low": low, "high": high, "meaning": meaning, "detector": detector}
    return field(default=default, metadata=facts)


def _choice(default: str, options: tuple[str, ...], meaning: str, *, detector: bool = False) -> Any:
    return field(default=default, metadata={"options": options, "meaning": meaning, "detector": detector})


@dataclass(frozen=True)
class StreamConfig:
    """How the four streams and the detectors behave; every field is optional.

    Raises
    ------
    InvalidInput
        A value has the wrong type or lies outside its range. An unknown keyword is a TypeError, as for any dataclass;
        `from_mapping` turns that into InvalidInput too.
    """

    price_update_interval: int = _number(5, 1, 3600, "seconds between price sweeps")
    signal_generation_interval: int = _number(30, 1, 3600, "seconds between signal cycles")
    market_state_interval: int = _number(60, 1, 3600, "seconds between market state evaluations")
    scan_interval: int = _number(90, 1, 86400, "seconds between full scans")
    timeframes: Mapping[str, str] | None = field(
        default=None, metadata={"meaning": "style -> timeframe; replaces the whole map", "detector": False}
    )
    max_candles_per_timeframe: int = _number(500, 100, 10_000, "candles kept in memory per market and timeframe")
    max_signals_per_market: int = _number(1000, 1, 100_000, "signals kept in memory per market and timeframe")
    max_ticks_buffer: int = _number(100, 2, 10_000, "ticks kept in memory per market")
    momentum_exhaustion_threshold: int = _number(4, 1, 9, "consecutive same-direction moves", detector=True)
    volume_exhaustion_multiplier: float = _number(1.5, 0, 100, "times the average volume", detector=True)
    volume_decline_threshold: float = _number(
        -0.1, -1, 1, "mean change of volume per candle, a fraction", detector=True
    )
    excessive_gain_threshold: float = _number(0.15, 0, 10, "move over 5 candles, a fraction", detector=True)
    volume_threshold_multiplier: float = _number(
        2.0, 0, 100, "times the average volume makes a high-volume candle", detector=True
    )
    cluster_trend_threshold: float = _number(0.7, 0, 1, "share of clusters in one direction", detector=True)
    cluster_followthrough_threshold: float = _number(
        0.5, 0, 1, "aligned share of the 3 candles after a cluster", detector=True
    )
    momentum_bias: float = _number(0.6, 0, 1, "weight of momentum; reversion weighs the rest", detector=True)
    scoring: str = _choice(
        "absolute",
        ("absolute", "calibrated"),
        "fixed percentages, or multiples of the market's own volatility",
        detector=True,
    )
    live_record: str = _choice(
        "changes", ("changes", "all", "none"), "which signals on forming candles are kept in history and on disk"
    )
    finality_grace_s: float = _number(15.0, 0, 300, "seconds after its close until a candle counts as final")
    weight_share: float = _number(
        0.7, 0.05, 1, "share of an exchange's request weight that all processes of the host may use together"
    )

    transport: str = _choice("rest", TRANSPORTS, "how prices and candles come: asked for, or by websocket")
    universe_refresh_interval: int = _number(3600, 60, 86400, "seconds between two choices of a universe's markets")

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            if spec.name != "timeframes":
                object.__setattr__(self, spec.name, _checked(spec, getattr(self, spec.name)))
        object.__setattr__(self, "timeframes", _checked_timeframes(self.timeframes))

    @classmethod
    def from_mapping(cls, values: object, prefix: str = "config") -> StreamConfig:
        """A config from parsed JSON; unknown keys are refused by name.

        Raises
        ------
        InvalidInput
            `values` is not a mapping, has an unknown key or a wrong value.
        """
        if not isinstance(values, Mapping):
            raise InvalidInput(prefix, values, "is not an object of configuration fields")
        known = [spec.name for spec in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise InvalidInput(f"{prefix}.{key}"[:100], values[key], f"is unknown; known are {', '.join(known)}")
        try:
            return cls(**values)
        except InvalidInput as error:
            raise InvalidInput(f"{prefix}.{error.field}", error.value, error.expected) from None

    @property
    def styles(self) -> dict[str, str]:
        """style -> timeframe, in configured order."""
        return dict(self.timeframes or STYLES)

    @property
    def base_timeframe(self) -> str:
        """The shortest configured timeframe: the one fetched each cycle; the others are assembled from it."""
        return min(self.styles.values(), key=length_ms)

    @property
    def params_id(self) -> str:
        """Short fingerprint of everything that changes what the detectors answer."""
        facts = [
            (spec.name, getattr(self, spec.name)) for spec in dataclasses.fields(self) if spec.metadata["detector"]
        ]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {spec.name: getattr(self, spec.name) for spec in dataclasses.fields(self)} | {"timeframes": self.styles}


def _checked(spec: dataclasses.Field[Any], value: object) -> object:
    """`value` in the type of its field, or InvalidInput."""
    options = spec.metadata.get("options")
    if options is not None:
        if value not in options:
            raise InvalidInput(spec.name, value, f"is not one of {', '.join(options)}")
        return value
    low, high = spec.metadata["low"], spec.metadata["high"]
    whole = spec.type == "int"
    kind = "a whole number" if whole else "a number"
    right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right_type or not low <= value <= high:
        raise InvalidInput(spec.name, value, f"is not {kind} from {low} to {high}")
    return value if whole else float(value)  # type: ignore[arg-type]


def _checked_timeframes(value: object) -> dict[str, str]:
    """A style -> timeframe map whose timeframes are all multiples of the shortest, in canonical names."""
    if value is None:
        return dict(STYLES)
    if not isinstance(value, Mapping) or not 1 <= len(value) <= 12:
        raise InvalidInput("timeframes", value, "is not an object of 1 to 12 entries such as {'scalp': '5m'}")
    for style, timeframe in value.items():
        if not isinstance(style, str) or not _STYLE_NAME.fullmatch(style):
            raise InvalidInput("timeframes", style, "is not a style name such as 'scalp'")
        length_ms(timeframe, f"timeframes.{style}")
    if len(set(value.values())) != len(value):
        raise InvalidInput("timeframes", dict(value), "names one timeframe twice")
    base = min(value.values(), key=length_ms)
    for style, timeframe in value.items():
        if length_ms(timeframe) % length_ms(base):
            raise InvalidInput(f"timeframes.{style}", timeframe, f"is not a multiple of the shortest one, {base}")
    return dict(value)
