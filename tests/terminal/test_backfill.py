"""``python continuous_scanner.py backfill`` as people start it, also when it is killed in the middle."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scanner import dataset
from scanner.errors import InvalidInput
from scanner.markets import Market
from scanner.settings import Settings
from scanner.store.store import TrainingStore
from scanner.terminal.backfill import EXAMPLES, main, parse, parser
from scanner.timeframes import LENGTH_MS
from tests.child import SCANNER, on_terminal, running
from tests.waiting import AT_ONCE_S, wait_for

BACKFILL = (*SCANNER, "backfill", "--simulated", "--symbols")
ONE = (*BACKFILL, "BTC/USDT,NADA/USDT", "--days", "2")
THREE = (*BACKFILL, "BTC/USDT,ETH/USDT,ADA/USDT")
MANY, LONG = (*THREE, "--days", "4"), (*THREE, "--days", "1000")  # the second lasts until it is told to end
ONLY_NEW = r"  candles fetched: (none|5m \d+(, (1h|4h|1d) [1-6])*); in \d requests"  # those that have closed since

Records = dict[tuple[str, ...], dict[str, Any]]


def signals(folder: Path) -> Records:
    """What is on disk, each once."""
    paths = [path for path in (folder / "signals").glob("*.json") if path.is_file()]
    found = [record for path in paths for record in json.loads(path.read_text())]
    keyed = {
        (record["exchange"], record["symbol"], record["timeframe"], record["candle_time"]): record for record in found
    }
    assert len(keyed) == len(found)
    return keyed


def test_it_ends_with_a_summary_and_neither_it_nor_a_scan_fetches_it_again(tmp_path: Path) -> None:
    both = [*ONE, "--exchanges", "simulated,simulatedfutures"]  # the second gives 200 candles a call at most
    with running(both, tmp_path, SCANNER_KEEP_DAYS="1") as child:
        assert child.wait() == 0, child.err
        first = child.out
    assert "a scan will remove the older files: SCANNER_KEEP_DAYS has the newest 1 days kept" in first
    assert re.search(r"^candles: 0 of \d+ candles, 0 %$", first, re.M)
    assert "\nBackfill (simulated data): 2 days and today so far, in " in first
    assert re.search(r"  candles fetched: 5m \d+, 1h \d+, 4h \d+, 1d \d+; in \d+ requests", first)
    used, allowed = re.search(r"  request weight on simulated: at most (\d+) in 60 s, (\d+) allowed", first).groups()  # type: ignore[union-attr]
    assert 0 < int(used) <= int(allowed) <= 3150  # three quarters of the share of a scan
    assert "  skipped simulated:NADA/USDT: not listed" in first
    data = tmp_path / "training_data"
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["training_data"]
    store = TrainingStore(data)
    for timeframe in ("5m", "1h", "4h", "1d"):
        spot, swap = (store.candles(Market(name, "BTC/USDT"), timeframe) for name in ("simulated", "simulatedfutures"))
        assert spot.open_time.tolist() == swap.open_time.tolist()
    records = signals(data)
    assert {record["timeframe"] for record in records.values()} == {"5m", "1h", "4h", "1d"}
    assert all(record["backfilled"] and record["simulated"] and record["candle_closed"] for record in records.values())
    assert all(record["candle_time"] < record["as_of"] < record["timestamp"] for record in records.values())
    assert_all_is_joined(data, sorted({key[-1] for key in records if "5m" in key}))
    with running(both, tmp_path) as child:
        assert child.wait() == 0
        assert re.search(ONLY_NEW, child.out), child.out
    assert records.items() <= signals(data).items()
    with running([*SCANNER, "--simulated", "--symbols", "BTC/USDT"], tmp_path) as child:
        child.wait_until_said("simulated: 1 of 1 markets go on from disk")
        assert child.stop(signal.SIGTERM)[0] == 0


def assert_all_is_joined(data: Path, opened: list[str]) -> None:
    """Every row, from the first on, has what all longer timeframes said."""
    frame = dataset("simulated:BTC/USDT", days=5, base_path=data)
    for timeframe, longer in {"5m": ("1h", "4h", "1d"), "1h": ("4h", "1d"), "4h": ("1d",)}.items():
        rows = frame[frame["timeframe"] == timeframe]
        for other in longer:
            assert rows[f"rsi_{other}"].notna().all(), (timeframe, other)
            assert rows[f"age_s_{other}"].between(15, LENGTH_MS[other] / 1000 + 15).all()
    first, last = pd.Timestamp(opened[0]), pd.Timestamp(opened[-1])
    began = first + pd.Timedelta(minutes=5)
    assert began == began.floor("D")  # the first candle closes as the first day begins
    assert pd.Timedelta(days=2, minutes=-10) <= last - began < pd.Timedelta(days=3)
    assert (frame["candle_time"] >= first - pd.Timedelta(days=1)).all()


def test_what_was_interrupted_and_killed_goes_on_and_ends_as_what_was_not(tmp_path: Path) -> None:
    data = tmp_path / "training_data"
    for folder, files, number in (
        ("ohlcv", 1, signal.SIGTERM),
        ("ohlcv", 4, signal.SIGKILL),
        ("signals", 3, signal.SIGKILL),
    ):
        with running(MANY, tmp_path) as child:
            wait_for(lambda: len(list((data / folder).glob("simulated_*"))) >= files, what="some files")  # noqa: B023
            child.stop(number)
            assert "Traceback" not in child.err
    before = signals(data)
    for path in (data / "ohlcv").glob("*.parquet"):
        pd.read_parquet(path)
    with running(MANY, tmp_path) as child:
        assert child.wait() == 0, child.err
        assert re.search(r"  candles there before: 5m [1-9]\d+", child.out)
    with running([*MANY, "--data-dir", "whole"], tmp_path) as child:
        assert child.wait() == 0, child.err
    after, whole = signals(data), signals(tmp_path / "whole")
    assert before.items() <= after.items()
    for key in after.keys() & whole.keys():
        assert {**after[key], "timestamp": ""} == {**whole[key], "timestamp": ""}
    assert len(after.keys() ^ whole.keys()) <= 4 * 3  # candles that closed in between
    assert all(TrainingStore(data).holes(market, "5m") == [] for market in TrainingStore(data).markets())


def test_what_is_interrupted_ends_at_once_and_says_that_it_can_go_on(tmp_path: Path) -> None:
    with running(LONG, tmp_path) as child:
        child.wait_until_said(r"candles: 0 of \d+")
        status, took_s = child.stop(signal.SIGTERM)
        assert (status, took_s < AT_ONCE_S) == (130, True), child.err
        assert "interrupted; the same command goes on from here" in child.out
        assert "Traceback" not in child.err
    assert not [path for path in tmp_path.rglob(".*") if path.suffix in {".twin", ".tmp"}]


def test_a_recording_is_history_too(tmp_path: Path) -> None:
    close = 100 * np.cumprod(1 + np.random.default_rng(3).normal(0, 0.002, 500))
    end_ms, opened = 1_750_118_400_000, np.append(100, close[:-1])
    candles = {"symbol": "BTC/USDT", "timestamp": end_ms - 300_000 * np.arange(500, 0, -1), "volume": 10.0}
    prices = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close}
    pd.DataFrame(candles | prices).to_parquet(tmp_path / "candles.parquet")
    with running(
        [*SCANNER, "backfill", "--replay", "candles.parquet", "--symbols", "all", "--days", "1"], tmp_path
    ) as child:
        assert child.wait() == 0, child.err
        assert "  candles fetched: 5m 500, 1h 41" in child.out
    found = [key for key in signals(tmp_path / "training_data") if "5m" in key]
    assert len(found) == 289  # of the last day, and what closed as it began
    assert max(key[-1] for key in found) == "2025-06-16T23:55:00+00:00"


def test_on_a_terminal_it_shows_bars_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with on_terminal(LONG, tmp_path) as child:
        child.wait_until_said(r"candles +\d+ % \S+ +\d+ of [1-9]\d+ +\d:\d\d:\d\d \S+ left")
        status, took_s = child.press_ctrl_c()
        assert (status, took_s < AT_ONCE_S) == (130, True)
        assert "Backfill (simulated data): interrupted" in child.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--days 0", "--days: '0' is not a whole number from 1 to 3650"),
        ("--days=-1", "--days: '-1'"),
        ("--days 4000", "--days: '4000'"),
        ("--days abc", "--days: 'abc'"),
        ("--days 1.5", "--days: '1.5'"),
        ("--days ''", "--days: '' is empty"),
        ("--timeframes 7m", "--timeframes: '7m' names 7m, which is not configured; there are 5m, 1h, 4h, 1d"),
        ("--exchanges binance", "--exchanges: 'binance' contradicts --simulated"),
        ("--universe top=2 --symbols BTC/USDT", "--universe"),
        ("--replay candles.parquet", "--replay: 'candles.parquet' and --simulated exclude each other"),
    ],
)
def test_wrong_options_are_refused_by_name(arguments: str, named: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(["--simulated", *shlex.split(arguments)], Settings())
    assert named in str(refused.value)


def test_wrong_input_ends_it_with_status_2_one_line_and_nothing_created(tmp_path: Path) -> None:
    with running([*BACKFILL, "../../etc/passwd"], tmp_path) as child:
        assert child.wait() == 2
        assert child.err.startswith("continuous_scanner backfill: symbols[0]: ")
        assert (child.err.count("\n"), child.out) == (1, "")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--exchanges nosuch", "exchange: 'nosuch' is not known"),
        ("--exchanges replay", "names a recording"),
        ("--simulated --symbols ETH", "symbols[0]"),
    ],
)
def test_what_cannot_be_backfilled_is_refused(
    arguments: str, named: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.terminal.backfill.stop_on_signals", threading.Event)
    monkeypatch.setattr("scanner.terminal.backfill.set_up_logging", lambda level: None)
    assert main(arguments.split(), {}) == 2
    assert named in capsys.readouterr().err


def test_a_folder_that_is_being_scanned_into_is_refused_with_the_owner(tmp_path: Path) -> None:
    with running([*SCANNER, "--simulated", "--symbols", "BTC/USDT"], tmp_path) as scan:
        scan.wait_until_said("scanning 1 symbol")
        with running(ONE, tmp_path) as child:
            assert child.wait() == 2
            assert "the data folder is in use by process " in child.err
            assert "stop that scanner or choose another folder" in child.err


@pytest.mark.parametrize(
    ("made", "given", "named"),
    [
        ("data", "data", "--data-dir: 'data' is a file, not a folder"),
        ("data", "data/x/y", "--data-dir: 'data/x/y' would lie in 'data', which is no folder"),
        ("data/ohlcv", "data", "data/ohlcv: cannot be written to: Not a directory"),
    ],
)
def test_a_folder_that_cannot_be_is_refused_before_anything_is_fetched(
    made: str, given: str, named: str, tmp_path: Path
) -> None:
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).write_text("not ours")
    with running([*ONE, "--data-dir", given], tmp_path) as child:
        assert child.wait() == 2
        assert child.out == ""
        assert child.err.endswith(f"continuous_scanner backfill: {named}\n")
    assert (tmp_path / made).read_text() == "not ours"


@pytest.mark.parametrize(("code", "why"), [(errno.EACCES, "Permission denied"), (errno.EROFS, "Read-only file system")])
def test_a_folder_that_takes_no_files_is_refused_before_anything_is_fetched(
    code: int, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.terminal.backfill.stop_on_signals", threading.Event)
    monkeypatch.setattr("scanner.terminal.backfill.set_up_logging", lambda level: None)
    data, opened = tmp_path / "data", os.open

    def refuse(path: str, flags: int, *rest: int, **options: int) -> int:
        if str(data / "clustering") in str(path) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(code, os.strerror(code), path)
        return opened(path, flags, *rest, **options)

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", refuse)
        assert main(["--simulated", "--symbols", "BTC/USDT", "--days", "1", "--data-dir", str(data)], {}) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        f"continuous_scanner backfill: {data}/clustering: cannot be written to: {why}\n",
    )
    assert signals(data) == {}
    with TrainingStore(data) as store:  # it has been given back
        store.flush()


def test_where_no_symbol_is_listed_it_says_so(tmp_path: Path) -> None:
    with running([*BACKFILL, "NADA/USDT"], tmp_path) as child:
        assert child.wait() == 1
        assert "  skipped simulated:NADA/USDT: not listed" in child.out
        assert "  missing simulated: " in child.out


def test_styles_and_timeframes_choose_among_those_configured() -> None:
    chosen = parse(["--timeframes", "scalp,1h"], Settings()).config.styles
    assert chosen == {"scalp": "5m", "swing": "1h"}


def test_every_option_has_a_meaning_and_every_example_is_understood() -> None:
    actions = [action for group in parser()._action_groups for action in group._group_actions]
    assert all(action.help for action in actions)
    for line in (line.strip() for line in EXAMPLES.splitlines() if line.startswith("  python")):
        python, program, command, *arguments = shlex.split(line)
        assert (python, program, command) == ("python", "continuous_scanner.py", "backfill")
        assert parse(arguments, Settings()).days in (30, 90)
    assert max(map(len, parser().format_help().splitlines())) <= 120
