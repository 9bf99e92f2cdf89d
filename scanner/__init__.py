"""A continuous scanner for whole crypto markets.

The rooms: `core` knows numbers (numpy alone), `gateway` exchanges (ccxt), `store` files, `runtime` threads and time,
`api` HTTP, `simulated` a loopback exchange. Arrows point inwards only.

The names that programs import stand here too, looked up when asked for: importing the core wakes nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CandleCluster": "scanner.records",
    "ContinuousMultiTimeframeScanner": "scanner.runtime.facade",
    "DataPersistenceManager": "scanner.store.persistence",
    "MarketTick": "scanner.records",
    "StreamConfig": "scanner.config",
    "get_training_dataset": "scanner.store.persistence",
    "run_continuous_scanner": "scanner.runtime.facade",
}
_OF_THE_FULL_SCAN = ("MomentumScanner", "TradingConfig", "TechnicalIndicators", "get_dynamic_config")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _OF_THE_FULL_SCAN:  # an ImportError: `from scanner import` would lose the text of an AttributeError
        raise ImportError(f"scanner.{name} comes with the full scan, which this version does not have yet")
    raise AttributeError(f"module 'scanner' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
