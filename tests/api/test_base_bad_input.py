"""Everything wrong that can be sent to the base routes: 400 with the field, nothing asked, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scanner.settings import Settings
from tests.api.conftest import Client, serving
from tests.api.rows import FakeScan

API = "/api/scanner"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    settings = Settings(simulated=True, data_dir=str(tmp_path_factory.mktemp("data")))
    with serving(settings, base_scan=FakeScan()) as client:
        yield client


BAD_BODIES: list[tuple[bytes, str]] = [
    (b"{", "body"),
    (b"[]", "body"),
    (b'"medium"', "body"),
    (b"null", "body: 'null' is not a JSON object"),
    (b'["' + "\u00e9".encode() * 60 + b'"]', "body"),
    (b"\xff\xfe", "body"),
    (b'{"minStrength": NaN}', "body"),
    (b'{"minStrength": Infinity}', "body"),
]
BAD_SCANS: list[tuple[dict[str, Any], str]] = [
    ({"timeframe": "7m"}, "timeframe"),
    ({"timeframe": "MEDIUM "}, "timeframe"),
    ({"timeframe": 60}, "timeframe"),
    ({"timeframe": ["1h"]}, "timeframe"),
    ({"timeframe": {"a": 1}}, "timeframe"),
    ({"timeframe": True}, "timeframe"),
    ({"timeframe": ""}, "timeframe"),
    ({"timeframe": 0}, "timeframe"),
    ({"timeframe": "all"}, "timeframe"),
    ({"timeframe": "x" * 10_000}, "timeframe"),
    ({"exchange": "nosuchexchange"}, "nosuchexchange"),
    ({"exchange": ""}, "exchange"),
    ({"exchange": 5}, "exchange"),
    ({"exchange": {}}, "exchange"),
    ({"exchange": "../../etc"}, "exchange"),
    ({"exchange": "__class__"}, "exchange"),
    ({"exchange": "Binance"}, "exchange"),
    ({"exchange": []}, "exchange"),
    ({"exchange": ["simulated", None]}, "exchange"),
    ({"exchange": ["simulated", 5]}, "exchange"),
    ({"exchange": [["simulated"]]}, "exchange"),
    ({"exchange": ["simulated"] * 11}, "exchange"),
    ({"exchange": "replay"}, "exchange"),
    ({"parallel": "yes"}, "parallel"),
    ({"parallel": 1}, "parallel"),
    ({"signal": "LONG"}, "signal"),
    ({"signal": 1}, "signal"),
    ({"signal": ["BUY"]}, "signal"),
    ({"minStrength": "50"}, "minStrength"),
    ({"minStrength": -1}, "minStrength"),
    ({"minStrength": 100.5}, "minStrength"),
    ({"minStrength": True}, "minStrength"),
    ({"minStrength": [50]}, "minStrength"),
    ({"minStrength": 10**400}, "minStrength"),
    ({"fullAnalysis": "true"}, "fullAnalysis"),
    ({"fullAnalysis": 0}, "fullAnalysis"),
    ({"sync": "true"}, "sync"),
    ({"sync": 1}, "sync"),
    ({"symbols": ["BTC/USDT"]}, "symbols"),
    ({"min_strength": 5}, "min_strength"),
]
BAD_AGREEMENTS: list[tuple[dict[str, Any], str]] = [
    ({"symbol": ""}, "symbol"),
    ({"symbol": 5}, "symbol"),
    ({"symbol": "BTC"}, "symbol"),
    ({"symbol": ["BTC/USDT"]}, "symbol"),
    ({"symbol": "../../etc/passwd"}, "symbol"),
    ({"symbol": "A" * 10_000}, "symbol"),
    ({"symbol": "nosuchexchange:BTC/USDT"}, "nosuchexchange"),
    ({"timeframes": []}, "timeframes"),
    ({"timeframes": "1h"}, "timeframes"),
    ({"timeframes": ["1h", "7m"]}, "timeframes[1]"),
    ({"timeframes": [None]}, "timeframes[0]"),
    ({"timeframes": [["1h"]]}, "timeframes[0]"),
    ({"timeframes": ["1h"] * 11}, "timeframes"),
    ({"timeframes": ["1h", "1h"]}, "timeframes: ['1h', '1h'] names one timeframe twice"),
    ({"timeframes": ["medium", "1h"]}, "timeframes: ['medium', '1h'] names one timeframe twice"),
    ({"minOpportunity": "65"}, "minOpportunity"),
    ({"minOpportunity": 101}, "minOpportunity"),
    ({"exchange": "binance"}, "exchange"),
]
BAD_POSITIONS: list[tuple[dict[str, Any], str]] = [
    ({"entryPrice": "abc", "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": "nan", "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": "1e400", "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": 10**400, "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": True, "stopLoss": 1}, "entryPrice: True is of type bool, not a number above 0 and up to 1e+15"),
    ({"entryPrice": 1e308, "stopLoss": 1}, "entryPrice: 1e+308 is not a number above 0 and up to 1e+15"),
    ({"entryPrice": 2, "stopLoss": 1, "feeRate": 1e308}, "feeRate: 1e+308 is not a number from 0 to 1e+15"),
    ({"entryPrice": [1], "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": "", "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": "9" * 5000, "stopLoss": 1}, "entryPrice"),
    ({"entryPrice": 100, "stopLoss": {}}, "stopLoss"),
    ({"entryPrice": 100, "stopLoss": 100}, "stop"),
    ({"entryPrice": 100, "stopLoss": 90, "accountBalance": 0}, "accountBalance"),
    ({"entryPrice": 100, "stopLoss": 90, "accountBalance": -5}, "accountBalance"),
    ({"entryPrice": 100, "stopLoss": 90, "accountBalance": "much"}, "accountBalance"),
    ({"entryPrice": 100, "stopLoss": 90, "leverage": 0}, "leverage"),
    ({"entryPrice": 100, "stopLoss": 90, "leverage": -1}, "leverage"),
    ({"entryPrice": 100, "stopLoss": 90, "riskPerTrade": "x"}, "riskPerTrade"),
    ({"entryPrice": 100, "stopLoss": 90, "feeRate": False}, "feeRate"),
    ({"entryPrice": 100, "stopLoss": 90, "entry": 5}, "entry"),
]
CASES = [
    *((path, body, field) for path in ("scanner/scan", "scanner/initialize") for body, field in BAD_BODIES),
    *((path, body, field) for path in ("scanner/multi-timeframe", "position/calculate") for body, field in BAD_BODIES),
    *(("scanner/scan", body, field) for body, field in BAD_SCANS),
    *(("scanner/multi-timeframe", body, field) for body, field in BAD_AGREEMENTS),
    *(("position/calculate", body, field) for body, field in BAD_POSITIONS),
    ("scanner/initialize", {"exchange": "nosuchexchange"}, "nosuchexchange"),
    ("scanner/initialize", {"exchange": ["simulated"]}, "exchange"),
    ("scanner/initialize", {"exchanges": "simulated"}, "exchanges"),
]


@pytest.mark.parametrize(("path", "body", "field"), CASES, ids=[str(i) for i in range(len(CASES))])
def test_a_bad_body_names_the_field_and_starts_nothing(client: Client, path: str, body: Any, field: str) -> None:
    answer = client.post(f"/api/{path}", body)
    assert answer.status == 400
    assert set(answer.body) == {"error", "message"}
    assert field in answer.body["message"]
    assert len(answer.body["message"]) < 1000
    status = client.get(f"{API}/status").body
    assert (status["scanning"], status["scanner_initialized"], status["last_scan"]) == (False, False, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("minStrength=abc", "minStrength"),
        ("minStrength=-1", "minStrength"),
        ("minStrength=101", "minStrength"),
        ("minStrength=nan", "minStrength"),
        ("minStrength=", "minStrength"),
        ("minStrength=" + "9" * 5000, "minStrength"),
        ("signal=LONG", "signal"),
        ("signal=BUY,SELL", "signal"),
        ("timeframe=7m", "timeframe"),
        ("timeframe=hourly", "timeframe"),
        ("timeframe=" + "A" * 10_000, "timeframe"),
        ("exchange=..%2F..%2Fetc", "exchange"),
        ("exchange=a%00b", "exchange"),
        ("exchange=" + "a" * 10_000, "exchange"),
    ],
)
def test_a_bad_filter_names_the_field_even_when_there_are_no_results(client: Client, query: str, field: str) -> None:
    answer = client.get(f"{API}/signals?{query}")
    assert answer.status == 400
    assert set(answer.body) == {"error", "message"}
    assert field in answer.body["message"]


@pytest.mark.parametrize(
    "body",
    [{}, {"entryPrice": 0, "stopLoss": 1}, {"entryPrice": 1}, {"entryPrice": -5, "stopLoss": 1}, {"stopLoss": 3}],
)
def test_prices_that_are_none_keep_their_own_error(client: Client, body: dict[str, Any]) -> None:
    answer = client.post("/api/position/calculate", body)
    assert answer.status == 400
    assert answer.body["error"] == "Invalid entry price or stop loss"


@pytest.mark.parametrize("path", ["scanner/scan", "scanner/initialize", "scanner/reset", "position/calculate"])
def test_reading_a_control_is_not_allowed(client: Client, path: str) -> None:
    answer = client.get(f"/api/{path}")
    assert answer.status == 405
    assert set(answer.body) == {"error", "message"}
