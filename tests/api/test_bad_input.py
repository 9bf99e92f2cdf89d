"""Everything wrong that can be sent: 400 with the field, nothing started, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from scanner.settings import Settings
from tests.api.conftest import Client, serving

API = "/api/scanner"

BAD_STARTS: list[tuple[bytes | dict[str, Any], str]] = [
    (b"{", "body"),
    (b"[]", "body"),
    (b'"BTC/USDT"', "body"),
    (b"null", "body"),
    (b"\xff\xfe", "body"),
    (b"{'symbols': []}", "body"),
    (b'{"symbols": [NaN]}', "body"),
    ({"symbols": []}, "symbols"),
    ({"symbols": "BTC/USDT"}, "symbols"),
    ({"symbols": {"0": "BTC/USDT"}}, "symbols"),
    ({"symbols": 5}, "symbols"),
    ({"symbols": ["BTC/USDT", 5]}, "symbols[1]"),
    ({"symbols": [None]}, "symbols[0]"),
    ({"symbols": [["BTC/USDT"]]}, "symbols[0]"),
    ({"symbols": ["../../etc/passwd"]}, "symbols[0]"),
    ({"symbols": ["A" * 10_000]}, "symbols[0]"),
    ({"symbols": ["BTC\x00/USDT"]}, "symbols[0]"),
    ({"symbols": ["\U0001f680/USDT"]}, "symbols[0]"),
    ({"symbols": ["BTC/USDT/../../x"]}, "symbols[0]"),
    ({"symbols": ["BTC/USDT\n"]}, "symbols[0]"),
    ({"symbols": [""]}, "symbols[0]"),
    ({"symbols": ["binance:BTC/USDT"]}, "symbols[0]"),
    ({"symbols": ["BTC/USDT"] * 5001}, "symbols"),
    ({"exchanges": []}, "exchanges"),
    ({"exchanges": "binance"}, "exchanges"),
    ({"exchanges": ["nosuchexchange"]}, "nosuchexchange"),
    ({"exchanges": ["simulated", "nosuchexchange"]}, "exchanges"),
    ({"exchanges": ["../x"]}, "exchanges[0]"),
    ({"exchanges": ["__class__"]}, "exchanges[0]"),
    ({"exchanges": ["simulated", "binance"]}, "exchanges"),
    ({"exchanges": ["replay"]}, "exchanges"),
    ({"config": []}, "config"),
    ({"config": "fast"}, "config"),
    ({"config": 0}, "config"),
    ({"config": {"no_such_key": 1}}, "config.no_such_key"),
    ({"config": {"price_update_interval": "5"}}, "config.price_update_interval"),
    ({"config": {"price_update_interval": 0}}, "config.price_update_interval"),
    ({"config": {"price_update_interval": -5}}, "config.price_update_interval"),
    ({"config": {"price_update_interval": True}}, "config.price_update_interval"),
    ({"config": {"price_update_interval": 2.5}}, "config.price_update_interval"),
    ({"config": {"momentum_bias": 1e308}}, "config.momentum_bias"),
    ({"config": {"momentum_bias": None}}, "config.momentum_bias"),
    ({"config": {"max_signals_per_market": 10**30}}, "config.max_signals_per_market"),
    ({"config": {"timeframes": {}}}, "config.timeframes"),
    ({"config": {"timeframes": {"scalp": "7m"}}}, "config.timeframes.scalp"),
    ({"config": {"timeframes": {"scalp": 5}}}, "config.timeframes.scalp"),
    ({"config": {"timeframes": {"../x": "5m"}}}, "config.timeframes"),
    ({"config": {"timeframes": {"a": "5m", "b": "5m"}}}, "config.timeframes"),
    ({"config": {"scoring": "magic"}}, "config.scoring"),
    ({"config": {"live_record": 1}}, "config.live_record"),
    ({"symbol": ["BTC/USDT"]}, "symbol"),
]


@pytest.mark.parametrize(("body", "field"), BAD_STARTS, ids=[str(i) for i in range(len(BAD_STARTS))])
def test_a_bad_start_names_the_field_and_starts_nothing(
    tmp_path_factory: pytest.TempPathFactory, body: bytes | dict[str, Any], field: str
) -> None:
    folder = tmp_path_factory.mktemp("bad")
    with serving(Settings(simulated=True, data_dir=str(folder / "data"))) as client:
        answer = client.post(f"{API}/continuous/start", body)
        assert answer.status == 400
        assert set(answer.body) == {"error", "message"}
        assert field in answer.body["message"]
        assert len(answer.body["message"]) < 1000
        assert client.get(f"{API}/continuous/status").body["running"] is False
    assert list(folder.rglob("*")) == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("continuous/signals?min_score=abc", "min_score"),
        ("continuous/signals?min_score=-1", "min_score"),
        ("continuous/signals?min_score=101", "min_score"),
        ("continuous/signals?min_score=nan", "min_score"),
        ("continuous/signals?min_score=inf", "min_score"),
        ("continuous/signals?limit=-1", "limit"),
        ("continuous/signals?limit=1.5", "limit"),
        ("continuous/signals?limit=ten", "limit"),
        ("continuous/signals?limit=" + "9" * 5000, "limit"),
        ("continuous/signals?timeframe=7m", "timeframe"),
        ("continuous/signals?symbol=" + quote("../../etc/passwd"), "symbol"),
        ("continuous/signals?symbol=" + "A" * 10_000, "symbol"),
        ("continuous/signals?symbol=%00", "symbol"),
        ("continuous/confluence/BTC/USDT?min_score=high", "min_score"),
        ("continuous/confluence/..%2F..%2Fetc%2Fpasswd", "symbol"),
        ("continuous/confluence/" + quote("\U0001f680/USDT"), "symbol"),
        ("continuous/confluence/" + "A" * 10_000, "symbol"),
        ("continuous/confluence/BTC%00USDT", "symbol"),
        ("training-data/BTC/USDT?days=0", "days"),
        ("training-data/BTC/USDT?days=-3", "days"),
        ("training-data/BTC/USDT?days=abc", "days"),
        ("training-data/BTC/USDT?days=1e9", "days"),
        ("training-data/BTC/USDT?days=99999999999", "days"),
        ("training-data/../../etc/passwd", "symbol"),
        ("training-data/..%2f..%2fetc%2fpasswd", "symbol"),
        ("training-data/BTC%00/USDT", "symbol"),
    ],
)
def test_a_bad_read_names_the_field(running: Client, path: str, field: str) -> None:
    answer = running.get(f"{API}/{path}")
    assert answer.status == 400
    assert set(answer.body) == {"error", "message"}
    assert field in answer.body["message"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(Settings(simulated=True, data_dir=str(tmp_path_factory.mktemp("data")))) as client:
        client.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]})
        yield client


def test_a_huge_body_is_refused(fresh: Client) -> None:
    answer = fresh.post(f"{API}/continuous/start", b'{"symbols": ["' + b"A" * 2_000_000 + b'"]}')
    assert answer.status == 413
    assert set(answer.body) == {"error", "message"}


def test_deeply_nested_json_is_refused(fresh: Client) -> None:
    answer = fresh.post(f"{API}/continuous/start", b'{"symbols":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert answer.status == 400


def test_a_data_folder_that_cannot_be_one_is_told_and_scanning_goes_on(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data"))) as client:
        assert client.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]}).status == 200
        status = client.get(f"{API}/continuous/status").body
        assert status["running"] is True
        assert status["store"]["state"] == "degraded"
