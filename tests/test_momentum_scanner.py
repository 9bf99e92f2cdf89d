"""The full scan as a program, and the names that programs import."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import momentum_scanner
import scanner
from scanner.fullscan.results import ScanResults
from scanner.fullscan.settings import get_dynamic_config
from scanner.terminal import full_scan
from scanner.terminal.full_scan import EXAMPLES, main

ROOT = Path(__file__).parents[1]
NAMES = ("MomentumScanner", "TradingConfig", "get_dynamic_config", "TechnicalIndicators")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_found_in_both_places(name):
    assert getattr(scanner, name) is getattr(momentum_scanner, name)
    assert name in dir(scanner)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = scanner.Nothing


def test_importing_leaves_nothing_behind_and_wakes_no_more_than_asked(tmp_path):
    code = (
        "import sys, scanner.core.analysis; assert 'pandas' not in sys.modules;"
        "import momentum_scanner; assert not {'plotly', 'matplotlib', 'flask'} & set(sys.modules);"
        "from scanner import MomentumScanner, TradingConfig, get_dynamic_config, TechnicalIndicators"
    )
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environ, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_the_program_reports_and_writes_what_was_asked_for(tmp_path):
    ran = subprocess.run(
        [
            *(sys.executable, "momentum_scanner.py", "--exchange", "simulated", "--timeframe", "medium", "--top", "4"),
            *("--report", str(tmp_path / "out.html"), "--csv", str(tmp_path / "out.csv")),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Full scan of simulated, medium" in ran.stdout
    assert "simulated data" in ran.stdout
    assert "Plotly.newPlot" in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert len(pd.read_csv(tmp_path / "out.csv")) == 4


@pytest.mark.parametrize("exchange", ["simulated", "simulatedfutures"])
def test_some_symbols_of_either_protocol(exchange, capsys):
    assert main(["--exchange", exchange, "--symbols", "BTC/USDT,ETH/USDT,XYZ/USDT", "--quick"], {}) == 0
    said = capsys.readouterr().out
    assert "BTC/USDT" in said
    assert "XYZ/USDT not listed" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--timeframe", "fortnight"], "--timeframe: 'fortnight' is not one of scalping"),
        (["--top", "0"], "--top: 0 is not a whole number from 1 to 460"),
        (["--deadline", "nan"], "--deadline: nan is not a number of seconds above 0"),
        (["--min-volume", "-1"], "--min-volume: -1.0 is not a number from 0"),
        (["--log-level", "loud"], "SCANNER_LOG_LEVEL: 'loud' is not one of"),
        (["--exchange", "replay"], "asks for a replay"),
        (["--exchange", "binnance"], "did you mean binance"),
        (["--exchange", "nope"], "'nope' is not known"),
        (["--symbols", "BTC/USDT,B$$"], "--symbols: 'B$$' is not a symbol such as"),
        (["--symbols", " , "], "--symbols: ' , ' names no symbol"),
        (["--plot", "x.bmp"], "--plot: 'x.bmp' does not end with .png, .svg, .pdf"),
        (["--csv", "/nodir/x.csv"], "--csv: '/nodir/x.csv' cannot be written: No such file or directory"),
        (["--report", "/proc/x.html"], "--report: '/proc/x.html' cannot be written"),
        (["--report", "/"], "--report: '/' is not a file"),
    ],
)
def test_wrong_input_is_named_and_ends_with_2_before_anything_is_scanned(arguments, said, capsys, monkeypatch):
    monkeypatch.setattr(full_scan, "scan_with_candles", lambda *_: pytest.fail("was scanned"))
    assert main(arguments, {}) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--symbols", "NOPE/USDT"], "NOPE/USDT not listed"),
        (["--quote", "BRL"], "no market is quoted in BRL"),
    ],
)
def test_nothing_scanned_says_why_and_ends_with_1(arguments, said, tmp_path, capsys):
    assert main([*arguments, "--csv", str(tmp_path / "out.csv")], {}) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("momentum_scanner: nothing scanned on simulated: ")
    assert said in complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", [line.strip() for line in EXAMPLES.splitlines() if line.startswith("  python")])
def test_every_example_of_the_help_is_understood(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(full_scan, "scan", lambda given, *_: asked.append(given) or ScanResults(get_dynamic_config()))
    python, program, *arguments = shlex.split(line)
    assert (python, program) == ("python", "momentum_scanner.py")
    assert main(arguments, {}) == 1  # understood, and nothing was scanned
    assert len(asked) == 1


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"], {})
    assert "python momentum_scanner.py --exchange binance" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--exchanges", "simulated"], ["--top", "many"], ["more"]])
def test_what_is_no_option_is_one_line(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments, {})
    complaint = capsys.readouterr().err
    assert complaint.startswith("momentum_scanner: ")
    assert complaint.count("\n") == 1
