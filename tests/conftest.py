"""What every test owes: nothing left behind. And an environment for make."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.child import SCANNER, running
from tests.waiting import wait_for

settings.register_profile(  # a busy machine is no failure
    "tests", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(autouse=True, scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the user's is read or written; child processes inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True, scope="module")
def no_thread_is_left_behind() -> Iterator[None]:
    """Fails the module whose tests leave a thread; fixtures of a module may keep some until its end."""
    before = set(threading.enumerate())
    yield

    def gone() -> bool:
        return not [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]

    wait_for(gone, what=f"threads left behind: {[t.name for t in threading.enumerate() if t not in before]}")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that make takes for an environment with everything installed: ours."""
    binaries = tmp_path / "venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (binaries / "python").chmod(0o755)
    for name in (".installed", ".installed-dev"):
        (tmp_path / "venv" / name).touch()
    return tmp_path / "venv"


@pytest.fixture(scope="session")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three days of two simulated markets."""
    folder = tmp_path_factory.mktemp("backfilled")
    options = ["--simulated", "--symbols", "BTC/USDT,ETH/USDT", "--days", "3"]
    with running([*SCANNER, "backfill", *options], folder) as child:
        assert child.wait(60) == 0, child.err
    return folder / "training_data"
