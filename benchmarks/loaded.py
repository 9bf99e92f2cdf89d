"""The API as it is deployed, scanning the exchange that BENCH_EXCHANGE names instead of an embedded one.

``gunicorn benchmarks.loaded:app`` or ``python -m benchmarks.loaded``; see `bench_api`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.noting import note_cycles
from scanner.api.app import create_app
from scanner.api.server import serve
from scanner.clock import WallClock
from scanner.gateway.specs import ExchangeSpec
from scanner.logs import set_up_logging, stop_on_signals
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import Recording, binance_urls


def outside(exchanges: Sequence[str], settings: Settings, recording: Recording | None) -> Venue:
    """A venue whose exchange runs in another process and allows BENCH_PACE times what the real one does."""
    url, pace = os.environ["BENCH_EXCHANGE"], float(os.environ["BENCH_PACE"])
    specs = tuple(ExchangeSpec(name, "binance", binance_urls(url), simulated=True, pace=pace) for name in exchanges)
    return Venue(specs, WallClock())


settings = Settings.from_env(os.environ)
set_up_logging(settings.log_level)
if "BENCH_NOTES" in os.environ:
    note_cycles(Path(os.environ["BENCH_NOTES"]))
service = ScannerService(settings, venues=outside)
app = create_app(service)

if __name__ == "__main__":
    sys.exit(serve(app, service, stop_on_signals()))
