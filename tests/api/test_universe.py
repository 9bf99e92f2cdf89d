"""Universes over a real server: what a start may ask, what is chosen, what status and files say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.settings import Settings
from tests.api.conftest import Client, serving
from tests.waiting import wait_for

START, STATUS = "/api/scanner/continuous/start", "/api/scanner/continuous/status"
BOTH = ["simulated", "simulatedfutures"]


def status(client: Client) -> Any:
    return client.get(STATUS).body


def snapshots(client: Client, exchange: str) -> Any:
    """The snapshots of one exchange that are on disk."""
    folder = Path(client.service.settings.data_dir) / "universe"
    path = wait_for(lambda: min(folder.glob(f"{exchange}_20*.json"), default=None))
    found = json.loads(path.read_text())
    assert path.name == f"{exchange}_{found[0]['timestamp'][:10]}.json"
    return found


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server that scans the three largest markets of a spot and a swap exchange, and POL by its old name."""
    settings = Settings(simulated=True, speed=10, data_dir=str(tmp_path_factory.mktemp("data")))
    with serving(settings) as client:
        rule = {"quote": "USDT", "top": 3, "include": ["MATIC/USDT"], "exclude": ["ETH"]}
        answer = client.post(START, {"universe": rule, "exchanges": BOTH})
        assert answer.status == 200
        assert (answer.body["symbols"], answer.body["warnings"]) == ([], [])
        assert answer.body["universe"] == {
            "quote": ["USDT"],
            "top": 3,
            "min_volume_usd": None,
            "include": ["MATIC/USDT"],
            "exclude": ["ETH"],
        }
        wait_for(lambda: client.get("/api/scanner/continuous/signals").body["count"] == 32, 60)
        yield client


def test_the_largest_markets_of_spot_and_swap_exchanges_are_scanned(chosen: Client) -> None:
    signals = chosen.get("/api/scanner/continuous/signals").body["signals"]
    for exchange in BOTH:
        found = {record["symbol"] for record in signals if record["exchange"] == exchange}
        assert found == {market["symbol"] for market in snapshots(chosen, exchange)[0]["markets"]}
        assert len(found) == 4
        assert {"BTC/USDT", "POL/USDT"} < found


def test_status_tells_the_rule_and_how_it_turned_out(chosen: Client) -> None:
    body = status(chosen)
    assert set(body["universe"]["exchanges"]) == set(BOTH)
    facts = body["universe"]["exchanges"]["simulated"]
    assert facts["markets"] == body["exchanges"]["simulated"]["markets"] == 4
    assert facts["left_out"]["excluded by name"] == 1
    assert facts["markets"] + sum(facts["left_out"].values()) == facts["listed"]
    assert body["renamed"]["simulated:MATIC/USDT"] == "POL/USDT, its name since 2024-09"
    assert body["skipped"] == {}


def test_every_choice_is_on_disk_with_its_time_and_ranks(chosen: Client) -> None:
    for exchange in BOTH:
        first = snapshots(chosen, exchange)[0]
        assert (first["count"], first["joined"], first["left"], first["rule"]["top"]) == (4, [], {}, 3)
        assert [market["rank"] for market in first["markets"][:3]] == [1, 2, 3]
        assert first["markets"][0]["symbol"] == "BTC/USDT"
        volumes = [market["volume_usd"] for market in first["markets"]]
        assert volumes == sorted(volumes, reverse=True)
        assert volumes[2] > 1e6


@pytest.mark.parametrize("name", ["MATIC/USDT", "pol", "simulated:MATICUSDT"])
def test_a_renamed_coin_is_asked_for_by_either_name(chosen: Client, name: str) -> None:
    found = chosen.get(f"/api/scanner/continuous/signals?symbol={name}&timeframe=5m").body["signals"]
    assert found
    assert {record["symbol"] for record in found} == {"POL/USDT"}


def test_training_data_and_confluence_answer_to_either_name(chosen: Client) -> None:
    assert chosen.get("/api/scanner/continuous/confluence/MATIC/USDT").body["symbol"] == "POL/USDT"
    kept = [wait_for(lambda name=name: stored(chosen, name)) for name in ("MATIC-USDT", "POL-USDT")]  # type: ignore[misc]
    assert list(kept[0]["ohlcv"]) == list(kept[1]["ohlcv"]) != []


def stored(client: Client, symbol: str) -> Any:
    answer = client.get(f"/api/scanner/training-data/{symbol}")
    return answer.body["dataset"] if answer.status == 200 else None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"universe": {"top": 0}}, "universe.top"),
        ({"universe": {"min_volume_usd": "much"}}, "universe.min_volume_usd"),
        ({"universe": {"tops": 5}}, "universe.tops"),
        ({"universe": []}, "universe"),
        ({"universe": {}, "symbols": ["BTC/USDT"]}, "universe"),
        ({"symbols": "everything"}, "symbols"),
        ({"symbols": "all", "exchanges": ["coinspot"]}, "exchanges"),
        ({"universe": {"top": 5}, "exchanges": ["bitbank"]}, "exchanges"),
        ({"config": {"universe_refresh_interval": 5}}, "config.universe_refresh_interval"),
    ],
)
def test_a_slip_is_a_400_that_names_the_field_and_nothing_starts(fresh: Client, body: Any, field: str) -> None:
    answer = fresh.post(START, body)
    assert answer.status == 400
    assert answer.body["message"].startswith(f"{field}: ")
    assert status(fresh)["running"] is False


def test_exchanges_that_lack_something_are_told_at_the_start(fresh: Client) -> None:
    lacking = fresh.post(START, {"symbols": "all", "exchanges": ["coinspot"]}).body["message"]
    assert lacking.endswith("cannot be scanned: coinspot has no candles")
    unranked = fresh.post(START, {"universe": {"top": 5}, "exchanges": ["bitbank"]}).body["message"]
    assert "bitbank has no tickers in bulk, so top and min_volume_usd cannot be ranked" in unranked


def test_all_is_everything_that_can_be_scanned(fresh: Client) -> None:
    assert fresh.post(START, {"symbols": "all"}).body["universe"]["top"] is None
    body = wait_for(lambda: found if (found := status(fresh))["universe"]["exchanges"] else None)
    facts = body["universe"]["exchanges"]["simulated"]
    assert facts["markets"] == facts["listed"] - sum(facts["left_out"].values()) > 9


def test_a_universe_that_matches_nothing_says_what_is_there(fresh: Client) -> None:
    fresh.post(START, {"universe": {"quote": "NADA"}})
    facts = wait_for(lambda: found if (found := status(fresh)["exchanges"]["simulated"])["state"] == "down" else None)
    assert facts["cause"].startswith("simulated: the universe matches none of its ")
    assert facts["cause"].endswith(" another quote")


def test_more_markets_than_memory_allows(tmp_path: Path) -> None:
    with serving(Settings(simulated=True, memory_mb=1, data_dir=str(tmp_path))) as client:
        refused = client.post(START, {"symbols": ["BTC/USDT", "ETH/USDT", "SOL/USDT"]})
        assert refused.status == 400
        assert "are 3 markets, more than memory allows: " in refused.body["message"]
        assert "SCANNER_MEMORY_MB allows 1 MB" in refused.body["message"]
        warned = client.post(START, {"universe": {"top": 50}}).body["warnings"]
        assert "may be more than memory allows" in warned[0]
        facts = wait_for(
            lambda: found if (found := status(client)["exchanges"]["simulated"])["state"] == "down" else None
        )
        assert "SCANNER_MEMORY_MB" in facts["cause"]


def test_settings_choose_where_a_start_names_nothing(tmp_path: Path) -> None:
    settings = Settings(simulated=True, universe="top=2", data_dir=str(tmp_path))
    with serving(settings) as client:
        assert client.post(START).body["universe"]["top"] == 2
        client.post("/api/scanner/continuous/stop")
        assert client.post(START, {"symbols": ["BTC/USDT"]}).body["universe"] is None
