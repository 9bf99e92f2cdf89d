"""What deploys the scanner, held to the truth without Docker: images are laid out file by file and really started."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from scanner.settings import Settings, variable
from tests.api.conftest import Client
from tests.images import ROOT, copied, environment, health_command, is_ignored, lay_out, only, stages
from tests.waiting import wait_for

SCANNER, PROXY = stages(ROOT / "Dockerfile")[-1], stages(ROOT / "Dockerfile.proxy")[-1]
PROXY_BUILD = stages(ROOT / "Dockerfile.proxy")[0]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
UNIT = ROOT / "deploy" / "continuous-scanner.service"
VARIABLES = {variable(spec.name) for spec in fields(Settings)}
BIN = Path(sys.executable).parent
KEY = "a-key-for-tests"
API = "/api/scanner"


def free_port() -> int:
    """One that nobody is given who asks for any: those start at 32768."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are all in use")


def files_in(folder: Path) -> dict[str, int]:
    """Every file below a folder, and when it was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# --- the scanner's image ---------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image's working folder."""
    return lay_out(SCANNER, tmp_path / "app")


@pytest.fixture
def inside(tmp_path: Path) -> dict[str, str]:
    """The image's environment and nothing else, with folders, address and port of this test."""
    (tmp_path / "home").mkdir()
    mine = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "SCANNER_DATA_DIR": str(tmp_path / "volume"),
        "SCANNER_STATE_DIR": str(tmp_path / "volume" / "state"),
        "SCANNER_PORT": str(free_port()),
    }
    return {**environment(SCANNER), **mine}


def test_the_image_holds_every_module_and_nothing_else():
    modules = [path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.py"), *(ROOT / "scanner").rglob("*.py")]]
    held = copied(SCANNER)
    assert sorted(path.as_posix() for path in held) == sorted(modules)
    assert all(there == here for there, here in held.items())


def test_every_module_of_the_image_can_be_imported_there(image: Path, inside: dict[str, str]):
    code = (
        "import importlib, pkgutil, sys\n"
        "sys.path.insert(0, '.')\n"
        "names = [m.name for m in pkgutil.walk_packages(['.']) if m.name.split('.')[0] != 'gunicorn']\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=image, env=inside, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@contextmanager
def started(command: list[str], cwd: Path, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone at the end, whatever happens."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(command: list[str], cwd: Path, env: dict[str, str]) -> int:
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, timeout=60).returncode


def command_of(words: list[str]) -> list[str]:
    """A command of the image, with its program from where this test has it."""
    program = shutil.which(words[0], path=f"{BIN}:{os.environ['PATH']}")
    assert program, f"{words[0]} is not installed"
    return [program, *words[1:]]


def test_the_image_serves_scans_keeps_its_data_on_the_volume_and_ends(
    image: Path, inside: dict[str, str], tmp_path: Path
):
    env = {**inside, "SCANNER_HOST": "127.0.0.1", "SCANNER_API_KEY": KEY, "SCANNER_SIMULATED": "1"}
    before = files_in(image)
    healthy: Callable[[], bool] = lambda: run(command_of(health_command(SCANNER)), image, env) == 0  # noqa: E731
    assert not healthy()
    log = tmp_path / "log"
    with started(command_of(only(SCANNER, "CMD").words), image, env, log) as process:
        wait_for(healthy, what="the health check passes")
        client = Client(None, int(env["SCANNER_PORT"]))  # type: ignore[arg-type]
        body = {"symbols": ["BTC/USDT"]}
        assert client.post(f"{API}/continuous/start", body).status == 401
        bearer = {"Authorization": f"Bearer {KEY}"}
        assert client.post(f"{API}/continuous/start", body, bearer).status == 200
        wait_for(lambda: client.get(f"{API}/continuous/signals").body["count"] == 4)
        scanned = client.post(f"{API}/scan", {"sync": True, "minStrength": 0}, bearer)
        assert (scanned.status, bool(scanned.body["signals"])) == (200, True)
        wait_for(lambda: files_in(tmp_path / "volume"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not healthy()
    assert KEY not in log.read_text()
    assert files_in(image) == before
    assert files_in(tmp_path / "home") == {}


def test_the_image_refuses_to_start_without_a_key_and_says_why(image: Path, inside: dict[str, str]):
    done = subprocess.run(
        command_of(only(SCANNER, "CMD").words), cwd=image, env=inside, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "SCANNER_API_KEY" in done.stderr
    assert "SCANNER_ALLOW_ANONYMOUS" in done.stderr


def test_more_than_one_worker_is_refused(image: Path, inside: dict[str, str]):
    env = {**inside, "SCANNER_API_KEY": KEY}
    command = [*command_of(only(SCANNER, "CMD").words), "--workers", "2"]
    assert run(command, image, env) != 0


def test_the_image_is_set_up_as_its_parts_expect():
    env = environment(SCANNER)
    assert {name for name in env if name.startswith("SCANNER_")} <= VARIABLES
    Settings.from_env(env)
    assert only(SCANNER, "VOLUME").text == env["SCANNER_DATA_DIR"]
    assert only(SCANNER, "EXPOSE").text == env["SCANNER_PORT"] == str(Settings().port)
    assert only(SCANNER, "USER").text not in ("root", "0")
    words = [each.word for each in SCANNER]
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("RUN", "COPY"))


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("scanner/api/app.py", False),
        ("scanner_api.py", False),
        ("scanner/api/__pycache__/app.pyc", True),
        ("tests/test_rooms.py", True),
        ("training_data/signals/x.json", True),
        (".git/config", True),
        (".env", True),
        ("server/routes.ts", False),
        ("server/dist/index.js", True),
        ("server/test/routes.test.ts", True),
        ("server/node_modules/x/y.js", True),
        ("node_modules/x/y.js", True),
        ("deploy/continuous-scanner.env", True),
    ],
)
def test_only_what_an_image_needs_is_sent_to_its_build(path: str, ignored: bool):
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert is_ignored(PurePosixPath(path), [line for line in lines if line and not line.startswith("#")]) is ignored


# --- the proxy's image -----------------------------------------------------------------------------------------------

PROXY_SOURCE = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "server").glob("*.ts")))
PROXY_VARIABLES = set(re.findall(r"\benv\.([A-Z_]+)", PROXY_SOURCE))
has_node = pytest.mark.skipif(
    shutil.which("npm") is None or not (ROOT / "node_modules" / "express").exists(),
    reason="Node, or what `npm ci` installs, is not here",
)


@has_node
def test_the_proxy_builds_and_serves_from_its_images_files(tmp_path: Path):
    built = lay_out(PROXY_BUILD, tmp_path / "build")
    (built / "node_modules").symlink_to(ROOT / "node_modules")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert run(["npm", "run", "build"], built, env) == 0
    env |= environment(PROXY) | {"HOST": "127.0.0.1", "PORT": str(free_port())}
    command = only(PROXY, "CMD").words
    with started(command, built, env, tmp_path / "log") as process:
        wait_for(lambda: run(health_command(PROXY), built, env) == 0, what="the proxy's health check passes")
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert run(health_command(PROXY), built, env) != 0


def test_the_proxys_image_is_set_up_as_its_parts_expect():
    env = environment(PROXY)
    assert set(env) - {"NODE_ENV"} <= PROXY_VARIABLES
    assert only(PROXY, "EXPOSE").text == env["PORT"]
    assert only(PROXY, "USER").text not in ("root", "0")
    modules = {path.as_posix() for path in copied(PROXY_BUILD)}
    assert {f"server/{path.name}" for path in (ROOT / "server").glob("*.ts")} <= modules


# --- compose ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "image"), [("scanner", SCANNER), ("proxy", PROXY)])
def test_each_service_runs_its_image_hardened_and_watched(name: str, image: Any):
    service = COMPOSE["services"][name]
    dockerfile = ROOT / service["build"]["context"] / service["build"]["dockerfile"]
    assert stages(dockerfile)[-1] == image
    assert service["healthcheck"]["test"] == ["CMD", *health_command(image)]
    assert service["restart"] == "always"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    port = only(image, "EXPOSE").text
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize(("name", "known"), [("scanner", VARIABLES), ("proxy", PROXY_VARIABLES)])
def test_every_variable_of_a_service_exists(name: str, known: set[str]):
    assert set(COMPOSE["services"][name]["environment"]) <= known


def test_the_services_fit_together():
    scanner, proxy = COMPOSE["services"]["scanner"], COMPOSE["services"]["proxy"]
    assert proxy["environment"]["SCANNER_API_URL"] == f"http://scanner:{only(SCANNER, 'EXPOSE').text}"
    assert proxy["depends_on"] == {"scanner": {"condition": "service_healthy"}}
    assert scanner["environment"]["SCANNER_API_KEY"] == proxy["environment"]["SCANNER_API_KEY"]
    assert scanner["environment"]["SCANNER_API_KEY"].startswith("${SCANNER_API_KEY:?")  # compose stops without one
    ((volume, _, folder),) = [text.partition(":") for text in scanner["volumes"]]
    assert volume in COMPOSE["volumes"]
    assert folder == only(SCANNER, "VOLUME").text


def test_what_compose_sets_by_default_is_valid():
    texts = COMPOSE["services"]["scanner"]["environment"]
    filled = {name: re.sub(r"\$\{\w+:[-?](.*)\}", r"\1", text) for name, text in texts.items()}
    settings = Settings.from_env({**filled, "SCANNER_API_KEY": KEY})
    assert settings.autostart
    assert not settings.simulated


# --- systemd ---------------------------------------------------------------------------------------------------------


def unit_values(name: str) -> list[str]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def test_the_unit_names_what_exists():
    env = dict(text.split("=", 1) for text in unit_values("Environment"))
    assert {name for name in env if name.startswith("SCANNER_")} <= VARIABLES
    Settings.from_env(env)
    assert env["SCANNER_DATA_DIR"] == f"/var/lib/{unit_values('StateDirectory')[0]}"
    folder = unit_values("WorkingDirectory")[0]
    (command,) = unit_values("ExecStart")
    assert command.split() == [f"{folder}/.venv/bin/{only(SCANNER, 'CMD').words[0]}", *only(SCANNER, "CMD").words[1:]]
    (page,) = unit_values("Documentation")
    assert (ROOT / page.removeprefix(f"file://{folder}/")).is_file()
    assert unit_values("Restart") == ["always"]
    assert unit_values("DynamicUser") == ["yes"]


def test_the_example_of_an_environment_file_names_what_exists():
    text = (ROOT / "deploy" / "continuous-scanner.env.example").read_text(encoding="utf-8")
    named = dict(line[1:].split("=", 1) for line in text.splitlines() if re.match(r"#?SCANNER_", line))
    assert named
    assert set(named) <= VARIABLES
    Settings.from_env(named)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit(tmp_path: Path):
    folder = unit_values("WorkingDirectory")[0]
    program = tmp_path / "installed" / ".venv" / "bin" / "gunicorn"
    program.parent.mkdir(parents=True)
    program.symlink_to("/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace(folder, str(tmp_path / "installed")), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_setting_is_given_twice():
    lines = [line for line in UNIT.read_text(encoding="utf-8").splitlines() if re.match(r"\w+=", line)]
    names = Counter(line if line.startswith("Environment=") else line.partition("=")[0] for line in lines)
    assert [name for name, count in names.items() if count > 1] == []
