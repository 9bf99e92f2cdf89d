"""The command line in the process: what it sets, what it refuses, in which words."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.settings import Settings
from scanner.terminal import session
from scanner.terminal.options import parse, read_config

CANDLE = {"symbol": "BTC/USDT", "timestamp": 0, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with wrong files in it, and programs that leave our signals and log lines alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "stop_on_signals", threading.Event)
    monkeypatch.setattr(session, "set_up_logging", lambda level: None)
    for name, text in {
        "broken.json": "{",
        "list.json": "[]",
        "value.json": '{"momentum_bias": 5}',
        "key.json": '{"momentum_bais": 0.5}',
        "type.json": '{"scan_interval": "90"}',
        "broken.toml": "momentum_bias = ",
        "value.toml": "momentum_bias = 5",
        "text.parquet": "no candles",
    }.items():
        Path(name).write_text(text)
    Path("bytes.json").write_bytes(b"\xff\xfe")
    Path("empty").mkdir()
    pd.DataFrame([CANDLE]).drop(columns="open").to_parquet("columns.parquet")
    return tmp_path


WRONG = [
    ("--simulated --speed 0", "--speed"),
    ("--simulated --speed nan", "--speed"),
    ("--simulated --speed fast", "--speed"),
    ("--simulated --speed 1e9", "--speed"),
    ("--speed 2", "--speed"),
    ("--exchanges binance --speed 2", "--speed"),
    ("--exchanges replay --speed 2", "exchanges"),
    ("--simulated --exchanges binance --speed 2", "--exchanges"),
    ("--duration 0", "--duration"),
    ("--duration -1", "--duration"),
    ("--duration soon", "--duration"),
    ("--log-level LOUD", "--log-level"),
    ("--symbols ''", "--symbols"),
    ("--symbols BTC/USDT,,ETH/USDT", "--symbols"),
    ("--simulated --symbols ../../etc/passwd", "symbols[0]"),
    ("--simulated --symbols BTC/USDT,binance:ETH/USDT", "symbols[1]"),
    ("--exchanges ''", "--exchanges"),
    ("--exchanges nosuchexchange", "'nosuchexchange'"),
    ("--exchanges Bin/ance", "exchanges[0]"),
    ("--exchanges simulated,binance", "exchanges"),
    ("--exchanges replay", "exchanges"),
    ("--simulated --exchanges binance", "--exchanges"),
    ("--replay columns.parquet --exchanges simulated", "--exchanges"),
    ("--simulated --replay columns.parquet", "--replay"),
    ("--replay ''", "--replay"),
    ("--replay missing.parquet", "replay: 'missing.parquet'"),
    ("--replay empty", "replay: 'empty'"),
    ("--replay columns.parquet", "no column open"),
    ("--replay text.parquet", "replay: 'text.parquet'"),
    ("--data-dir ''", "--data-dir"),
    ("--data-dir value.json", "--data-dir"),
    ("--transport ''", "--transport"),
    ("--transport pigeon", "--transport: 'pigeon'"),
    ("--transport push --exchanges simulatedfutures", "simulatedfutures has no websocket"),
    ("--config ''", "--config"),
    ("--config missing.json", "--config: 'missing.json'"),
    ("--config empty", "--config: 'empty'"),
    ("--config bytes.json", "--config: 'bytes.json'"),
    ("--config broken.json", "--config: 'broken.json'"),
    ("--config broken.toml", "--config: 'broken.toml'"),
    ("--config list.json", "list.json"),
    ("--config value.json", "value.json.momentum_bias"),
    ("--config value.toml", "value.toml.momentum_bias"),
    ("--config type.json", "type.json.scan_interval"),
    ("--config key.json", "key.json.momentum_bais"),
]


@pytest.mark.parametrize(("line", "named"), WRONG, ids=[line for line, _ in WRONG])
def test_wrong_input_is_one_line_that_names_it(
    here: Path, capsys: pytest.CaptureFixture[str], line: str, named: str
) -> None:
    before = sorted(here.iterdir())
    arguments = [part.replace("''", "") for part in line.split()]
    assert session.main(arguments, {}) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("continuous_scanner: ")
    assert named in said.err
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("line", ["--nonsense", "more", "--speed"])
def test_what_is_no_option_is_one_line_too(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([line], Settings())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("continuous_scanner: ")


def test_a_wrong_variable_is_one_line_that_names_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert session.main([], {"SCANNER_SEED": "x"}) == 2
    assert capsys.readouterr().err.startswith("continuous_scanner: SCANNER_SEED: 'x'")


def test_options_win_over_the_environment() -> None:
    base = Settings(replay="old.parquet", speed=2, data_dir="old")
    settings = parse(["--simulated", "--speed", "60", "--data-dir", "new", "--log-level", "debug"], base).settings
    assert (settings.simulated, settings.replay, settings.speed) == (True, "", 60.0)
    assert (settings.data_dir, settings.log_level) == ("new", "debug")
    assert parse(["--replay", "new.parquet"], Settings(simulated=True)).settings.simulated is False


@pytest.mark.parametrize("exchanges", ["simulated", "simulatedfutures", "simulated,simulatedfutures"])
def test_an_embedded_exchange_may_run_fast_by_its_name_alone(exchanges: str) -> None:
    options = parse(["--exchanges", exchanges, "--speed", "60"], Settings())
    assert (options.settings.speed, options.settings.simulated) == (60.0, False)
    assert options.exchanges == exchanges.split(",")


def test_a_real_exchange_has_one_speed_whatever_the_environment_would_scan() -> None:
    for base in (Settings(simulated=True), Settings(replay="old.parquet")):
        with pytest.raises(InvalidInput, match="--speed: '60' needs"):
            parse(["--exchanges", "binance", "--speed", "60"], base)


def test_what_is_not_given_stays_as_the_environment_says() -> None:
    base = Settings(simulated=True, speed=3, data_dir="mine")
    options = parse([], base)
    assert options.settings == base
    assert (options.symbols, options.exchanges, options.duration_s) == (None, None, None)
    assert options.config == StreamConfig()


def test_the_transport_of_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"transport": "push", "scan_interval": 60}')
    given = ["--config", str(tmp_path / "config.json")]
    assert parse(given, Settings()).config.transport == "push"
    config = parse([*given, "--transport", "rest"], Settings()).config
    assert (config.transport, config.scan_interval) == ("rest", 60)


def test_lists_may_have_blanks_between_names() -> None:
    options = parse(["--symbols", "BTC/USDT, eth-usdt", "--exchanges", "binance ,kraken"], Settings())
    assert options.symbols == ["BTC/USDT", "eth-usdt"]
    assert options.exchanges == ["binance", "kraken"]


def test_a_config_file_is_json_or_toml(tmp_path: Path) -> None:
    as_json, as_toml = tmp_path / "config.json", tmp_path / "config.toml"
    as_json.write_text('{"momentum_bias": 0.5, "timeframes": {"fast": "1m"}}')
    as_toml.write_text('momentum_bias = 0.5\n[timeframes]\nfast = "1m"\n')
    assert read_config(as_json) == read_config(as_toml) == StreamConfig(momentum_bias=0.5, timeframes={"fast": "1m"})


def test_a_config_file_that_is_none_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a long path would be shortened in the message
    with pytest.raises(InvalidInput, match=r"--config: 'missing\.json' cannot be read"):
        read_config(Path("missing.json"))
