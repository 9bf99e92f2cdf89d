"""A scanning process whose medium refuses: it scans on, says over HTTP what it does not keep, and recovers itself."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.child import SCANNER, environment, running
from tests.store import starving
from tests.store.starving import ORDER, Fault, Server, damage, obeying_modes, serving, small_disk
from tests.waiting import wait_for

FAULTS = {
    "full": (starving.full, "No space left on device"),
    "read-only": (starving.read_only, "Read-only file system"),
    "no writing": (starving.no_writing, "Permission denied"),
    "no entering": (starving.no_entering, "Permission denied"),
    "no descriptors": (starving.no_descriptors, "Too many open files"),
}


def lost(gaps: list[dict[str, str]]) -> int:
    """How many records the gap ledger says were not kept."""
    return sum(int(gap["detail"].split()[0]) for gap in gaps)


def live_through(server: Server, fault: Fault, cause: str) -> None:
    """Scan, meet the fault, recover, and find nothing unsaid."""
    server.tell("start", ORDER)
    server.scan_on(1)
    assert server.wait_for_state("ok")["not_kept"] == 0
    with fault(server):
        assert cause in server.wait_for_state("degraded")["cause"]
        server.scan_on()
        assert wait_for(lambda: server.store()["not_kept"]) > 0
        assert f"cannot be written: {cause}" in server.child.err
        status, answer = server.ask("continuous/gaps?cause=not_kept&days=10")
        if fault in (starving.no_entering, starving.no_descriptors):
            assert (status, answer["message"]) == (503, f"gaps: cannot be read: {cause}")
        else:
            assert (status, any(gap["to"] is None for gap in answer["gaps"])) == (200, True)
    server.wait_for_state("ok")
    server.scan_on()
    wait_for(lambda: all(gap["to"] for gap in server.losses()), what="every loss stated")
    assert lost(server.losses()) == server.store()["not_kept"]
    server.tell("stop")
    assert damage(server.data) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_scan_outlives_its_medium_and_states_what_that_cost(tmp_path: Path, name: str) -> None:
    fault, cause = FAULTS[name]
    prefix = obeying_modes() if name.startswith("no ") else ()
    if prefix or fault is starving.no_descriptors:
        with serving(tmp_path / "data", tmp_path / "home", prefix) as server:
            live_through(server, fault, cause)
    else:
        with small_disk(tmp_path / "disk") as disk, serving(disk / "data", tmp_path / "home") as server:
            live_through(server, fault, cause)


def test_gunicorns_worker_outlives_a_lack_of_descriptors(tmp_path: Path) -> None:
    with starving.serving_by_gunicorn(tmp_path / "data", tmp_path / "home") as server:
        server.tell("start", ORDER)
        server.scan_on(1)
        with starving.no_descriptors(server):
            server.child.wait_until_said("cannot be written: Too many open files")
            server.scan_on()
            server.scan_on_for_new_callers()
        server.wait_for_state("ok")
        assert lost(server.losses()) == server.store()["not_kept"]
        server.tell("stop")
        assert server.child.err.count("Booting worker") == 1
    assert damage(tmp_path / "data") == []


def test_a_folder_that_can_be_written_only_later_is_taken_then_with_the_wish_and_every_candle(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    with serving(data, tmp_path / "home", obeying_modes(), SCANNER_RESUME="1") as server:
        server.tell("start", ORDER)
        server.scan_on(1)
        health = server.wait_for_state("degraded")
        assert health["cause"] == f"{data} cannot be written: Permission denied"
        wait_for(lambda: server.store()["unsafe"] > 0, what="candles that wait")
        data.chmod(0o755)
        server.wait_for_state("ok")
        assert server.store()["unsafe"] == 0
        wait_for((data / "wish.json").is_file)
        assert lost(server.losses()) == server.store()["not_kept"] > 0
        server.tell("stop")
    assert damage(data) == []


def test_a_disk_that_is_full_from_the_start_until_after_a_stop(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, serving(disk / "data", tmp_path / "home") as server:
        starving.fill(disk / "ballast")
        server.tell("start", ORDER)
        server.scan_on(1)
        assert "No space left on device" in server.wait_for_state("degraded")["cause"]
        wait_for(lambda: server.ask("training-data/BTC/USDT?days=2")[0] == 200, what="candles")
        answer = server.ask("training-data/BTC/USDT?days=2")[1]
        assert len(answer["dataset"]["ohlcv"]["5m"]) > 100  # from memory
        server.tell("stop")
        refused = server.store()["not_kept"]
        (disk / "ballast").unlink()
        server.tell("start", ORDER)
        wait_for(lambda: lost(server.losses()) >= refused, what="the loss of the scan before it stated")
        server.scan_on()
        assert server.wait_for_state("ok")["not_kept"] == 0
        server.tell("stop")
        assert damage(disk / "data") == []


def test_the_folder_has_one_owner_and_its_lock_dies_with_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, tmp_path / "home") as owner, serving(data, tmp_path / "home") as second:
        owner.tell("start", ORDER)
        named = f"in use by process {owner.pid};"
        status, answer = second.ask("continuous/start", ORDER)
        assert (status, named in answer["message"]) == (409, True)
        command = [*SCANNER, "--simulated", "--data-dir", str(data)]
        with running(command, tmp_path / "home") as third:
            assert (third.wait(), named in third.err) == (2, True)
        owner.child.send(signal.SIGKILL)
        owner.child.wait()
        (data / "scanner.lock").write_text(f"{os.getpid()}\n")  # as if that number were another process's by now
        second.tell("start", ORDER)
        second.scan_on(1)
        assert second.wait_for_state("ok")["cause"] is None
        second.tell("stop")
    assert damage(data) == []


def test_a_backfill_that_fills_the_disk_says_so_and_goes_on_where_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()

    def backfill(data: Path) -> subprocess.CompletedProcess[str]:
        what = ["backfill", "--simulated", "--symbols", "BTC/USDT", "--days", "3", "--timeframes", "5m"]
        command = [*SCANNER, *what, "--data-dir", str(data)]
        kept = environment(tmp_path / "home")
        return subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)

    with small_disk(tmp_path / "disk", "1m") as disk:
        refused = backfill(disk / "data")
        assert refused.returncode == 1
        assert "No space left on device; what was kept stays" in refused.stdout
        assert "Traceback" not in refused.stderr
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert backfill(disk / "data").returncode == 0
        assert backfill(tmp_path / "whole").returncode == 0
        assert (before := kept(disk / "data"))
        assert before == kept(tmp_path / "whole")


def kept(data: Path) -> dict[str, int]:
    """How many records there are of each file of signals and clusters; without those that grow in the meantime."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    paths = sorted([*data.glob("signals/*.json"), *data.glob("clustering/*.json")])
    over = [path for path in paths if path.stem[-len(yesterday) :] < yesterday]
    return {f"{path.parent.name}/{path.name}": path.read_bytes().count(b"\n{") for path in over}
