"""A backfilled signal is the one a live scan has made of the same candle, field by field."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.clock import WallClock
from scanner.config import StreamConfig
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.backfill.backfill import Backfill
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import Limits, SimulatedExchange, binance_urls, generated
from scanner.store.store import TrainingStore
from tests.runtime.resuming import SharedClock
from tests.waiting import wait_for

SPEED = 3000.0  # ten 5m candles a second
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "JUV/USDT", "QNT/USDT")  # the last two are often silent
TIMEFRAMES = {"scalp": "5m", "swing": "15m", "position": "1h"}
CONFIG = StreamConfig(
    timeframes=TIMEFRAMES, max_candles_per_timeframe=600
)  # room for what passes, at this speed, while histories come in
OWN = {"timestamp", "data_age_s", "backfilled", "as_of", "market_breadth", "volatility_regime"}  # documented to differ

Record = dict[str, Any]


@pytest.fixture
def exchange() -> Iterator[SimulatedExchange]:
    clock = SharedClock(WallClock().now_ms() - int(time.monotonic_ns() * SPEED / 1e6), SPEED)
    with SimulatedExchange(generated(seed=3), clock, limits=Limits(binance_weight=300_000)) as opened:
        yield opened


def venue(exchange: SimulatedExchange, *_: object) -> Venue:
    return Venue((ExchangeSpec("simulated", "binance", binance_urls(exchange.url), True, 50.0),), exchange.clock)


def finals(folder: Path) -> dict[tuple[str, str, str], Record]:
    found = [record for path in (folder / "signals").glob("*.json") for record in json.loads(path.read_text())]
    chosen = [record for record in found if record["candle_closed"]]
    return {(record["symbol"], record["timeframe"], record["candle_time"]): record for record in chosen}


def scanned_live(folder: Path, exchange: SimulatedExchange) -> dict[tuple[str, str, str], Record]:
    settings = Settings(data_dir=str(folder), simulated=True)
    service = ScannerService(settings, venues=lambda *given: venue(exchange))
    try:
        service.start(service.order(SYMBOLS, ["simulated"], CONFIG))
        wait_for(
            lambda: (
                len(made := finals(folder)) > 50 and {timeframe for _, timeframe, _ in made} >= {*TIMEFRAMES.values()}
            ),
            what="finals on all",
        )
    finally:
        service.close()
    return finals(folder)


def backfilled(folder: Path, exchange: SimulatedExchange) -> dict[tuple[str, str, str], Record]:
    order = ScannerService(Settings(data_dir=str(folder), simulated=True)).order(SYMBOLS, ["simulated"], CONFIG)
    with TrainingStore(folder) as store:
        backfill = Backfill(order, 1, venue(exchange), store)
        backfill.run()
    assert backfill.is_whole, backfill.report
    return finals(folder)


def test_backfilled_signals_equal_those_of_a_live_scan(tmp_path: Path, exchange: SimulatedExchange) -> None:
    live = scanned_live(tmp_path / "live", exchange)
    later = backfilled(tmp_path / "later", exchange)
    assert len(live) > 50
    assert live.keys() <= later.keys()
    for key, record in live.items():
        assert differences(record, later[key]) == {}, key
        assert later[key]["backfilled"] is True
        assert record["candle_time"] < later[key]["as_of"] <= record["timestamp"] < later[key]["timestamp"]


def differences(live: Record, later: Record) -> dict[str, tuple[Any, Any]]:
    """What is not the same to the last bit; an assembled candle adds up its volume in another order."""
    last_bits = 0.0 if live["timeframe"] == "5m" else 1e-9
    ours, theirs = flat(live), flat(later)
    assert ours.keys() == theirs.keys()
    return {
        name: (value, theirs[name])
        for name, value in ours.items()
        if theirs[name] != (pytest.approx(value, rel=last_bits, abs=last_bits) if isinstance(value, float) else value)
    }


def flat(record: Record) -> Record:
    """The fields that both owe, nested ones beside the others."""
    kept = {name: value for name, value in record.items() if name not in OWN}
    for part in ("momentum", "reversion", "clustering"):
        kept |= {f"{part}.{name}": value for name, value in kept.pop(part).items()}
    return kept
