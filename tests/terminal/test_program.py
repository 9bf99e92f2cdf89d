"""``python continuous_scanner.py`` as people start it, on the simulated exchange."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scanner.records import SIGNAL_TYPES
from tests.child import SCANNER, on_terminal, running
from tests.waiting import AT_ONCE_S, wait_for

FAST = (*SCANNER, "--simulated", "--speed", "60", "--symbols", "BTC/USDT,ETH/USDT,NADA/USDT")


def test_a_duration_ends_it_with_a_summary(tmp_path: Path) -> None:
    with running([*FAST, "--duration", "1"], tmp_path) as child:
        assert child.wait() == 0
        assert child.out.startswith("Summary (simulated or replayed data)\n")


def test_at_its_end_there_are_a_summary_and_readable_files(tmp_path: Path) -> None:
    with running([*FAST, "--data-dir", "mine"], tmp_path) as child:
        for coin in ("BTC", "ETH"):
            child.wait_until_said(rf"simulated:{coin}/USDT \d+[mhd] [A-Z_]+ score \d")
        wait_for(lambda: finals(tmp_path / "mine" / "signals"), what="a candle that has closed")
        assert child.stop(signal.SIGTERM)[0] == 0
        summary = child.out
    files = [*(tmp_path / "mine" / "signals").iterdir()]
    assert summary.startswith("Summary (simulated or replayed data)\n  final signals, one per closed candle: ")
    assert any(f"      5m  {name} " in summary or f", {name} " in summary for name in SIGNAL_TYPES)
    for part in ("live signals kept", "candles closed", "cluster findings kept", "freshness: "):
        assert f"\n  {part}" in summary
    assert "\n  exchange simulated: live, 2 markets, last data " in summary
    for stream in ("prices", "signals", "market_state", "full_scan"):
        assert f"\n  stream {stream}: " in summary
    assert "\n  skipped simulated:NADA/USDT: " in summary
    assert f"\n  files in mine/signals: {len(files)}, " in summary
    assert {path.name[:-16] for path in files} == {"simulated_BTCUSDT", "simulated_ETHUSDT"}
    assert all(json.loads(path.read_text()) for path in files)
    assert len(pd.read_parquet(tmp_path / "mine" / "ohlcv" / "simulated_BTCUSDT_1h.parquet")) >= 500
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def finals(folder: Path) -> list[Any]:
    """Final 5m signals on disk."""
    records = [record for path in folder.glob("*.json") for record in json.loads(path.read_text())]
    return [record for record in records if record["candle_closed"] and record["timeframe"] == "5m"]


def test_a_universe_is_scanned_in_place_of_a_list(tmp_path: Path) -> None:
    command = [*SCANNER, "--simulated", "--speed", "60", "--universe", "quote=USDT,top=1,include=MATIC/USDT"]
    with running(command, tmp_path) as child:
        child.wait_until_said(r"simulated:(BTC|POL)/USDT \d+[mhd] [A-Z_]+ score \d")
        assert child.stop(signal.SIGTERM)[0] == 0
        summary = child.out
    assert "\n  exchange simulated: live, 2 markets, last data " in summary
    assert re.search(r"\n  universe on simulated: 2 of \d+ markets, chosen at 20", summary)
    assert "\n  renamed simulated:MATIC/USDT: POL/USDT, its name since 2024-09" in summary
    (snapshots,) = (tmp_path / "training_data" / "universe").iterdir()
    chosen = json.loads(snapshots.read_text())[0]["markets"]
    assert [market["symbol"] for market in chosen] == ["BTC/USDT", "POL/USDT"]


def test_where_nothing_can_be_scanned_it_says_why_and_ends(tmp_path: Path) -> None:
    with running([*SCANNER, "--simulated", "--universe", "quote=NADA"], tmp_path) as child:
        assert child.wait() == 2
        assert "nothing can be scanned: simulated: the universe matches none of its" in child.err
        assert "another quote" in child.err


def test_without_a_terminal_it_writes_plain_lines_and_sigterm_ends_it(tmp_path: Path) -> None:
    with running(FAST, tmp_path) as child:
        child.wait_until_said(r"simulated:(BTC|ETH)/USDT \d+[mhd] [A-Z_]+ score \d")
        status, took_s = child.stop(signal.SIGTERM)
        assert (status, took_s < AT_ONCE_S) == (0, True)
        assert child.out.startswith("Summary")
        assert all((line[:2] == "20" and "Z INFO" in line) or "Z WARNING" in line for line in child.err.splitlines())
        assert "\x1b" not in child.out + child.err


def test_on_a_terminal_it_shows_a_live_table_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with on_terminal(FAST, tmp_path) as child:
        child.wait_until_said(r"SIMULATED DATA +20\d\d-")
        child.wait_until_said(r"TOP SIGNALS[^\n]*\nsimulated:(BTC|ETH)/USDT +\d+[mhd] +[A-Z_]+ +\d")
        child.wait_until_said(r"breadth \d\.\d\d \((neutral|bullish|bearish), \d+ up, \d+ down\)  volatility")
        child.wait_until_said(
            r"STREAMS[^\n]*\nprices +\d\d:\d\d:\d\d +\d[^\n]*\nsignals[^\n]*\nmarket_state[^\n]*\nfull_scan"
        )
        child.wait_until_said(r"EXCHANGES[^\n]*\nsimulated +live +2 +20")
        status, took_s = child.press_ctrl_c()
        assert (status, took_s < AT_ONCE_S) == (0, True)
        assert "Summary (simulated or replayed data)\n" in child.out
        assert "Traceback" not in child.out


def test_sigint_at_once_is_a_clean_end_too(tmp_path: Path) -> None:
    with running(FAST, tmp_path) as child:
        child.wait_until_said("scanning 3 symbols")
        assert child.stop(signal.SIGINT)[0] == 0
        assert "Traceback" not in child.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--speed", "2"], "--speed: "), (["--simulated", "--symbols", "../../etc/passwd"], "symbols[0]: ")],
)
def test_wrong_input_ends_it_with_status_2_one_line_and_nothing_created(
    tmp_path: Path, arguments: list[str], named: str
) -> None:
    with running([*SCANNER, *arguments], tmp_path) as child:
        assert child.wait() == 2
        assert child.err.startswith(f"continuous_scanner: {named}")
        assert (child.err.count("\n"), child.out) == (1, "")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_in_use_is_refused_with_the_owner(tmp_path: Path) -> None:
    with running(FAST, tmp_path) as first:
        first.wait_until_said("scanning 3 symbols")
        with running(FAST, tmp_path) as second:
            assert second.wait() == 2
            assert "training_data: the data folder is in use by process " in second.err
