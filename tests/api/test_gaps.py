"""The gap ledger over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.clock import WallClock
from scanner.settings import Settings
from scanner.store.gaps import DOWN, NO_TRADE, OUTAGE, Gap
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, HOUR_MS
from tests.api.conftest import Client, serving

ROUTE = "/api/scanner/continuous/gaps"
NOW = WallClock().now_ms()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("data")
    with TrainingStore(folder) as store:
        store.gaps.append(
            [
                Gap("binance", None, DOWN, NOW - 3 * HOUR_MS, NOW - 2 * HOUR_MS, "the process had died"),
                Gap("binance", "BTC/USDT", NO_TRADE, NOW - 5 * HOUR_MS, NOW - 4 * HOUR_MS),
                Gap("kucoinfutures", "BTC/USDT", OUTAGE, NOW - 7 * HOUR_MS, NOW - 6 * HOUR_MS, "HTTP 500"),
                Gap("binance", "ETH/BTC", OUTAGE, NOW - 3 * DAY_MS, NOW - 3 * DAY_MS + HOUR_MS),
            ]
        )
    with serving(Settings(data_dir=str(folder))) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [DOWN, NO_TRADE, OUTAGE, OUTAGE]),
        ("?days=1", [DOWN, NO_TRADE, OUTAGE]),
        ("?exchange=binance", [DOWN, NO_TRADE, OUTAGE]),
        ("?exchange=kraken", []),
        ("?symbol=btc-usdt", [DOWN, NO_TRADE, OUTAGE]),
        ("?symbol=BTC", [DOWN, NO_TRADE, OUTAGE]),
        ("?symbol=kucoinfutures:BTC/USDT", [OUTAGE]),
        ("?symbol=binance:ETH/BTC", [DOWN, OUTAGE]),
        ("?cause=outage&days=1", [OUTAGE]),
        ("?limit=2", [DOWN, NO_TRADE]),
    ],
)
def test_gaps_are_given_newest_first_as_filtered(client: Client, query: str, expected: list[str]) -> None:
    body = client.get(ROUTE + query).body
    assert [gap["cause"] for gap in body["gaps"]] == expected
    assert body["count"] == len(expected)
    assert body["total"] == (4 if "limit" in query else len(expected))


def test_a_gap_says_where_when_and_why(client: Client) -> None:
    gap: dict[str, Any] = client.get(ROUTE + "?limit=1").body["gaps"][0]
    assert (gap["exchange"], gap["symbol"], gap["detail"]) == ("binance", None, "the process had died")
    assert gap["backfilled"] is False
    assert gap["from"] < gap["to"]


@pytest.mark.parametrize("query", ["cause=aliens", "exchange=../etc", "days=0", "limit=-1", "symbol=a%20b", "since=1"])
def test_wrong_input_is_refused(client: Client, query: str) -> None:
    assert client.get(f"{ROUTE}?{query}").status == 400
