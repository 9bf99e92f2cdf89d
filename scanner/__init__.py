"""A continuous scanner for whole crypto markets.

The rooms: `core` knows numbers (numpy alone), `gateway` exchanges (ccxt), `store` files, `fullscan` the close look
(`ta`), `runtime` threads and time, `api` HTTP, `simulated` a loopback exchange. Arrows point inwards only.

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
    "MomentumScanner": "scanner.fullscan.scanner",
    "NothingStored": "scanner.errors",
    "ScannerError": "scanner.errors",
    "StreamConfig": "scanner.config",
    "TechnicalIndicators": "scanner.fullscan.indicators",
    "TradingConfig": "scanner.fullscan.settings",
    "dataset": "scanner.store.frame",
    "get_dynamic_config": "scanner.fullscan.settings",
    "get_training_dataset": "scanner.store.persistence",
    "run_continuous_scanner": "scanner.runtime.facade",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'scanner' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
