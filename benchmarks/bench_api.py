"""Whole markets as a user runs them: memory, cycles, and how fast the API answers: ``python -m benchmarks.bench_api``.

Three processes: an exchange of many markets, the server as it is deployed (gunicorn, then ``scanner_api.py``'s own),
and this one with its clients. Each client keeps one connection and asks for everything once a second. `/health` does
no work, so it shows what waiting for the interpreter and the processor costs; `clients` is how late this process itself
was. A request is in a cycle when a signal cycle was under way during it. Memory is the most that the process ever had
resident, histories included; cycles count the processor time of the signal stream's thread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

LIMIT_MS = 50.0  # p99 of signals, status and confluence
LIMIT_CYCLE_S, LIMIT_MB = 1.0, 600
API = "/api/scanner/continuous"
PROBE = "/health"
SERVERS = {
    "gunicorn": [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "benchmarks.loaded:app"],
    "built-in": [sys.executable, "-m", "benchmarks.loaded"],
}


@dataclass
class Times:
    """When requests of one kind began and how long they took, seconds."""

    began: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)

    def add(self, began: float, took: float) -> None:
        self.began.append(began)
        self.took.append(took)


def main() -> None:
    options = _options()
    for name in options.server or SERVERS:
        with tempfile.TemporaryDirectory() as folder, exchange(options.markets) as url:
            port = free_port()
            notes = Path(folder) / "notes"
            with serving(SERVERS[name], port, folder, url, options.pace, notes) as process:
                print(f"\n{name}: {options.markets} markets x 4 timeframes, {options.clients} clients", flush=True)
                asyncio.run(measured(f"http://127.0.0.1:{port}", process.pid, notes, options))


@contextlib.contextmanager
def exchange(markets: int) -> Iterator[str]:
    """The address of an exchange that runs meanwhile."""
    command = [sys.executable, "-m", "benchmarks.waves", "--markets", str(markets)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


@contextlib.contextmanager
def serving(
    command: list[str], port: int, folder: str, url: str, pace: float, notes: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The server under measurement, ended as an operator would."""
    own = {"SCANNER_PORT": str(port), "SCANNER_DATA_DIR": folder, "SCANNER_LOG_LEVEL": "ERROR"}
    environ = {**os.environ, **own, "BENCH_EXCHANGE": url, "BENCH_PACE": str(pace), "BENCH_NOTES": str(notes)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


async def measured(url: str, pid: int, notes: Path, options: argparse.Namespace) -> None:
    """Start a scan, wait until it is complete, poll it, and print what that was like."""
    symbols = [f"W{i:04}/USDT" for i in range(1, options.markets + 1)]
    config = {"signal_generation_interval": options.interval}
    async with aiohttp.ClientSession(url) as session:
        await up(session)
        imported_mb = most_mb(pid)
        await filled(session, {"symbols": symbols, "exchanges": ["simulated"], "config": config}, options.fill)
        began, used = time.time(), thread_cpu_s(pid)
        times, late, busy = await polled(url, symbols, options)
        spent = {thread: seconds - used.get(thread, 0.0) for thread, seconds in thread_cpu_s(pid).items()}
        streams, told = (await answer(session, f"{API}/status"))["streams"], noted(notes)
        async with session.post(f"{API}/stop"):
            pass
    print(f"  {len(busy)} signal cycles, the last one {streams['signals']['last_duration_s']:.1f} s; ", end="")
    print(f"missed {streams['signals']['missed']}; load of the machine {os.getloadavg()[0]:.1f}")
    report_memory(most_mb(pid), imported_mb, told)
    report_cycles([note for note in told if note["began"] > began])  # an earlier one may still read histories
    report_threads(spent, told, options.seconds)
    report(times, late, busy)


async def up(session: aiohttp.ClientSession) -> None:
    """Wait until the server answers."""
    for _ in range(600):
        with contextlib.suppress(aiohttp.ClientConnectionError):
            await answer(session, PROBE)
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the server does not come up")


async def filled(session: aiohttp.ClientSession, order: dict[str, Any], within_s: float) -> None:
    """Start scanning and wait until every market has signals on every timeframe."""
    began, expected, found = time.monotonic(), 4 * len(order["symbols"]), 0
    async with session.post(f"{API}/start", json=order) as started:
        assert started.status == 200, await started.text()
    while found < expected and time.monotonic() - began < within_s:
        await asyncio.sleep(1)
        found = (await answer(session, f"{API}/signals?limit=10000"))["count"]
    print(f"  {found} of {expected} signals after {time.monotonic() - began:.0f} s", flush=True)


async def polled(
    url: str, symbols: list[str], options: argparse.Namespace
) -> tuple[dict[str, Times], Times, list[tuple[float, float]]]:
    """Poll with all clients at once; times by kind, how late this process was, and when signal cycles ran."""
    times = {name: Times() for name in ("signals", "signals, a symbol", "status", "confluence", PROBE)}
    late, ends = Times(), time.monotonic() + options.seconds
    async with aiohttp.ClientSession(url) as own:
        watch = asyncio.create_task(cycles(own, ends))
        lag = asyncio.create_task(lateness(late, ends))
        await asyncio.gather(*(client(url, symbols, times, ends, i) for i in range(options.clients)))
        await lag
        return times, late, await watch


async def client(url: str, symbols: list[str], times: dict[str, Times], ends: float, number: int) -> None:
    """One user: each question once a second, at moments of its own, on one connection."""
    draw = random.Random(number)
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=1)) as session:
        await asyncio.sleep(draw.random())
        due = time.monotonic()
        while due < ends:
            symbol = draw.choice(symbols)
            paths = {
                "signals": f"{API}/signals?limit=50",
                "status": f"{API}/status",
                "signals, a symbol": f"{API}/signals?symbol={symbol}",
                "confluence": f"{API}/confluence/{symbol}",
                PROBE: PROBE,
            }
            for name, path in paths.items():
                due += 1 / len(paths)
                await asyncio.sleep(due - time.monotonic())
                began = time.monotonic()
                await answer(session, path)
                times[name].add(began, time.monotonic() - began)


async def answer(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json() if path != PROBE else await response.read()


async def lateness(late: Times, ends: float) -> None:
    """How late this process wakes up: what a client sees beyond it is the server's."""
    while (now := time.monotonic()) < ends:
        await asyncio.sleep(0.01)
        late.add(now, time.monotonic() - now - 0.01)


async def cycles(session: aiohttp.ClientSession, ends: float) -> list[tuple[float, float]]:
    """When signal cycles began and ended, as the status tells."""
    found: dict[str, tuple[float, float]] = {}
    offset = time.time() - time.monotonic()
    while time.monotonic() < ends:
        stream = (await answer(session, f"{API}/status"))["streams"]["signals"]
        if stream["last_run"]:
            began = np.datetime64(stream["last_run"][:26], "us").astype(np.int64) / 1e6 - offset
            found[stream["last_run"]] = float(began), float(began) + stream["last_duration_s"]
        await asyncio.sleep(0.5)
    return list(found.values())


def noted(notes: Path) -> list[dict[str, Any]]:
    """What the server has told of its cycles."""
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def report_memory(most: float, imported: float, told: list[dict[str, Any]]) -> None:
    panels = told[-1]["panels_mb"] if told else np.nan
    print(f"  memory at most {most:.0f} MB   limit {LIMIT_MB}   ", end="")
    print(f"dominated by panels {panels:.0f} MB, libraries and code {imported:.0f} MB")


def report_cycles(told: list[dict[str, Any]]) -> None:
    if not told:
        print("  no signal cycle ended meanwhile")
        return
    stages = sum((Counter(note["stages"]) for note in told), Counter[str]())
    whole = sum(note["cpu_s"] for note in told)
    largest = ", ".join(f"{label} {part / whole:.0%}" for label, part in stages.most_common(4))
    costs = [1000 * note["cpu_s"] for note in told]
    print(
        f"  signal cycle, CPU {min(costs):,.0f} to {max(costs):,.0f} ms   limit {LIMIT_CYCLE_S * 1000:,.0f}   ", end=""
    )
    print(f"dominated by {largest}")


def report_threads(spent: dict[str, float], told: list[dict[str, Any]], seconds: float) -> None:
    """Which threads had the processor: what a request waits for."""
    names = told[-1]["threads"] if told else {}
    shares: Counter[str] = Counter()
    for thread, used in spent.items():
        name = names.get(thread, "requests")
        shares[name.partition("_")[0] if name.startswith(("gateway", "stream")) else "requests"] += used
    parts = ", ".join(f"{name} {100 * used / seconds:.0f} %" for name, used in shares.most_common(5))
    print(f"  server {100 * sum(spent.values()) / seconds:.0f} % of a core: {parts}")


def report(times: dict[str, Times], late: Times, busy: list[tuple[float, float]]) -> None:
    """One line per kind: milliseconds over all requests, and p99 of those in a cycle."""
    print(f"  {'ms':<18} {'n':>6} {'p50':>7} {'p95':>7} {'p99':>7} {'max':>7}   {'in a cycle: n':>13} {'p99':>7}")
    for name, kind in [*times.items(), ("clients", late)]:
        began, took = np.array(kind.began), 1000 * np.array(kind.took)
        inside = np.zeros(len(began), dtype=bool)
        for start, end in busy:
            inside |= (began + took / 1000 >= start) & (began <= end)
        p50, p95, p99 = np.percentile(took, (50, 95, 99))
        within = np.percentile(took[inside], 99) if inside.any() else np.nan
        bound = "" if name in (PROBE, "clients") else f"   limit {LIMIT_MS:.0f}"
        print(
            f"  {name:<18} {len(took):>6} {p50:>7.1f} {p95:>7.1f} {p99:>7.1f} {took.max():>7.1f}"
            f"   {inside.sum():>13} {within:>7.1f}{bound}"
        )


def thread_cpu_s(pid: int) -> dict[str, float]:
    """CPU seconds of every thread of a process and its children, by its number, from /proc."""
    ticks = os.sysconf("SC_CLK_TCK")
    paths = [path for each in _family(pid) for path in Path(f"/proc/{each}/task").iterdir()]
    return {path.name: sum(map(int, _stat(path)[11:13])) / ticks for path in paths}


def most_mb(pid: int) -> float:
    """Most resident memory that a process of the family ever had."""
    lines = [line for each in _family(pid) for line in Path(f"/proc/{each}/status").read_text().splitlines()]
    return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _stat(folder: Path) -> list[str]:
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Latency of the API under polling clients, during signal cycles.")
    parser.add_argument("--markets", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60, help="how long to poll (default %(default)s)")
    parser.add_argument("--interval", type=int, default=30, help="seconds between signal cycles (default %(default)s)")
    parser.add_argument("--fill", type=float, default=300, help="most seconds to wait for all signals")
    parser.add_argument("--pace", type=float, default=3, help="request limits as multiples of Binance's")
    parser.add_argument("--server", choices=SERVERS, action="append", help="one of them alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
