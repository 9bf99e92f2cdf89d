"""What the pages tell people to run is run: programs, Python, SQL and TypeScript, on the files of a short scan.

curl lines are run by `test_docs_api`; Python blocks of the pages that need no files by `test_docs`.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.child import ROOT, environment, running
from tests.pages import PAGES, blocks
from tests.waiting import wait_for

GUIDE = "CONTINUOUS_SCANNER_GUIDE.md"
EMBEDDED = {"binance": "simulated", "kucoinfutures": "simulatedfutures"}  # what stands in for real exchanges here
KINDS = {
    "make": r"make \w+",
    "program": r"(?:/usr/bin/time -v )?\.venv/bin/python (?:continuous_scanner|momentum_scanner)\.py.*",
    "server": r"(?:SCANNER_AUTOSTART=1 )?\.venv/bin/(?:gunicorn scanner_api:app|python scanner_api\.py)",
    "benchmark": r"\.venv/bin/python -m benchmarks\.\w+.*",
    "environment": r"python3 -m venv \.venv|\.venv/bin/pip install -r requirements\.txt",
    "proxy": r"npm (?:install|run \w+)",
    "deployment": r"(?:sudo|docker|openssl|echo) .*",  # what they set up is started by `test_deployment`
}


def commands() -> dict[str, str]:
    """Every shell line that is no curl line, without its comment, and the page it stands on."""
    return {
        line.partition(" #")[0].strip(): name
        for name, text in PAGES.items()
        for line in "".join(blocks(text, "sh")).splitlines()
        if line.strip() and not line.startswith(("curl ", "#"))
    }


def each(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("line", [line for line in commands() if re.fullmatch(KINDS[kind], line)])


def words_of(line: str) -> list[str]:
    """The words of a command, its Python being ours; variables and `time` in front are left out."""
    words = shlex.split(line)
    return [sys.executable, *words[next(i for i, word in enumerate(words) if word.startswith(".venv")) + 1 :]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the `training_data` of three hours, and `candles.parquet`, a recording."""
    folder = tmp_path_factory.mktemp("kept")
    options = ["--simulated", "--speed", "1800", "--duration", "6", "--symbols", "BTC/USDT,ETH/USDT"]
    with running([sys.executable, str(ROOT / "continuous_scanner.py"), *options], folder) as child:
        assert child.wait() == 0, child.err
    candles = pd.read_parquet(folder / "training_data" / "ohlcv" / "simulated_BTCUSDT_5m.parquet")
    candles.tail(200).assign(symbol="BTC/USDT").to_parquet(folder / "candles.parquet")
    return folder


# --- shell -----------------------------------------------------------------------------------------------------------


def test_no_command_is_left_out() -> None:
    for line, page in commands().items():
        assert [kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, line)], f"{page}: {line}"
        assert page == "DEPLOYMENT.md" or not re.fullmatch(KINDS["deployment"], line), f"{page}: {line}"


@each("make")
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_knows_what_to_do(line: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*shlex.split(line), "-n"], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@each("program")
def test_programs_run_to_their_end(line: str, kept: Path, tmp_path: Path) -> None:
    shutil.copy(kept / "candles.parquet", tmp_path)
    python, program, *options = words_of(line)
    options = [",".join(EMBEDDED.get(word, word) for word in option.split(",")) for option in options]
    if program == "continuous_scanner.py":
        options += [] if {"--simulated", "--replay", "--exchanges"} & {*options} else ["--simulated"]
        options += ["--duration", "1"]
    with running([python, str(ROOT / program), *options], tmp_path) as child:
        assert child.wait(60) == 0, child.err
        assert child.out
        assert "Traceback" not in child.err
    assert "--report" not in options or "<html" in (tmp_path / options[options.index("--report") + 1]).read_text()


@each("server")
def test_servers_listen_and_end(line: str, tmp_path: Path) -> None:
    variables = {"SCANNER_SIMULATED": "1", "SCANNER_DATA_DIR": str(tmp_path / "data"), "SCANNER_PORT": "0"}
    python, *words = words_of(line)
    command = [python, "-m", "gunicorn", words[0]] if "gunicorn" in line else [python, *words]
    with running(command, tmp_path, ROOT, **variables) as child:
        child.wait_until_said(r"(?i)listening (?:on|at):? http://127\.0\.0\.1:\d+")
        child.wait_until_said("try:|try$|curl")
        assert child.stop()[0] == 0


@each("benchmark")
def test_benchmarks_run(line: str, tmp_path: Path) -> None:
    with running([*words_of(line), "--seconds", "1"], tmp_path, ROOT) as child:
        assert child.wait(60) == 0, child.err
        assert re.search(r"weight \d+ of 6000\n +\d+ requests of /api/v3/klines", child.out)
        assert re.search(r"CPU \d+\.\d % .*\nmemory \d+ MB at most\nnewest signal cycle \d+ ms\n", child.out)


@each("environment")
def test_environments_are_made_without_make(line: str, tmp_path: Path) -> None:
    if "venv" in shlex.split(line):
        command = [sys.executable, *shlex.split(line)[1:-1], "--without-pip", str(tmp_path / ".venv")]
    else:  # everything is here already, so that no index has to be asked
        command = [sys.executable, "-m", "pip", *shlex.split(line)[1:], "--dry-run", "--no-index"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


needs_node_modules = pytest.mark.skipif(
    not (ROOT / "node_modules" / ".bin" / "tsc").exists(), reason="no node_modules: npm install has not been run"
)


@each("proxy")
@needs_node_modules
def test_npm_commands_work(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    if words[1] == "install":
        done = subprocess.run(["npm", "ls"], cwd=ROOT, env=environment(tmp_path), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    with running(words, tmp_path, ROOT, PORT="0") as child:
        child.wait_until_said(r"proxy: listening on http://127\.0\.0\.1:\d+")


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


def test_every_page_with_python_is_run_somewhere() -> None:
    elsewhere = {"ARCHITECTURE.md", "CONFIGURATION.md", "FORMULAS.md"}  # test_docs
    assert {name for name, text in PAGES.items() if blocks(text, "python")} == {*elsewhere, GUIDE, "README.md"}


def test_the_joined_frame_holds_every_final_signal_that_is_old_enough(world: dict[str, Any]) -> None:
    signals, frame = world["signals"], world["frame"]
    newest = pd.read_parquet("training_data/ohlcv/simulated_BTCUSDT_5m.parquet")["timestamp"].max()
    old_enough = signals["timestamp"].dt.ceil("5min") + pd.Timedelta(minutes=55) <= newest
    assert len(frame) == old_enough.sum() > 10
    assert frame["candle_closed"].all()
    assert not frame.duplicated(["market", "candle_time"]).any()


def test_the_joined_frame_does_not_look_ahead(world: dict[str, Any]) -> None:
    frame = world["frame"]
    assert (frame["opened"] >= frame["timestamp"]).all()
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
    signals = world["signals"].query("market == 'simulated_BTCUSDT'").sort_values("timestamp")
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
    (code,) = blocks(PAGES["README.md"], "python")
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


# --- SQL -------------------------------------------------------------------------------------------------------------


def test_sql_blocks_answer_as_pandas_does(world: dict[str, Any]) -> None:
    answers: list[list[tuple[Any, ...]]] = []
    with duckdb.connect() as connection:
        for block in blocks(PAGES[GUIDE], "sql"):
            for statement in connection.extract_statements(block):
                connection.execute(statement)
                answers.append(connection.fetchall())
        assert connection.sql("SELECT count(*) FROM signals").fetchall()[0][0] > len(world["signals"])  # live ones too
    by_day, returns = answers[-2:]
    assert {row[0] for row in by_day} == {"simulated_BTCUSDT", "simulated_ETHUSDT"}
    groups = world["frame"].groupby("signal_type")["forward_return"]
    assert {(kind, count) for kind, count, _ in returns} == {*groups.count().items()}
    for kind, _, mean in returns:
        np.testing.assert_allclose(mean, groups.mean()[kind])


# --- TypeScript ------------------------------------------------------------------------------------------------------


@needs_node_modules
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
