"""The pages tell the truth about themselves and about settings, options and rooms."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scanner.api.server import with_options
from scanner.config import StreamConfig
from scanner.fullscan.settings import ALIASES
from scanner.gateway.account import Account, Said
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS, Market
from scanner.order import EMBEDDED
from scanner.records import SIGNAL_TYPES
from scanner.settings import Settings, option, variable
from scanner.store.names import candle_file, day_file, exchange_file
from scanner.store.ownership import LOCK_NAME
from scanner.store.parts import part_of
from scanner.terminal import backfill, full_scan
from scanner.terminal.options import parser
from scanner.timeframes import LENGTH_MS
from tests.pages import ALL_TEXT, EXAMPLES, FENCED, FILES, PAGES, ROOT, blocks, keys, rows, section, slugs
from tests.test_rooms import ROOMS

each_page = pytest.mark.parametrize("name", PAGES)

# --- pages as such ---------------------------------------------------------------------------------------------------


@each_page
def test_links_lead_somewhere(name: str) -> None:
    path = FILES[name]
    prose = FENCED.sub("", PAGES[name])
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", prose):
        linked = path.parent / target if target else path
        assert linked.exists(), f"{name} links to {target}"
        assert not anchor or anchor in slugs(linked.read_text(encoding="utf-8")), f"{name} links to {target}#{anchor}"


@each_page
def test_python_blocks_compile(name: str) -> None:
    for block in blocks(PAGES[name], "python"):
        compile(block, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


ELSEWHERE = {"README.md", "CONTINUOUS_SCANNER_GUIDE.md", EXAMPLES}  # these want files of a scan


@pytest.mark.parametrize("name", [name for name in PAGES if blocks(PAGES[name], "python") and name not in ELSEWHERE])
def test_python_blocks_print_what_stands_below_them(name: str) -> None:
    world: dict[str, Any] = {}
    found = re.findall(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", PAGES[name], re.MULTILINE | re.DOTALL)
    assert any(expected for _, expected in found)
    for code, expected in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name, "exec"), world)
        assert printed.getvalue() == expected


@each_page
def test_data_blocks_parse(name: str) -> None:
    for block in blocks(PAGES[name], "json"):
        json.loads(block)  # what they say is compared with answers in `test_docs_api`, with defaults below
    for block in blocks(PAGES[name], "toml"):
        StreamConfig.from_mapping(tomllib.loads(block))


@each_page
def test_named_files_exist(name: str) -> None:
    for path in re.findall(
        r"`((?:scanner|tests|benchmarks|docs|examples)/[\w./]*|\w+(?:\.\w+)*\.(?:py|toml|txt))`", PAGES[name]
    ):
        assert (ROOT / path).exists(), path


def test_named_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make (\w+)", ALL_TEXT, re.MULTILINE)) <= targets


# --- settings and options --------------------------------------------------------------------------------------------


def test_every_field_of_stream_config_is_in_the_table() -> None:
    told = {row[0].strip("`"): (row[1], row[2]) for row in rows(section("CONFIGURATION.md", "StreamConfig"))}
    specs = {spec.name: spec for spec in dataclasses.fields(StreamConfig)}
    assert list(told) == list(specs)
    for name, (default, allowed) in told.items():
        spec = specs[name]
        if name == "timeframes":
            continue
        assert default == f"`{spec.default}`"
        options = spec.metadata.get("options")
        wanted = ", ".join(f"`{option}`" for option in options) if options else _range(spec)
        assert allowed == wanted, name


def _range(spec: dataclasses.Field[Any]) -> str:
    whole = ", whole" if spec.type == "int" else ""
    return f"{spec.metadata['low']} to {spec.metadata['high']}{whole}"


def test_the_default_timeframes_are_told() -> None:
    told = section("CONFIGURATION.md", "StreamConfig")
    assert list(json.loads(blocks(told, "json")[0]).items()) == list(StreamConfig().styles.items())
    assert ", ".join(LENGTH_MS) in " ".join(told.split())


def test_every_environment_variable_is_in_the_table() -> None:
    text = section("CONFIGURATION.md", "Environment variables")
    told = {row[0].strip("`"): (row[1], row[2]) for row in rows(text)}
    specs = {variable(spec.name): spec for spec in dataclasses.fields(Settings)}
    assert list(told) == list(specs)
    for name, (default, allowed) in told.items():
        spec = specs[name]
        if spec.name == "cors_origins":
            assert blocks(text, "text") == [f"{spec.default}\n"]
            continue
        as_text = str(int(spec.default)) if spec.type == "bool" else str(spec.default)
        assert default == (f"`{as_text}`" if as_text else "empty")
        assert spec.metadata["low"] is None or allowed == _range(spec), name


def test_no_page_names_a_variable_that_does_not_exist() -> None:
    proxy = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").glob("*.ts"))
    known = {*_variables(), *re.findall(r"\benv\.(SCANNER_[A-Z_]+)", proxy)}
    assert set(re.findall(r"\bSCANNER_[A-Z_]+", ALL_TEXT)) <= known


@pytest.fixture
def options(capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """Every long option of the three programs, as their help tells them."""
    with pytest.raises(SystemExit):
        with_options(["--help"], Settings())
    helps = {
        "scanner_api.py": capsys.readouterr().out,
        "continuous_scanner.py": parser().format_help(),
        "continuous_scanner.py backfill": backfill.parser().format_help(),
        "momentum_scanner.py": full_scan.parser().format_help(),
    }
    return {
        program: set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)) for program, text in helps.items()
    }


PROGRAMS = ("continuous_scanner.py", "continuous_scanner.py backfill", "scanner_api.py", "momentum_scanner.py")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_is_in_the_table(program: str, options: dict[str, set[str]]) -> None:
    assert set(keys(section("CONFIGURATION.md", program))) - set(_variables()) == options[program]
    for line in ALL_TEXT.splitlines():
        if re.search(rf"python {re.escape(program)}(?! backfill)", line):
            assert set(re.findall(r"--[a-z-]+", line)) <= options[program], line


def test_the_full_scans_defaults_are_told() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows(section("CONFIGURATION.md", "momentum_scanner.py"))}
    for name, default in vars(full_scan.parser().parse_args([])).items():
        if default not in (None, False):
            assert told[option(name)][0] == f"`{default}`"
    assert all(f"`{alias}`" in told["--timeframe"][1] for alias in ALIASES)
    assert f"1 to {full_scan.MOST_ROWS}" in told["--top"][1]
    assert all(picture.strip(".") in told["--plot"][1] for picture in full_scan.PICTURES)


def test_every_variable_of_the_proxy_is_told() -> None:
    source = (ROOT / "server" / "settings.ts").read_text(encoding="utf-8")
    told = {row[0].strip("`"): row[1:] for row in rows(section("CONFIGURATION.md", "The Node proxy"))}
    assert set(told) == set(re.findall(r"\benv\.([A-Z_]+)", source))
    defaults = dict(re.findall(r'\benv\.([A-Z_]+) \|\| "([^"]+)"', source))
    assert len(defaults) == 3
    assert {name: told[name][0].strip("`") for name in defaults} == defaults
    pages = source.partition("LOCAL_PAGES =")[2].partition(";")[0]
    assert "".join(re.findall(r'"([^"]+)"', pages)) == Settings().cors_origins  # the proxy's default is the scanner's
    waits = re.findall(r"_MS = ([\d_]+);", (ROOT / "server" / "routes.ts").read_text(encoding="utf-8"))
    assert [wait.replace("_", "") for wait in waits] == re.findall(r"\d+", told["SCANNER_API_TIMEOUT_MS"][0])
    ranges = re.findall(r'wholeNumber\("?([A-Z_]+)"?, [^,]+, (\d+), ([\w]+)\)', source)
    longest = re.findall(r"LONGEST_TIMEOUT_MS = ([\d_]+);", source)[0]
    for name, low, high in ranges:
        top = (longest if high == "LONGEST_TIMEOUT_MS" else high).replace("_", "")
        assert told[name][1] == f"{low} to {top}, whole"
    assert len(ranges) == 2


def _variables() -> list[str]:
    return [variable(spec.name) for spec in dataclasses.fields(Settings)]


def test_ids_symbols_and_types_are_told() -> None:
    ids = keys(section("CONFIGURATION.md", "Exchange ids"))
    assert set(ids) == {*DEFAULT_EXCHANGES, *EMBEDDED}
    assert ", ".join(DEFAULT_SYMBOLS) in section("CONFIGURATION.md", "Symbols")
    types = section("FORMULAS.md", "One score and nine types")
    assert set(re.findall(r"`((?:MOMENTUM|REVERSION|STRONG|WEAK)_\w+|NEUTRAL)`", types)) == set(SIGNAL_TYPES)


def test_the_training_data_folder_is_told() -> None:
    (told,) = (text for text in blocks(PAGES["CONFIGURATION.md"], "text") if text.startswith("training_data/"))
    market, day = Market.parse("binance:BTC/USDT"), int(datetime(2025, 10, 24, tzinfo=UTC).timestamp() * 1000)
    named = re.findall(r"(\S+/) +(\S+)", told)
    assert named == [
        ("signals/", day_file(market, day)),
        ("clustering/", day_file(market, day)),
        ("ohlcv/", candle_file(market, "5m")),
        ("gaps/", exchange_file("binance", day)),
        ("late/", exchange_file("binance", day)),
        ("universe/", exchange_file("binance", day)),
        ("journal/", "candles-00000001.journal"),
    ]
    assert part_of(candle_file(market, "5m"), "2025-07") in told
    assert LOCK_NAME in told


def test_the_state_folder_is_told(tmp_path: Path) -> None:
    (told,) = (text for text in blocks(PAGES["CONFIGURATION.md"], "text") if text.startswith("state/"))
    Account(tmp_path, "binance", 60.0).exchange(Said((), want=1, least=1, room=100, lapses_s=2))
    assert set(re.findall(r"^  (\S+) ", told, re.MULTILINE)) == {path.name for path in tmp_path.iterdir()}


def test_every_room_and_what_it_may_import_is_told() -> None:
    told = {row[0].strip("`"): set(row[2].split(", ")) - {"-"} for row in rows(section("ARCHITECTURE.md", "Rooms"))}
    assert told == {f"scanner/{room}": others - {room} for room, others in ROOMS.items()}
