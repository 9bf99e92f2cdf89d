"""Every command that the pages tell people to type is run, in a form that leaves this machine as it was.

curl lines are run by `test_docs_api`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.child import ROOT, environment, running
from tests.pages import PAGES, blocks, section

EMBEDDED = {"binance": "simulated", "kucoinfutures": "simulatedfutures"}  # what stands in for real exchanges here
KINDS = {
    "make": r"make \w+",
    "program": r"(?:/usr/bin/time -v )?\.venv/bin/python (?:continuous_scanner|momentum_scanner)\.py.*",
    "server": r"(?:SCANNER_AUTOSTART=1 )?\.venv/bin/(?:gunicorn scanner_api:app|python scanner_api\.py)",
    "benchmark": r"\.venv/bin/python -m benchmarks\.\w+.*",
    "example": r"\.venv/bin/python -m examples\.\w+.*",
    "environment": r"python3 -m venv \.venv|\.venv/bin/pip install -r requirements(?:-examples)?\.txt",
    "proxy": r"npm (?:install|run \w+)",
    "secret": r"openssl rand .*|echo .*openssl rand .* >> \.env",
    "service": r"sudo .*",
}
NOT_RUN = {
    "docker compose up --build": "pulls images; `test_deployment` starts what the images hold, from their files",
}
RUN_KINDS: set[str] = set()


def commands() -> dict[str, str]:
    """Every shell line that is no curl line, without its comment, and the page it stands on."""
    return {
        line.partition(" #")[0].strip(): name
        for name, text in PAGES.items()
        for line in "".join(blocks(text, "sh")).splitlines()
        if line.strip() and not line.startswith(("curl ", "#"))
    }


def of_kind(kind: str) -> list[str]:
    RUN_KINDS.add(kind)
    return [line for line in commands() if re.fullmatch(KINDS[kind], line)]


def each(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("line", of_kind(kind))


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def words_of(line: str) -> list[str]:
    """The words of a command, its Python being ours; variables and `time` in front are left out."""
    words = shlex.split(line)
    return [sys.executable, *words[next(i for i, word in enumerate(words) if word.startswith(".venv")) + 1 :]]


def test_no_command_is_left_out() -> None:
    for line, page in commands().items():
        kinds = [kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, line)]
        assert len(kinds) + (line in NOT_RUN) == 1, f"{page}: {line}"
    assert set(KINDS) == RUN_KINDS
    assert set(NOT_RUN) <= set(commands())


# --- programs --------------------------------------------------------------------------------------------------------


@each("make")
@needs("make")
def test_make_does_what_it_is_asked(line: str, tmp_path: Path, installed: Path) -> None:
    _, target = shlex.split(line)
    command = ["make", target, f"VENV={installed}", "-n"]  # they take minutes; what they begin is run elsewhere
    done = subprocess.run(
        command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A working folder with a recording of 200 candles in it."""
    close = 100 * np.cumprod(1 + np.random.default_rng(3).normal(0, 0.002, 200))
    opened = np.append(100, close[:-1])
    candles = {
        "symbol": "BTC/USDT",
        "timestamp": 1_750_000_200_000 + 300_000 * np.arange(200),
        "open": opened,
        "high": np.maximum(opened, close),
        "low": np.minimum(opened, close),
        "close": close,
        "volume": 10.0,
    }
    pd.DataFrame(candles).to_parquet(tmp_path / "candles.parquet")
    return tmp_path


@each("program")
def test_programs_run_to_their_end(line: str, recording: Path) -> None:
    python, program, *options = words_of(line)
    options = [",".join(EMBEDDED.get(word, word) for word in option.split(",")) for option in options]
    if program == "continuous_scanner.py":
        options += [] if {"--simulated", "--replay", "--exchanges"} & {*options} else ["--simulated"]
        options += ["--days", "1"] if "backfill" in options else ["--duration", "1"]  # the last one counts
    with running([python, str(ROOT / program), *options], recording) as child:
        assert child.wait() == 0, child.err
        assert child.out
        assert "Traceback" not in child.err
    assert "--report" not in options or "<html" in (recording / options[options.index("--report") + 1]).read_text()


@each("server")
def test_servers_listen_and_end(line: str, tmp_path: Path) -> None:
    variables = {"SCANNER_SIMULATED": "1", "SCANNER_DATA_DIR": str(tmp_path / "data"), "SCANNER_PORT": "0"}
    python, *words = words_of(line)
    command = [python, "-m", "gunicorn", words[0]] if "gunicorn" in line else [python, *words]
    with running(command, tmp_path, ROOT, **variables) as child:
        child.wait_until_said(r"(?i)listening (?:on|at):? http://127\.0\.0\.1:\d+")
        child.wait_until_said("try:|try$|curl")
        assert child.stop()[0] == 0


SAID = {
    "bench_run": (
        r"weight \d+ of 6000\n +\d+ requests of /api/v3/klines",
        r"CPU \d+\.\d % .*\nmemory \d+ MB at most\nnewest signal cycle \d+ ms\n",
    ),
    "bench_budget": (r"scanner 1: \{'oldest_prices_s'", r"weight \d+ = \d+% of 6000", r"refused: \{\}"),
}


@each("benchmark")
def test_benchmarks_run(line: str, tmp_path: Path) -> None:
    said = next((said for name, said in SAID.items() if f".{name}" in line), None)
    shorter = (
        ["--help"] if said is None else ["--seconds", "1"]
    )  # those that cannot be short at least know their options
    with running([*words_of(line), *shorter], tmp_path, ROOT) as child:
        assert child.wait() == 0, child.err
        assert all(re.search(pattern, child.out) for pattern in said or ("usage: ",)), child.out


def among_those_held(word: str) -> str:
    """Of a list of symbols those that are in the folder, another one of them where none is."""
    symbols = word.split(",")
    if not all(symbol.endswith("/USDT") for symbol in symbols):
        return word
    return ",".join(symbol for symbol in symbols if symbol.endswith(("BTC/USDT", "ETH/USDT"))) or "ETH/USDT"


@each("example")
def test_examples_run_on_a_few_days(line: str, backfilled: Path, tmp_path: Path) -> None:
    own = [among_those_held(word.replace("binance:", "simulated:")) for word in words_of(line)]
    with running([*own, "--data-dir", str(backfilled)], tmp_path, ROOT) as child:  # the last --data-dir counts
        assert child.wait() == 0, child.err
        assert "\nSIMULATED DATA: " in child.out


@each("environment")
def test_environments_are_made_without_make(line: str, tmp_path: Path) -> None:
    if "venv" in shlex.split(line):
        command = [sys.executable, *shlex.split(line)[1:-1], "--without-pip", str(tmp_path / ".venv")]
    else:  # everything is here already, so that no index has to be asked
        command = [sys.executable, "-m", "pip", *shlex.split(line)[1:], "--dry-run", "--no-index"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


PROXY = of_kind("proxy")


@pytest.mark.parametrize("line", [line for line in PROXY if line.startswith("npm install")])
@needs("npm")
def test_npm_finds_every_version_in_the_lock_file(line: str, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    for file in ("package.json", "package-lock.json", ".npmrc", "server/package.json"):
        shutil.copy(ROOT / file, tmp_path / file)
    command = [*shlex.split(line), "--dry-run", "--offline", "--no-update-notifier"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for line in PROXY if not line.startswith("npm install")])
@pytest.mark.skipif(not (ROOT / "node_modules" / ".bin" / "tsx").exists(), reason="npm install has not been run")
def test_npm_commands_start_the_proxy(line: str, tmp_path: Path) -> None:
    with running(shlex.split(line), tmp_path, ROOT, PORT="0") as child:
        child.wait_until_said(r"proxy: listening on http://127\.0\.0\.1:\d+")


# --- installation ----------------------------------------------------------------------------------------------------


@each("secret")
@needs("openssl")
def test_secrets_are_made(line: str, tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-ec", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    made = (tmp_path / ".env").read_text() if ".env" in line else done.stdout
    assert re.fullmatch(r"(?:SCANNER_API_KEY=)?[0-9a-f]{64}\n", made)


def shell(script: str, folder: Path) -> None:
    done = subprocess.run(["sh", "-exc", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def within(root: Path) -> Callable[[str], str]:
    """Commands for a machine whose file system is `root`, without a package index, by someone without rights."""
    index = f"{shlex.quote(sys.executable)} -m pip install --dry-run --no-index "

    def moved(line: str) -> str:
        line = re.sub(r"^sudo \S*/pip install ", index, line).removeprefix("sudo ")
        line = line.replace("python3 -m venv ", f"{shlex.quote(sys.executable)} -m venv --without-pip ")
        line = line.replace("systemctl enable --now ", f"systemctl --root={root} enable ")
        return re.sub(r" /(opt|etc)/", rf" {root}/\1/", line)

    return moved


SERVICE = of_kind("service")


@needs("systemctl")
def test_the_service_is_installed(tmp_path: Path) -> None:
    lines = section("DEPLOYMENT.md", "systemd").partition("```sh\n")[2].partition("```")[0].splitlines()
    assert lines == SERVICE
    root, clone = tmp_path / "root", tmp_path / "clone"
    for folder in ("opt", "etc/systemd/system"):
        (root / folder).mkdir(parents=True)
    big = shutil.ignore_patterns(".git", ".venv", "node_modules", ".*_cache", ".hypothesis", "__pycache__")
    shutil.copytree(ROOT, clone, ignore=big)
    shell("\n".join(map(within(root), lines)), clone)
    installed = root / "opt" / "continuous-scanner"
    assert (installed / "scanner_api.py").is_file()
    assert (installed / ".venv" / "bin" / "python").exists()
    assert stat.S_IMODE((root / "etc" / "continuous-scanner.env").stat().st_mode) == 0o600
    assert (root / "etc" / "systemd" / "system" / "multi-user.target.wants" / "continuous-scanner.service").is_symlink()
