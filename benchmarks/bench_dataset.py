"""Memory of a server that answers with training data: ``python -m benchmarks.bench_dataset --megabytes 300``.

Thirty days of one market, every live signal kept, are written as day files. A server in a process of its own answers
each format, then several at once; most of its memory is read from the system, and compared with before. With `--fresh`
a new server answers each: what it loads for its first answer counts too.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from scanner.config import StreamConfig
from scanner.markets import Market
from scanner.records import iso
from scanner.runtime import frames
from scanner.store import arrays, names
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, MINUTE_MS, length_ms

MARKET = Market("binance", "BTC/USDT")
DAYS = 30
ROUTE = "/api/scanner/training-data/BTC/USDT"
ASKED = ("", "?format=csv", "?format=parquet", "?final_only=true", "/features", "/features?format=parquet")
AT_ONCE = 6
FIVE_MINUTES_MS = 5 * MINUTE_MS
Answer = tuple[int, float]  # bytes, and seconds to the first


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), options.megabytes)
        if options.fresh:
            for name, ask in _questions():
                with _serving(folder) as (server, port):
                    _ask(port, "/health", {})
                    _told(server, name, lambda ask=ask, port=port: ask(port))  # type: ignore[misc]
            return
        with _serving(folder) as (server, port):
            _ask(port, f"{ROUTE}?days=1", {})  # what is loaded by the first answer is nobody's
            for name, ask in _questions():
                _told(server, name, lambda ask=ask: ask(port))  # type: ignore[misc]


def _questions() -> Iterator[tuple[str, Callable[[int], list[Answer]]]]:
    for query in ASKED:
        yield query or "?format=json", lambda port, query=query: [_ask(port, ROUTE + query, {})]  # type: ignore[misc]
    yield "gzip", lambda port: [_ask(port, ROUTE, {"Accept-Encoding": "gzip"})]
    yield f"{AT_ONCE} at once", _at_once


@contextmanager
def _serving(folder: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server in a process of its own, and its port."""
    command = [sys.executable, "scanner_api.py", "--port", "0", "--data-dir", folder]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            port = _port(server)
            threading.Thread(target=server.stderr.read, daemon=True).start()  # type: ignore[union-attr]
            yield server, port
        finally:
            server.terminate()


def _told(server: subprocess.Popen[str], name: str, ask: Callable[[], list[Answer]]) -> None:
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the most memory is counted anew
    before, began = _memory(server, "VmRSS"), time.monotonic()
    found = ask()
    took = time.monotonic() - began
    size = sum(length for length, _ in found) / 1e6
    first = max(first for _, first in found)
    more = _memory(server, "VmHWM") - before
    print(
        f"{name:18} {size:8.1f} MB in {took:5.1f} s, first byte after {first:4.1f} s, {more:6.1f} MB more", flush=True
    )


def _at_once(port: int) -> list[Answer]:
    found: list[Answer] = []
    threads = [threading.Thread(target=lambda: found.append(_ask(port, ROUTE, {}))) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _ask(port: int, path: str, headers: dict[str, str]) -> Answer:
    """Bytes of the answer, and seconds to the first."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    length, first = len(answer.read(1)), time.monotonic() - began
    while piece := answer.read(1 << 20):
        length += len(piece)
    connection.close()
    return length, first


def _memory(server: subprocess.Popen[str], name: str) -> float:
    """Megabytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1e3


def _port(server: subprocess.Popen[str]) -> int:
    for line in server.stderr or ():
        if "listening on" in line:
            return int(line.rpartition(":")[2])
    raise SystemExit("the server has ended")


def _fill(folder: Path, megabytes: int) -> None:
    """Write day files like those of `live_record: all`, and the candles of as many days."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    pattern = _signal()
    count = int(megabytes * 1e6 / len(arrays.encode(pattern)))
    with TrainingStore(folder) as store:
        for timeframe in ("5m", "1h", "4h", "1d"):
            step = length_ms(timeframe)
            moments = np.arange(now_ms // step * step - DAYS * DAY_MS, now_ms - step, step)
            store.append_candles(
                MARKET, timeframe, moments, *np.random.default_rng(1).uniform(9, 11, (5, len(moments)))
            )
    by_file: dict[str, list[bytes]] = {}
    for number in range(count):
        moment_ms = now_ms - (count - number) * DAYS * DAY_MS // count + 1
        opened = iso(moment_ms // FIVE_MINUTES_MS * FIVE_MINUTES_MS - FIVE_MINUTES_MS)
        record = {**pattern, "timestamp": iso(moment_ms), "candle_time": opened, "candle_closed": number % 10 == 0}
        name = names.day_file(MARKET, moment_ms)
        by_file.setdefault(name, []).append(arrays.encode(record))
    for name, lines in by_file.items():
        (folder / "signals" / name).write_bytes(arrays.whole(lines))
    size = sum(path.stat().st_size for path in folder.rglob("*.json")) / 1e6
    print(f"{DAYS} days, {count} signals, {size:.0f} MB of JSON", flush=True)


def _signal() -> dict[str, object]:
    prices = np.random.default_rng(2).uniform(99, 101, 100)
    return frames.signal(pd.DataFrame(dict.fromkeys(frames.COLUMNS, prices)), MARKET, "scalp", "5m", StreamConfig())


def _options() -> argparse.Namespace:
    build = argparse.ArgumentParser(prog="bench_dataset", description="Memory of answers with training data.")
    build.add_argument("--megabytes", type=int, default=300, help="of JSON on disk (default: 300)")
    build.add_argument("--fresh", action="store_true", help="a new server for each question")
    return build.parse_args()


if __name__ == "__main__":
    main()
