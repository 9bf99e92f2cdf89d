"""The guide's Python and SQL are run, and README's program, on the files of a short scan; TypeScript is compiled.

`server/test/guide.test.ts` runs the TypeScript. `test_examples` tells who runs the other blocks of the pages.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import duckdb
import numpy as np
import pandas as pd
import pytest

from scanner.clock import ScaledClock
from scanner.simulated import SimulatedExchange, binance_urls, generated
from tests.child import ROOT, running
from tests.pages import PAGES, blocks
from tests.waiting import wait_for

GUIDE = "CONTINUOUS_SCANNER_GUIDE.md"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the `training_data` of three hours."""
    folder = tmp_path_factory.mktemp("kept")
    options = ["--simulated", "--speed", "1800", "--symbols", "BTC/USDT,ETH/USDT"]

    def finals(coin: str) -> int:
        paths = folder.glob(f"training_data/signals/simulated_{coin}USDT_*")
        records = [record for path in paths for record in json.loads(path.read_text())]
        return sum(record["candle_closed"] and record["timeframe"] == "5m" for record in records)

    with running([sys.executable, str(ROOT / "continuous_scanner.py"), *options], folder) as child:
        wait_for(lambda: min(finals("BTC"), finals("ETH")) >= 36, what="the signals of three hours")
        assert child.stop()[0] == 0, child.err
    return folder


# --- Python ----------------------------------------------------------------------------------------------------------


async def run_block(code: str, world: dict[str, Any]) -> None:
    found = eval(compile(code, "<page>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), world)
    if inspect.isawaitable(found):
        await found


@pytest.fixture(scope="module")
def world(kept: Path) -> Iterator[dict[str, Any]]:
    """What the guide's Python blocks have left behind; what they print is compared."""
    names: dict[str, Any] = {}
    found = re.findall(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", PAGES[GUIDE], re.MULTILINE | re.DOTALL)
    assert sum(bool(expected) for _, expected in found) >= 3
    with contextlib.chdir(kept):
        for code, expected in found:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                asyncio.run(run_block(code, names))
            assert printed.getvalue() == expected or not expected
        yield names


def test_the_joined_frame_holds_every_final_signal_that_is_old_enough(world: dict[str, Any]) -> None:
    signals, frame = world["signals"], world["frame"]
    newest = pd.read_parquet("training_data/ohlcv/simulated_BTCUSDT_5m.parquet")["timestamp"].max()
    old_enough = signals["usable_at"].dt.ceil("5min") + pd.Timedelta(minutes=55) <= newest
    assert len(frame) == old_enough.sum() > 10
    assert frame["candle_closed"].all()
    assert not frame.duplicated(["market", "candle_time"]).any()


def test_the_joined_frame_does_not_look_ahead(world: dict[str, Any]) -> None:
    frame = world["frame"]
    assert (frame["opened"] >= frame["usable_at"]).all()
    candles = {
        market: pd.read_parquet(f"training_data/ohlcv/{market}_5m.parquet").set_index("timestamp")
        for market in frame["market"].unique()
    }
    for row in frame.itertuples():
        own = candles[row.market]
        expected = own.loc[row.opened + pd.Timedelta(minutes=55), "close"] / own.loc[row.opened, "open"] - 1
        assert row.forward_return == pytest.approx(expected)


def test_signals_of_cut_candles_have_the_same_returns_or_none(world: dict[str, Any]) -> None:
    candles = pd.read_parquet("training_data/ohlcv/simulated_BTCUSDT_5m.parquet")
    signals = world["signals"].query("market == 'simulated_BTCUSDT'").sort_values("usable_at")
    join = world["with_forward_return"]
    whole, cut = (join(signals, part).set_index("candle_time") for part in (candles, candles.iloc[:-6]))
    assert 0 < len(cut) < len(whole)
    pd.testing.assert_series_equal(cut["forward_return"], whole.loc[cut.index, "forward_return"])


def test_steps_of_an_episode_earn_what_comes_after_them(world: dict[str, Any]) -> None:
    steps, rows = world["steps"], world["dataset"]["ohlcv"]["5m"]
    assert len(steps) > 10
    assert all(len(state) == 8 and all(0 <= number <= 1 for number in state) for state, _ in steps)
    finals = [s for s in world["dataset"]["signals"] if s["candle_closed"] and s["timeframe"] == "5m"]
    for signal, (_, reward) in zip(finals, steps, strict=False):
        after = [row["open"] for row in rows if pd.Timestamp(row["timestamp"]) >= pd.Timestamp(signal["timestamp"])]
        assert reward == pytest.approx(after[1] / after[0] - 1)


def test_the_program_of_the_readme_scans_and_reads_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _ = blocks(PAGES["README.md"], "python")
    names: dict[str, Any] = {}

    def kept_something() -> bool:
        return any((tmp_path / "training_data" / "signals").glob("simulated_BTCUSDT_*"))

    async def stop_when_kept() -> None:
        await asyncio.to_thread(wait_for, kept_something)
        await names["scanner"].stop()

    async def both() -> None:
        await asyncio.gather(run_block(code.replace('"binance"', '"simulated"'), names), stop_when_kept())

    asyncio.run(both())
    assert names["dataset"]["signals"]
    assert names["dataset"]["ohlcv"]["5m"]


def test_the_full_scan_of_the_readme_ranks_an_exchange(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, code = blocks(PAGES["README.md"], "python")
    names: dict[str, Any] = {}
    clock = ScaledClock(1_760_000_400_000, speed=1)
    with SimulatedExchange(generated(7), clock) as exchange:

        class Pointed(ccxt.binance):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__({"options": {"fetchMarkets": {"types": ["spot"]}}, "aiohttp_trust_env": False})
                self.has["fetchCurrencies"] = False
                self.urls["api"] = binance_urls(exchange.url)
                self.timeout_on_exit = 0

        monkeypatch.setattr(ccxt, "binance", Pointed)
        asyncio.run(run_block(code.replace("250_000", "1000"), names))
    assert len(names["best"]) == 10
    printed = capsys.readouterr().out
    assert all(symbol in printed for symbol in names["best"]["symbol"])


def test_the_page_of_the_data_folder_shows_how_to_read_it(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "training_data" / "README.md").read_text(encoding="utf-8").replace("binance_", "simulated_")
    (day, *_) = sorted(path.stem[-10:] for path in (kept / "training_data" / "signals").glob("simulated_BTCUSDT_*"))
    monkeypatch.chdir(kept)
    names: dict[str, Any] = {}
    for block in blocks(text, "python"):
        asyncio.run(run_block(block.replace("2025-10-24", day), names))
    assert names["signals"]
    assert list(names["candles"]) == ["timestamp", "open", "high", "low", "close", "volume"]
    assert names["data"]["signals"]
    assert names["data"]["ohlcv"]["5m"]


# --- SQL -------------------------------------------------------------------------------------------------------------


def test_sql_blocks_answer_as_pandas_does(world: dict[str, Any]) -> None:
    assert [name for name, text in PAGES.items() if blocks(text, "sql")] == [GUIDE]
    with duckdb.connect() as connection:
        by_day, returns = sql_answers(connection)
        assert connection.sql("SELECT count(*) FROM signals").fetchall()[0][0] > len(world["signals"])  # live ones too
    assert {row[0] for row in by_day} == {"simulated_BTCUSDT", "simulated_ETHUSDT"}
    check_returns(returns, world["frame"])


def test_the_questions_are_answered_on_a_backfilled_history_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal acts when a scan would have made it, and candles of sealed parts are found."""
    command = [sys.executable, str(ROOT / "continuous_scanner.py"), "backfill", "--simulated", "--timeframes", "5m"]
    with running([*command, "--symbols", "BTC/USDT", "--days", "2"], tmp_path) as child:
        assert child.wait() == 0, child.err
    whole = tmp_path / "training_data" / "ohlcv" / "simulated_BTCUSDT_5m.parquet"
    candles = pd.read_parquet(whole)
    candles[:900].to_parquet(whole.with_name("simulated_BTCUSDT_5m-2020-01.parquet"))
    candles[900:].to_parquet(whole)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    (code,) = [block for block in blocks(PAGES[GUIDE], "python") if "def with_forward_return" in block]
    asyncio.run(run_block(code, names))
    frame, opened = names["frame"], pd.to_datetime(names["frame"]["candle_time"], format="ISO8601")
    assert len(frame) == len(names["signals"]) - 13 > 500  # the newest have no 12 candles after their entry yet
    assert (frame["opened"] - opened == pd.Timedelta(minutes=10)).all()
    with duckdb.connect() as connection:
        check_returns(sql_answers(connection)[1], frame)


def sql_answers(connection: duckdb.DuckDBPyConnection) -> list[list[tuple[Any, ...]]]:
    """What the two questions of the guide's SQL are answered."""
    answers: list[list[tuple[Any, ...]]] = []
    for block in blocks(PAGES[GUIDE], "sql"):
        for statement in connection.extract_statements(block):
            connection.execute(statement)
            answers.append(connection.fetchall())
    return answers[-2:]


def check_returns(answered: list[tuple[Any, ...]], frame: pd.DataFrame) -> None:
    groups = frame.groupby("signal_type")["forward_return"]
    assert {(kind, count) for kind, count, _ in answered} == {*groups.count().items()}
    for kind, _, mean in answered:
        np.testing.assert_allclose(mean, groups.mean()[kind])


# --- TypeScript ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / "node_modules" / ".bin" / "tsc").exists(), reason="npm install has not been run")
def test_typescript_blocks_pass_the_compiler(tmp_path: Path) -> None:
    for linked in ("server", "node_modules"):
        (tmp_path / linked).symlink_to(ROOT / linked)
    settings = {
        "extends": "./server/test/page/tsconfig.json",
        "compilerOptions": {"types": ["node"], "noEmit": True, "allowImportingTsExtensions": True},
        "include": ["*.ts", "*.tsx"],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    written = [*written_out(tmp_path, "ts"), *written_out(tmp_path, "tsx")]
    assert written
    done = subprocess.run(
        [ROOT / "node_modules" / ".bin" / "tsc", "-p", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def written_out(folder: Path, language: str) -> Sequence[Path]:
    """The blocks of all pages in that language, a file each."""
    found = [block for text in PAGES.values() for block in blocks(text, language)]
    paths = [folder / f"block{number}.{language}" for number, _ in enumerate(found)]
    for path, block in zip(paths, found, strict=True):
        path.write_text(block)
    return paths
