"""Query parameters that a route does not know are refused on every route, before it does anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.api.app import create_app
from scanner.api.parameters import KNOWN, check_parameters
from scanner.errors import InvalidInput
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from tests.api.conftest import Client, serving

API = "/api/scanner"
KEY = "a-key"
ROUTES = [
    (method, rule.rule.replace("<path:symbol>", "BTC/USDT"), rule.endpoint)
    for rule in create_app(ScannerService(Settings())).url_map.iter_rules()
    for method in (rule.methods or set()) & {"GET", "HEAD", "POST"}
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server on which nothing has been started, with an empty data folder."""
    with serving(Settings(simulated=True, data_dir=str(tmp_path_factory.mktemp("data") / "none"))) as client:
        yield client


def test_the_table_names_routes_that_exist() -> None:
    assert set(KNOWN) < {endpoint for _, _, endpoint in ROUTES}


@pytest.mark.parametrize(("method", "path", "endpoint"), sorted(ROUTES))
def test_every_route_refuses_what_it_does_not_know(method: str, path: str, endpoint: str, client: Client) -> None:
    answer = client.send(method, f"{path}?foo=1")
    assert answer.status == 400
    if method != "HEAD":
        known = KNOWN.get(endpoint, ())
        here = f"known are {', '.join(known)}" if known else "this route takes no query parameters"
        assert answer.body == {"error": "Invalid input", "message": f"foo: '1' is unknown here; {here}"}


NAMED = {(text, path, name) for _, path, at in ROUTES for name in KNOWN.get(at, ()) for text in ("", "%20")}


@pytest.mark.parametrize(("text", "path", "name"), sorted(NAMED))
def test_every_route_refuses_a_parameter_without_a_value(text: str, path: str, name: str, client: Client) -> None:
    answer = client.get(f"{path}?{name}={text}")
    value = text.replace("%20", " ")
    assert answer.status == 400
    assert answer.body["message"].startswith(f"{name}: {value!r} is empty; leave it out")


def test_nothing_is_done_for_a_request_that_is_refused(client: Client) -> None:
    for path in (f"{API}/continuous/start", f"{API}/scan", f"{API}/initialize"):
        assert client.post(f"{path}?exchanges=simulated").status == 400
    assert not client.get(f"{API}/continuous/status").body["running"]
    assert not client.get(f"{API}/status").body["scanner_initialized"]
    assert not Path(client.service.settings.data_dir).exists()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("/continuous/signals?min_scor=70", "min_scor: '70' is unknown here; known are symbol, timeframe, min_score"),
        ("/continuous/signals?Limit=5", "Limit: '5' is unknown here"),
        ("/continuous/signals?limit=5&limit=6", "limit: ['5', '6'] is given more than once"),
        ("/continuous/signals?limit=5&&=", "'': '' is unknown here"),
        ("/continuous/confluence/BTC/USDT?limit=5", "limit: '5' is unknown here; known are min_score"),
        ("/training-data/BTC/USDT?formats=csv", "formats: 'csv' is unknown here; known are days"),
        ("/training-data/BTC/USDT?days=3&foo", "foo: '' is unknown here"),
        ("/signals?min_strength=70", "min_strength: '70' is unknown here; known are exchange, timeframe, signal"),
        (f"/signals?{'x' * 5000}=1", "x" * 60 + ": '1' is unknown here"),
        ("/signals?%3Cb%3E%0a=1", r"<b>\n: '1' is unknown here"),
    ],
)
def test_the_refusal_names_the_parameter(query: str, named: str, client: Client) -> None:
    answer = client.get(f"{API}{query}")
    assert (answer.status, answer.body["error"]) == (400, "Invalid input")
    assert answer.body["message"].startswith(named)


@pytest.mark.parametrize("path", ["/health?_=1763801234567", f"{API}/signals?_=1&_=2", f"{API}/status?_"])
def test_a_cache_buster_is_let_through(path: str, client: Client) -> None:
    assert client.get(path).status == 200


def test_every_known_parameter_is_let_through() -> None:
    for known in KNOWN.values():
        check_parameters({name: ["1"] for name in known}, known)
    with pytest.raises(InvalidInput, match="is unknown here"):
        check_parameters({"limit": ["1"]}, ())


def test_what_is_not_there_stays_what_it_is(client: Client) -> None:
    assert client.get(f"{API}/nothing?foo=1").status == 404
    assert client.get(f"{API}/continuous/start?foo=1").status == 405
    preflight = {"Origin": "http://localhost:5000", "Access-Control-Request-Method": "GET"}
    assert client.send("OPTIONS", f"{API}/signals?foo=1", None, preflight).status == 200


def test_the_key_is_asked_for_first(tmp_path: Path) -> None:
    with serving(Settings(simulated=True, data_dir=str(tmp_path), api_key=KEY)) as client:
        assert client.post(f"{API}/reset?foo=1").status == 401
        assert client.post(f"{API}/reset?foo=1", None, {"Authorization": f"Bearer {KEY}"}).status == 400
