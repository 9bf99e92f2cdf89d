"""The key: who must show it, what a refusal looks like, where it never appears; and who may listen where."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.api.auth import is_authorized
from scanner.api.server import refuse_strangers
from scanner.errors import InvalidInput
from scanner.settings import Settings
from tests.api.conftest import Client, serving

API = "/api/scanner"
KEY = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {KEY}"}
CONTROLS = [
    f"{API}/scan",
    f"{API}/initialize",
    f"{API}/reset",
    f"{API}/multi-timeframe",
    "/api/position/calculate",
    f"{API}/continuous/start",
    f"{API}/continuous/stop",
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server that asks for the key."""
    folder = tmp_path_factory.mktemp("guarded") / "data"
    with serving(Settings(simulated=True, data_dir=str(folder), api_key=KEY)) as client:
        yield client


@pytest.mark.parametrize("path", CONTROLS)
@pytest.mark.parametrize(
    "headers",
    [
        None,
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"X-API-Key": KEY},
    ],
)
def test_every_control_needs_the_key(guarded: Client, path: str, headers: dict[str, str] | None) -> None:
    answer = guarded.post(path, {}, headers)
    assert answer.status == 401
    assert set(answer.body) == {"error", "message"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert KEY not in str(answer)
    assert guarded.service.running is False


def test_every_post_route_is_a_control(guarded: Client) -> None:
    from scanner.api.app import create_app

    rules = create_app(guarded.service).url_map.iter_rules()
    assert {rule.rule for rule in rules if "POST" in (rule.methods or set())} == set(CONTROLS)


def test_the_key_opens_every_control(guarded: Client) -> None:
    for header in (BEARER, {"Authorization": f"bearer {KEY}"}):
        assert guarded.post(f"{API}/continuous/stop", None, header).status == 200


@pytest.mark.parametrize("path", ["/health", f"{API}/continuous/status"])
def test_reading_needs_no_key(guarded: Client, path: str) -> None:
    assert guarded.get(path).status == 200
    assert guarded.get(path, {"Authorization": "Bearer wrong"}).status == 200


def test_a_browser_may_ask_whether_it_may_send_the_key(guarded: Client) -> None:
    origin = "http://localhost:5173"
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = guarded.send("OPTIONS", f"{API}/continuous/start", None, asked)
    assert preflight.status == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    refused = guarded.post(f"{API}/continuous/start", None, {"Origin": origin})
    assert refused.status == 401
    assert refused.headers["Access-Control-Allow-Origin"] == origin  # so that the page can read why


def test_without_a_key_nobody_is_asked(fresh: Client) -> None:
    assert fresh.post(f"{API}/continuous/stop").status == 200
    assert fresh.post(f"{API}/continuous/stop", None, {"Authorization": "Bearer whatever"}).status == 200


def test_only_the_whole_key_is_the_key() -> None:
    assert is_authorized(f"Bearer {KEY}", KEY)
    assert not is_authorized(f"Bearer {KEY.upper()}", KEY)
    assert not is_authorized("Bearer ", KEY)
    assert not is_authorized("", KEY)


# --- where the key never appears -----------------------------------------------------------------------------------


def test_the_key_is_in_no_text_of_the_settings() -> None:
    settings = Settings.from_env({"SCANNER_API_KEY": f" {KEY}\n"})
    assert settings.api_key == KEY
    assert KEY not in repr(settings) + str(settings)


@pytest.mark.parametrize("text", ["two words", "schl\xfcssel", "tab\tbed", "null\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidInput, match="SCANNER_API_KEY") as refused:
        Settings.from_env({"SCANNER_API_KEY": text})
    assert text not in str(refused.value)


def test_the_key_is_in_no_answer_and_no_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, guarded: Client
) -> None:
    caplog.set_level(logging.DEBUG)
    guarded.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]}, BEARER)
    status = guarded.get(f"{API}/continuous/status", BEARER)
    guarded.post(f"{API}/continuous/stop", None, BEARER)
    assert KEY not in str(status)
    assert KEY not in caplog.text


# --- who may listen where ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    refuse_strangers(host, Settings())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "scanner.example", ""])
def test_beyond_loopback_a_key_or_a_word_of_the_operator_is_needed(host: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        refuse_strangers(host, Settings())
    assert "SCANNER_API_KEY" in str(refused.value)
    assert "SCANNER_ALLOW_ANONYMOUS" in str(refused.value)
    refuse_strangers(host, Settings(api_key=KEY))
    refuse_strangers(host, Settings(allow_anonymous=True))
