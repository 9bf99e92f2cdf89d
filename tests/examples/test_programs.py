"""The programs as people start them, and those of the page."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples import oracle, rl_agent
from tests.child import ROOT
from tests.pages import EXAMPLES, PAGES, blocks


def test_the_oracle_reports(backfilled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--data-dir",
        str(backfilled),
        "--symbols",
        "BTC/USDT, ETH/USDT",
        "--horizon",
        "3",
        "--model",
        "logistic",
    ]
    assert oracle.main(options) == 0
    out = capsys.readouterr().out
    assert "SIMULATED DATA: generated prices. No result on them proves anything about a real market." in out
    assert "of 2 markets" in out
    assert out.endswith("Too little time to tell: forecasts of 5 days are needed, better of several weeks.\n")


def test_the_agent_reports(backfilled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_agent.main(["--data-dir", str(backfilled), "--symbol", "ETH/USDT"]) == 0
    out = capsys.readouterr().out
    assert "SIMULATED DATA" in out
    assert re.search(r"^  at random +-?\d+\.\d\d \(too little time", out, re.M)
    assert out.endswith("Too little time to tell: the judged part needs 5 days.\n")


@pytest.mark.parametrize("module", [oracle, rl_agent])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing is stored for BTC/USDT; get them: python continuous_scanner.py backfill --symbols BTC/USDT"),
        (["--days", "0"], "days: "),
        (["--symbol", "../../etc"], "symbol: "),
    ],
)
def test_one_line_says_what_is_missing(
    module: Any, options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module.main(["--data-dir", str(tmp_path), *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


@pytest.mark.parametrize("module", [oracle, rl_agent])
@pytest.mark.parametrize("cost", ["-1", "nan", "inf", "free"])
def test_a_cost_that_is_none_is_refused(module: Any, cost: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        module.main(["--cost", cost])
    assert refused.value.code == 2
    assert f"argument --cost: {cost!r} is not a number of basis points from 0 to 10000" in capsys.readouterr().err


def test_too_few_rows_are_told_with_the_remedy(backfilled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for module in (oracle, rl_agent):
        assert module.main(["--data-dir", str(backfilled), "--timeframe", "1d"]) == 2
        told = capsys.readouterr().err
        assert "200 are needed; get them: python continuous_scanner.py backfill" in told
        days = {oracle: 214, rl_agent: 202}[module]  # of 1d candles: 200, those to look ahead, today, one to spare
        assert f" --days {days} --data-dir {backfilled} " in told
        assert told.endswith(f"then ask for them here too: --days {days}\n")


@pytest.mark.parametrize(("module", "library"), [("oracle", "scikit-learn"), ("rl_agent", "gymnasium")])
def test_a_missing_library_is_named(module: str, library: str) -> None:
    name = {"scikit-learn": "sklearn"}.get(library, library)
    code = f"import sys; sys.modules['{name}'] = None; import examples.{module}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    expected = "pip install -r requirements-examples.txt installs the libraries of the examples"
    assert done.stderr == f"{library} is not installed; {expected}\n"


def test_the_programs_of_the_page_run(
    backfilled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCANNER_DATA_DIR", str(backfilled))
    names: dict[str, Any] = {}
    for code in blocks(PAGES[EXAMPLES], "python"):
        found = eval(compile(code, EXAMPLES, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(found):
            asyncio.run(found)
    out = capsys.readouterr().out
    assert "Oracle: is the price higher 12 candles of 5m later?" in out
    assert len(names["scores"]) == names["rl_agent"].passes
    assert names["observation"].shape == (6,)
