"""API.md tells the truth: its routes, tables, examples and commands, against a scanner that really runs."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scanner.api.app import create_app
from scanner.api.parameters import KNOWN
from scanner.api.parsing import CONFLUENCE_MIN_SCORE, DAYS, LIMIT, MIN_SCORE, ROWS, Number
from scanner.api.rendering import STATUS_OF
from scanner.config import StreamConfig
from scanner.markets import DEFAULT_SYMBOLS, Market
from scanner.runtime import frames
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.store import features
from tests.api.conftest import Client, serving
from tests.pages import ALL_TEXT, PAGES, blocks, keys, rows, section
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server that has scanned the default symbols for a moment, at ten times real speed."""
    with serving(Settings(simulated=True, speed=10, data_dir=str(tmp_path_factory.mktemp("data")))) as client:
        client.post("/api/scanner/continuous/start")
        assert client.post("/api/scanner/scan", {"sync": True}).status == 200
        wait_for(lambda: client.get("/api/scanner/continuous/signals").body["count"] == 40)
        wait_for(lambda: client.get("/api/scanner/continuous/market-state").body["market_state"])
        wait_for(lambda: len(dataset_of(client, "BTC/USDT").get("ohlcv", ())) == len(StreamConfig().styles))
        wait_for(lambda: clusters_of(client))
        yield client


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[Client]:
    """A server on which nothing has been started, with an empty data folder."""
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data"))) as client:
        yield client


def clusters_of(client: Client) -> list[Any]:
    """Cluster records of the first symbol that has any."""
    return next((found for symbol in DEFAULT_SYMBOLS if (found := dataset_of(client, symbol).get("clustering"))), [])


def dataset_of(client: Client, symbol: str) -> dict[str, Any]:
    """What is kept of a symbol; nothing at first."""
    answer = client.get(f"/api/scanner/training-data/{symbol}")
    return dict(answer.body["dataset"]) if answer.status == 200 else {}


def routes() -> set[str]:
    """``GET /health`` and so on, as the pages write them."""
    app = create_app(ScannerService(Settings()))
    return {
        f"{method} {re.sub('<[^:>]+:', '<', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_heading() -> None:
    assert set(re.findall(r"^### `((?:GET|POST) .+)`$", PAGES["API.md"], re.MULTILINE)) == routes()


def test_no_page_names_a_path_that_does_not_exist() -> None:
    adapter = create_app(ScannerService(Settings())).url_map.bind("localhost")
    for path in re.findall(r"(/(?:api/scanner|health|ready)[\w/<>%:.-]*)", ALL_TEXT):
        filled = path.rstrip(".,:").replace("<symbol>", "BTC/USDT")
        assert adapter.allowed_methods(filled) or filled.endswith(("/api/scanner", "/continuous")), path


def test_every_kind_of_refusal_is_in_the_table() -> None:
    told = {(int(row[0]), row[1].strip("`")) for row in rows(section("API.md", "Errors")) if row[0].isdigit()}
    assert {(status, title) for _, status, title in STATUS_OF} <= told
    assert {status for status, _ in told} == {status for _, status, _ in STATUS_OF} | {401, 403, 404, 405, 413}


@pytest.mark.parametrize(
    ("route", "numbers"),
    [
        ("/api/scanner/continuous/signals", [MIN_SCORE, LIMIT]),
        ("/api/scanner/continuous/confluence/<symbol>", [CONFLUENCE_MIN_SCORE]),
        ("/api/scanner/continuous/freshness", [ROWS]),
        ("/api/scanner/training-data/<symbol>", [DAYS]),
        ("/api/scanner/training-data/<symbol>/features", [DAYS]),
        ("/api/scanner/continuous/gaps", [DAYS, LIMIT]),
    ],
)
def test_numeric_parameters_are_told_with_default_and_range(route: str, numbers: list[Number]) -> None:
    told = rows(section("API.md", f"`GET {route}`").partition("\n#### Answer\n")[0])
    for number in numbers:
        kind = "whole number" if number.whole else "number"
        facts = [f"`{number.name}`", f"{kind}, {number.low:g} to {number.high:g}", f"{number.default:g}"]
        assert facts in [row[:3] for row in told]


def test_every_query_parameter_is_told() -> None:
    for rule in create_app(ScannerService(Settings())).url_map.iter_rules():
        if "GET" in (rule.methods or set()):
            route = f"`GET {re.sub('<[^:>]+:', '<', rule.rule)}`"
            told = keys(section("API.md", route).partition("\n#### Answer\n")[0])
            assert told == list(KNOWN.get(rule.endpoint, ())), route


def test_body_keys_are_told(unstarted: Client) -> None:
    refusal = unstarted.post("/api/scanner/continuous/start", {"nonsense": 1}).body["message"]
    text = section("API.md", "`POST /api/scanner/continuous/start`").partition("\n#### Answer\n")[0]
    assert keys(text) == refusal.partition("known are ")[2].split(", ")


NAMED = {
    "exchanges": "<id>",
    "deferred": "<purpose>",
    "streams": "<name>",
    "skipped": "<market>",
    "renamed": "<market>",
    "timeframe_details": "<style>",
    "exchange_details": "<id>",
}


def paths(value: Any, at: str = "") -> set[str]:
    """The dotted names of everything in an answer; where keys are data, a placeholder stands for them."""
    if isinstance(value, dict) and value:
        named = [(NAMED.get(at.rpartition(".")[2], key), below) for key, below in value.items()]
        return set().union(*(paths(below, f"{at}.{key}".lstrip(".")) for key, below in named))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(paths(each, f"{at}[]") for each in value))
    return {at}


def agree(one: str, other: str) -> bool:
    """Whether two names are the same, or one is within the other."""
    short, long = sorted((one, other), key=len)
    return short == long or long.startswith((f"{short}.", f"{short}["))


def unmatched(names: Iterable[str], others: Iterable[str]) -> list[str]:
    return [name for name in names if not any(agree(name, other) for other in others)]


def assert_told(route: str, answer: set[str]) -> None:
    """The table under a route covers the answer and names nothing else; the example has its shape."""
    text = section("API.md", f"`{route}`")
    told = keys(text.partition("\n#### Answer\n")[2])
    assert unmatched(answer, told) == []
    assert unmatched(told, answer) == []
    example = paths(json.loads(blocks(text, "json")[-1]))
    assert unmatched(example, answer) == []
    tops = [{path.split(".")[0].removesuffix("[]") for path in each} for each in (example, answer)]
    assert tops[0] >= tops[1] - {"message"}


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ("/health", ["/health"]),
        ("/ready", ["/ready"]),
        ("/api/scanner/continuous/freshness", ["/api/scanner/continuous/freshness"]),
        ("/api/scanner/signals", ["/api/scanner/signals"]),
        ("/api/scanner/status", ["/api/scanner/status"]),
        ("/api/scanner/continuous/status", ["/api/scanner/continuous/status"]),
        ("/api/scanner/continuous/signals", ["/api/scanner/continuous/signals?limit=1"]),
        ("/api/scanner/continuous/market-state", ["/api/scanner/continuous/market-state"]),
        (
            "/api/scanner/continuous/confluence/<symbol>",
            [f"/api/scanner/continuous/confluence/{symbol}" for symbol in ("BTC/USDT", "NOPE/USDT")],
        ),
        ("/api/scanner/training-data/<symbol>", ["/api/scanner/training-data/BTC/USDT"]),
        ("/api/scanner/training-data/<symbol>/features", ["/api/scanner/training-data/BTC/USDT/features"]),
        ("/api/scanner/continuous/gaps", ["/api/scanner/continuous/gaps"]),
    ],
)
def test_what_a_get_answers_is_told(route: str, asked: list[str], scanned: Client, unstarted: Client) -> None:
    answer = set().union(*(paths(scanned.get(path).body) for path in asked))
    if route.endswith("status") or route == "/api/scanner/signals":
        answer |= paths(unstarted.get(route).body) - {"signals"}  # there it is empty
    assert_told(f"GET {route}", answer)


def test_every_key_of_a_record_is_told(scanned: Client) -> None:
    record = scanned.get("/api/scanner/continuous/signals?limit=1").body["signals"][0]
    short = pd.DataFrame({name: [1.0] * 5 for name in frames.COLUMNS})
    young = frames.signal(short, Market("binance", "BTC/USDT"), "scalp", "5m", StreamConfig())
    assert set(keys(section("API.md", "Signal record"))) == paths(record) | paths(young) | {"backfilled", "as_of"}
    found = clusters_of(scanned)
    assert set(keys(section("API.md", "Cluster record"))) == paths(found[0]) | {"backfilled"}


def test_every_column_of_a_feature_row_is_told() -> None:
    told = keys(section("API.md", "Feature row"))
    labels = re.escape("<N>"), r"\d+"
    timeframe = re.escape("<timeframe>"), r"\d+[mhd]"
    joined = re.escape("<column>"), "|".join(features.JOINED)
    patterns = [re.escape(name) for name in told]
    for mark, meant in (labels, timeframe, joined):
        patterns = [pattern.replace(re.escape(mark), f"({meant})").replace(mark, f"({meant})") for pattern in patterns]
    names = features.schema(["1h", "1d"]).names
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in names)] == []
    assert set(features.JOINED) <= set(
        re.findall(r"`(\w+)`", section("API.md", "Feature row").partition("<column>")[2])
    )


@dataclasses.dataclass(frozen=True)
class Command:
    """A curl line of a page, and the status it says it gets."""

    page: str
    method: str
    path: str
    body: bytes | None
    status: int
    line: str


def commands() -> Iterator[Command]:
    for name, text in PAGES.items():
        for line in "".join(blocks(text, "sh")).splitlines():
            if line.startswith("curl "):
                words = shlex.split(line, comments=True)
                after = dict(itertools.pairwise(words))
                status = re.search(r"# (\d{3})", line)
                url = next(word for word in words if word.startswith("http"))
                body = after["-d"].encode() if "-d" in after else None
                path = re.sub(r"^https?://[^/]+", "", url)
                yield Command(name, after.get("-X", "GET"), path, body, int(status[1]) if status else 200, line)


@pytest.mark.parametrize("command", [c for c in commands() if c.method == "GET"], ids=lambda c: f"{c.page}:{c.path}")
def test_curl_lines_that_read_answer_as_told(command: Command, scanned: Client) -> None:
    wait_for(lambda: scanned.get(command.path).status == command.status)  # a scan that has just begun is not ready yet


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_itself_is_answered(scanned: Client, tmp_path: Path) -> None:
    for command in commands():
        if command.method == "GET":
            line = re.sub(r"http://localhost:\d+", f"http://127.0.0.1:{scanned.port}", command.line)
            done = subprocess.run(
                ["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
            )
            assert done.returncode == 0, done.stderr
            said = re.search(r"-o ([\w.]+)", line)
            assert said is None or (tmp_path / said[1]).read_bytes(), line
            assert said or re.fullmatch(r"[\d.]+ s, \d+ bytes\n", done.stdout) or json.loads(done.stdout), line


def test_every_block_of_json_is_compared(unstarted: Client) -> None:
    """One below each route, with its answer; and that of an error."""
    (refusal,) = blocks(section("API.md", "Errors"), "json")
    assert unstarted.get("/api/scanner/continuous/signals?min_score=abc").body == json.loads(refusal)
    assert len(blocks(PAGES["API.md"], "json")) == len(routes()) + 1
    assert {name for name in PAGES if blocks(PAGES[name], "json")} == {"API.md", "CONFIGURATION.md"}
    assert len(blocks(PAGES["CONFIGURATION.md"], "json")) == 1


def test_curl_lines_that_change_something_answer_as_told(unstarted: Client) -> None:
    posts = [command for command in commands() if command.method == "POST"]
    assert {f"POST {command.path}" for command in posts} == {route for route in routes() if route.startswith("POST")}
    for path in dict.fromkeys(command.path for command in posts):
        told: set[str] = set()
        for command in (command for command in posts if command.path == path):
            answer = unstarted.send("POST", command.path, command.body)
            assert answer.status == command.status, command
            told |= paths(answer.body) if answer.status < 300 else set()
            unstarted.post("/api/scanner/continuous/stop")
        assert_told(f"POST {path}", told)


def test_every_key_of_a_scan_on_demand_is_told(unstarted: Client) -> None:
    bodies: list[dict[str, Any]] = [{"sync": True, "minStrength": 0}, {"sync": True, "exchange": ["simulated"]}]
    answers = [unstarted.post("/api/scanner/scan", body).body for body in bodies]
    told = set(keys(section("API.md", "A scan that is waited for")))
    found = set().union(*({path for path in paths(answer) if not path.startswith("signals[")} for answer in answers))
    assert told == found - {""} | {"signals"}
    assert set(keys(section("API.md", "Signal of a scan on demand"))) == paths(answers[0]["signals"][0])


def test_every_reading_route_has_a_curl_line() -> None:
    adapter = create_app(ScannerService(Settings())).url_map.bind("localhost")
    asked = {adapter.match(c.path.partition("?")[0], c.method, return_rule=True)[0].rule for c in commands()}
    assert {re.sub("<[^:>]+:", "<", rule) for rule in asked} == {route.split(" ")[1] for route in routes()}
