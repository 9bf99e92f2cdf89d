"""The ways to serve the API: ``python scanner_api.py``, gunicorn, make."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.child import API, ROOT, Child, environment, on_terminal, running
from tests.waiting import AT_ONCE_S

GUNICORN = (sys.executable, "-m", "gunicorn", "scanner_api:app")
ANY_PORT = ("-b", "127.0.0.1:0")
SCANNING = {"SCANNER_SIMULATED": "1", "SCANNER_AUTOSTART": "1"}
SIGNAL = r"simulated:[A-Z]+/USDT (5m|1h|4h|1d) [A-Z_]+, score \d"


def ask(address: str, path: str) -> Any:
    with urlopen(f"{address}/api/scanner/{path}", timeout=60) as answer:
        return json.load(answer)


def tell(address: str, path: str, body: object = None) -> Any:
    with urlopen(f"{address}/api/scanner/{path}", json.dumps(body or {}).encode(), timeout=60) as answer:
        return json.load(answer)


def gunicorn(folder: Path, *arguments: str, **variables: str) -> Any:
    """gunicorn in the folder of its configuration, files going to `folder`."""
    return running([*GUNICORN, *arguments], folder, ROOT, SCANNER_DATA_DIR=str(folder / "data"), **variables)


def assert_refused(child: Child, *named: str) -> None:
    """Ended with status 2 and one line of explanation."""
    assert child.wait() == 2, child.err
    explained = [line for line in child.err.splitlines() if "Starting gunicorn" not in line]
    assert len(explained) == 1, child.err
    assert all(name in explained[0] for name in named), child.err


# --- python scanner_api.py -----------------------------------------------------------------------------------------


def test_the_api_says_what_it_scans_where_and_three_things_to_try_then_shows_signals(tmp_path: Path) -> None:
    with running([*API, "--port", "0"], tmp_path, **SCANNING) as child:
        address = child.wait_until_said(r"listening on (http://127\.0\.0\.1:\d+)")[1]
        up = time.monotonic()
        child.wait_until_said(r"scanning 10 symbols on simulated, timeframes 5m, 4h, 1h, 1d")
        child.wait_until_said("its data are not real")
        for path in ("signals?min_score=60&limit=20", "confluence/BTC/USDT", "status"):
            child.wait_until_said(f'curl "{address}/api/scanner/continuous/{path}"'.replace("?", r"\?"))
            assert ask(address, f"continuous/{path}")
        child.wait_until_said(f"first signals:\n[^\n]*{SIGNAL}")
        assert time.monotonic() - up < 30
        status, took_s = child.stop(signal.SIGTERM)
        assert (status, took_s < AT_ONCE_S) == (0, True)
        assert "Traceback" not in child.err


def test_without_autostart_it_says_how_to_start(tmp_path: Path) -> None:
    with running([*API, "--port", "0"], tmp_path) as child:
        address = child.wait_until_said(r"try: curl -X POST (http://\S+)/api/scanner/continuous/start")[1]
        assert ask(address, "continuous/status")["running"] is False
        status, took_s = child.stop(signal.SIGINT)
        assert (status, took_s < AT_ONCE_S) == (0, True)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        ((), {"SCANNER_PORT": "http"}, "SCANNER_PORT: 'http'"),
        (("--speed", "0"), {}, "--speed: '0'"),
        (("--host", "0.0.0.0"), {}, "SCANNER_HOST: '0.0.0.0' is reachable from other machines"),
        (("--nonsense",), {}, "--nonsense"),
    ],
)
def test_what_the_api_cannot_serve_is_one_line(
    tmp_path: Path, arguments: Sequence[str], variables: dict[str, str], named: str
) -> None:
    with running([*API, *arguments], tmp_path, **variables) as child:
        assert_refused(child, "scanner_api: ", named)
    assert [*tmp_path.iterdir()] == []


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running([*API, "--port", str(port)], tmp_path) as child:
            assert_refused(child, f"'127.0.0.1:{port}'", "Address already in use", "--port")


def test_a_killed_scanner_goes_on_by_itself_with_what_a_request_had_asked_for(tmp_path: Path) -> None:
    resuming = {**SCANNING, "SCANNER_RESUME": "1"}
    with running([*API, "--port", "0"], tmp_path, **resuming) as child:
        address = child.wait_until_said(r"listening on (http://127\.0\.0\.1:\d+)")[1]
        child.wait_until_said("three things to try")
        tell(address, "continuous/stop")
        tell(address, "continuous/start", {"symbols": ["ETH/USDT", "SOL/USDT"], "config": {"scoring": "calibrated"}})
        child.send(signal.SIGKILL)
        child.wait()
    with running([*API, "--port", "0"], tmp_path, **resuming) as child:
        address = child.wait_until_said(r"listening on (http://127\.0\.0\.1:\d+)")[1]
        child.wait_until_said("scanning 2 symbols on simulated")
        status = ask(address, "continuous/status")
        assert (status["resumed"], status["config"]["scoring"]) == (True, "calibrated")
        tell(address, "continuous/stop")
        child.stop(signal.SIGKILL)
    with running([*API, "--port", "0"], tmp_path, SCANNER_SIMULATED="1", SCANNER_RESUME="1") as child:
        child.wait_until_said("nothing is being scanned yet")


# --- gunicorn ------------------------------------------------------------------------------------------------------


def test_gunicorn_serves_scans_and_stops_on_sigterm(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *ANY_PORT, **SCANNING) as child:
        address = child.wait_until_said(r"Listening at: (http://127\.0\.0\.1:\d+)")[1]
        child.wait_until_said(f'curl "{address}/api/scanner/continuous/status"')
        child.wait_until_said("simulated is live")
        assert ask(address, "continuous/status")["running"] is True
        status, took_s = child.stop(signal.SIGTERM)
        assert (status, took_s < AT_ONCE_S) == (0, True)
        assert child.err.count("Booting worker") == 1
        assert "stopped after" in child.err
        assert "Traceback" not in child.err


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (("-w", "2"), {}, "workers: 2 is not 1"),
        ((), {"WEB_CONCURRENCY": "2"}, "workers: 2 is not 1"),
        (("--preload",), {}, "preload_app"),
        (("-b", "0.0.0.0:0"), {}, "'0.0.0.0' is reachable from other machines"),
        ((), {"SCANNER_SPEED": "0"}, "SCANNER_SPEED: '0'"),
    ],
)
def test_gunicorn_refuses_what_would_break_the_scanner(
    tmp_path: Path, arguments: Sequence[str], variables: dict[str, str], named: str
) -> None:
    with gunicorn(tmp_path, *(arguments if "-b" in arguments else (*ANY_PORT, *arguments)), **variables) as child:
        assert_refused(child, "refusing to start: ", named)


def test_a_reload_goes_on_scanning_and_a_signal_for_more_workers_changes_nothing(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *ANY_PORT, **SCANNING) as child:
        child.wait_until_said("simulated is live")
        child.send(signal.SIGHUP)
        child.wait_until_said("(?s)simulated is live.*stopped after.*simulated is live")
        child.send(signal.SIGTTIN)
        child.wait_until_said("staying at one worker")
        status, took_s = child.stop(signal.SIGTERM)
        assert (status, took_s < AT_ONCE_S) == (0, True)
        assert "cannot scan" not in child.err


@pytest.mark.parametrize("host", ["::1", "::"])
def test_gunicorn_listens_on_addresses_of_version_6(tmp_path: Path, host: str) -> None:
    settings = {"SCANNER_HOST": host, "SCANNER_PORT": "0", "SCANNER_ALLOW_ANONYMOUS": "1", "SCANNER_SIMULATED": "1"}
    with gunicorn(tmp_path, **settings) as child:
        port = child.wait_until_said(rf"Listening at: http://\[{host}\]:(\d+)")[1]
        assert ask(f"http://[::1]:{port}", "status")["status"] == "inactive"


def test_a_signal_for_a_second_master_makes_none(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *ANY_PORT, **SCANNING) as child:
        address = child.wait_until_said(r"Listening at: (http://\S+)")[1]
        child.wait_until_said("simulated is live")
        child.send(signal.SIGUSR2)
        child.wait_until_said("staying at one master")
        assert ask(address, "continuous/status")["running"] is True
        assert child.stop(signal.SIGTERM)[0] == 0
        assert child.err.count("Starting gunicorn") == 1
        assert child.err.count("Booting worker") == 1


def test_a_worker_that_is_killed_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *ANY_PORT, SCANNER_SIMULATED="1", SCANNER_RESUME="1") as child:
        address = child.wait_until_said(r"try: curl -X POST (http://\S+)/api/scanner/continuous/start")[1]
        tell(address, "continuous/start", {"symbols": ["ETH/USDT"]})
        child.wait_until_said("simulated is live")
        os.kill(int(child.wait_until_said(r"Booting worker with pid: (\d+)")[1]), signal.SIGKILL)
        child.wait_until_said("(?s)scanning 1 symbols.*Booting worker.*scanning 1 symbols")
        assert ask(address, "continuous/status")["resumed"] is True


def test_gunicorn_does_not_try_again_what_cannot_be_scanned(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *ANY_PORT, SCANNER_AUTOSTART="1", SCANNER_REPLAY="missing.parquet") as child:
        assert child.wait() != 0
        assert "cannot scan: replay: 'missing.parquet' does not exist" in child.err
        assert child.err.count("Booting worker") == 1
        assert "Traceback" not in child.err


# --- make ----------------------------------------------------------------------------------------------------------

make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@make
def test_make_run_scans_and_ctrl_c_ends_it(tmp_path: Path, installed: Path) -> None:
    command = ["make", "--no-print-directory", "-C", str(ROOT), "run", f"VENV={installed}"]
    with on_terminal(command, tmp_path, SCANNER_PORT="0", SCANNER_DATA_DIR=str(tmp_path / "data")) as child:
        child.wait_until_said("Scanning the embedded simulated exchange; Ctrl-C ends it.")
        child.wait_until_said("three things to try:")
        child.wait_until_said(f"first signals:\n[^\n]*{SIGNAL}")
        _, took_s = child.press_ctrl_c()
        assert took_s < AT_ONCE_S
        assert child.out.rstrip().splitlines()[-1].endswith("ended")
        assert "Traceback" not in child.out


@make
@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "clean"])
def test_make_knows_its_targets(tmp_path: Path, target: str) -> None:
    asked = subprocess.run(
        ["make", "-n", "-C", str(ROOT), target], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (asked.returncode, asked.stderr) == (0, "")
