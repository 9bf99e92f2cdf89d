"""Questions to a server whose data folder is full of foreign things: no fault of the scanner in any answer."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from scanner.settings import Settings
from scanner.store import names
from tests.api.conftest import serving
from tests.store import zoo

DATA = "/api/scanner/training-data/BTC/USDT"
QUESTIONS = (
    *(f"{DATA}{what}?format={kind}" for what in ("", "/features") for kind in ("json", "csv", "parquet")),
    *(f"{DATA}?format=csv&part={part}" for part in ("ohlcv", "clustering")),
    "/api/scanner/continuous/gaps",
    "/api/scanner/continuous/status",
    "/api/scanner/continuous/signals",
    "/api/scanner/continuous/confluence/BTC/USDT",
    "/api/scanner/continuous/market-state",
    "/ready",
    "/health",
)


@pytest.mark.parametrize("kind", [*zoo.STRANGERS, *zoo.CONTENTS])
def test_no_question_meets_a_fault(tmp_path: Path, kind: str) -> None:
    day = pd.Timestamp.now("UTC").strftime("%Y-%m-%d")
    of_market, of_exchange = f"binance_BTCUSDT_{day}.json", f"binance_{day}.json"
    named = {names.SIGNALS: of_market, names.CLUSTERING: of_market, names.OHLCV: "binance_BTCUSDT_5m.parquet"}
    named |= dict.fromkeys((names.UNIVERSE, names.GAPS, names.LATE), of_exchange)
    things = [tmp_path / "data" / folder / name for folder, name in named.items()]
    things += [tmp_path / "data" / "journal" / "candles-00000001.journal"]
    things += [tmp_path / "data" / name for name in (names.ALIVE, names.WISH)]
    for path in things:
        path.parent.mkdir(parents=True, exist_ok=True)
        zoo.STRANGERS[kind](path) if kind in zoo.STRANGERS else path.write_bytes(zoo.CONTENTS[kind])
    before = zoo.print_of(things)
    with serving(Settings(data_dir=str(tmp_path / "data"), resume=True)) as client:
        statuses = {question: client.get(question).status for question in QUESTIONS}
    assert {status for status in statuses.values() if status not in (200, 404, 503)} == set(), statuses
    assert kind in zoo.STRANGERS or statuses[f"{DATA}?format=csv"] == 200
    assert zoo.print_of(things) == before
