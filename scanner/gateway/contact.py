"""One exchange as those who ask it share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scanner.gateway.asking import Asker
from scanner.gateway.budget import WeightTable
from scanner.gateway.condition import Condition
from scanner.gateway.exchange_clock import ExchangeClock


@dataclass(frozen=True)
class Contact:
    """What it takes to ask: the ccxt client, what its calls weigh, who pays, whether it may be asked, and two clocks.

    `clock` tells market time as this exchange counts it, `steady` real seconds that only grow.
    """

    id: str
    exchange: Any
    weights: WeightTable
    asker: Asker
    condition: Condition
    clock: ExchangeClock
    steady: Callable[[], float]
