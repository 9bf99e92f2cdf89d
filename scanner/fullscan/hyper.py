"""The three numbers an optimiser may turn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scanner.errors import InvalidInput


def _bounded(default: float | None, low: float, high: float, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "meaning": meaning})


@dataclass(frozen=True)
class HyperParameters:
    """None leaves a number as the timeframe has it.

    Raises
    ------
    InvalidInput
        A value is no number or out of bounds.
    """

    momentum_period: int | None = _bounded(None, 5, 50, "candles of the long momentum")
    rsi_window: int = _bounded(14, 5, 50, "candles of the RSI")
    volume_threshold: float = _bounded(1.5, 0.5, 10, "volume ratio from which a signal counts as confirmed by volume")

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            _check(spec, getattr(self, spec.name))

    @classmethod
    def from_mapping(cls, values: Mapping[str, object], base: HyperParameters | None = None) -> HyperParameters:
        """`base` with some values changed; unknown names are refused. Raises InvalidInput."""
        known = [spec.name for spec in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise InvalidInput(str(name), values[name], f"is unknown; known are {', '.join(known)}")
        return dataclasses.replace(base or cls(), **values)  # type: ignore[arg-type]


def _check(spec: dataclasses.Field[Any], value: object) -> None:
    low, high = spec.metadata["low"], spec.metadata["high"]
    if value is None and spec.default is None:
        return
    whole = str(spec.type).startswith("int")
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type]
        raise InvalidInput(spec.name, value, f"is not a {'whole ' if whole else ''}number from {low} to {high}")
