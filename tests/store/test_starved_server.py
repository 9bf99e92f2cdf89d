"""A scanning process whose medium refuses: it scans on, says over HTTP what it does not keep, and recovers itself."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from scanner.simulated import generated
from scanner.timeframes import DAY_MS
from tests.child import SCANNER, environment, running
from tests.store import starving
from tests.store.making import NOON
from tests.store.starving import ORDER, Fault, Server, damage, lost, obeying_modes, serving, small_disk
from tests.waiting import wait_for

FAULTS = {
    "full": (starving.full, "No space left on device"),
    "read-only": (starving.read_only, "Read-only file system"),
    "no writing": (starving.no_writing, "Permission denied"),
    "no entering": (starving.no_entering, "Permission denied"),
    "no descriptors": (starving.no_descriptors, "Too many open files"),
}


def live_through(server: Server, fault: Fault, cause: str) -> None:
    """Scan, meet the fault, recover, and find nothing unsaid."""
    server.tell("start", ORDER)
    server.scan_on(1)
    assert server.wait_for_state("ok")["not_kept"] == 0
    with fault(server):
        assert cause in server.wait_for_state("degraded")["cause"]
        server.scan_on()
        assert wait_for(lambda: server.store()["not_kept"]) > 0
        server.child.wait_until_said(f"cannot be written: {cause}")
        status, answer = server.ask("continuous/gaps?cause=not_kept&days=10")
        if fault in (starving.no_entering, starving.no_descriptors):
            assert (status, answer["message"]) == (503, f"gaps: cannot be read: {cause}")
        else:
            assert (status, any(gap["to"] is None for gap in answer["gaps"])) == (200, True)
    server.wait_for_state("ok")
    server.scan_on()
    wait_for(server.all_losses_are_stated)
    server.tell("stop")
    assert damage(server.data) == []


def held(server: Server) -> int:
    """How many 5m candles of BTC/USDT the server has."""
    status, answer = server.ask("training-data/BTC/USDT?days=2")
    return len(answer["dataset"]["ohlcv"].get("5m", ())) if status == 200 else 0


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
        wait_for(server.all_losses_are_stated)
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
        wait_for(lambda: server.store()["unsafe"] == 0)
        wait_for((data / "wish.json").is_file)
        wait_for(server.all_losses_are_stated)
        assert lost(server.losses()) > 0
        server.tell("stop")
    assert damage(data) == []


def test_a_disk_that_is_full_from_the_start_until_after_a_stop(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, serving(disk / "data", tmp_path / "home") as server:
        starving.fill(disk / "ballast")
        server.tell("start", ORDER)
        server.scan_on(1)
        assert "No space left on device" in server.wait_for_state("degraded")["cause"]
        wait_for(lambda: held(server) > 100, what="candles from memory")
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
    recording = recorded(tmp_path / "week.parquet")

    def backfill(data: Path) -> subprocess.CompletedProcess[str]:
        what = ["backfill", "--replay", str(recording), "--days", "3", "--timeframes", "5m"]
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
        assert kept(disk / "data") == kept(tmp_path / "whole") != {}


def recorded(path: Path) -> Path:
    """A week of BTC/USDT: backfills of a recording end at the same candle whenever they are made."""
    candles = generated(seed=1).candles("BTC/USDT", "5m", NOON - 7 * DAY_MS, NOON - 1, NOON)
    columns = zip(("timestamp", "open", "high", "low", "close", "volume"), candles.columns(), strict=True)
    pd.DataFrame({"symbol": "BTC/USDT", **dict(columns)}).to_parquet(path)
    return path


def kept(data: Path) -> dict[str, int]:
    """How many records there are of each file of signals and clusters."""
    paths = sorted([*data.glob("signals/*.json"), *data.glob("clustering/*.json")])
    return {f"{path.parent.name}/{path.name}": path.read_bytes().count(b"\n{") for path in paths}
