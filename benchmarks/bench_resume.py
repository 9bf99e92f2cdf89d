"""How soon a killed scan is fresh again: ``python -m benchmarks.bench_resume --markets 500``.

An exchange in this process, which lives on, is scanned by another one, at real speed. That process is killed, and
started again after a pause. Fresh is a market and timeframe that has a signal made since the start. Exchange and
scanner share the machine's processors. Requests are the exchange's own count. The first scan finds candles up to an
hour ago on disk: for whole histories of hundreds of markets the exchange takes minutes to make them up.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scanner.clock import WallClock
from scanner.config import StreamConfig
from scanner.gateway.specs import ExchangeSpec
from scanner.logs import set_up_logging
from scanner.markets import Market
from scanner.runtime.query import SignalQuery
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import GeneratedMarkets, SimulatedExchange, binance_urls, generated
from scanner.store.store import TrainingStore
from scanner.timeframes import HOUR_MS, length_ms

SHARES = (0.5, 0.9, 1.0)
LONGEST_S = 600.0


def main() -> None:
    options = _options()
    if options.child:
        return scan(*options.child)
    source = generated(1, options.markets)
    with tempfile.TemporaryDirectory() as folder, SimulatedExchange(source, WallClock()) as exchange:
        symbols = [listing.symbol for listing in source.listings() if ":" not in listing.symbol][: options.markets]
        (Path(folder) / "symbols").write_text("\n".join(symbols))
        _fill(folder, source, symbols)
        process = _measured("first start", folder, exchange)
        time.sleep(options.seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"killed; {len(list(Path(folder).glob('ohlcv/*.parquet')))} files of candles; {options.down:g} s pass")
        time.sleep(options.down)
        process = _measured("after the kill", folder, exchange)
        process.send_signal(signal.SIGKILL)
        process.wait()


def _fill(folder: str, source: GeneratedMarkets, symbols: list[str]) -> None:
    """Keep the candles of every symbol up to an hour ago, as a scan that ended then has left them."""
    until_ms = WallClock().now_ms() - HOUR_MS
    with TrainingStore(folder) as store:
        for timeframe in StreamConfig().styles.values():
            step = length_ms(timeframe)
            for symbol in symbols:
                found = source.candles(symbol, timeframe, until_ms - 650 * step, until_ms - step, until_ms)
                store.append_candles(Market("simulated", symbol), timeframe, *found.columns())
        store.flush()
    print(f"{len(symbols)} markets have candles on disk", flush=True)


def _measured(name: str, folder: str, exchange: SimulatedExchange) -> subprocess.Popen[str]:
    """Start a scan and print how long it took to be fresh, and what it asked for."""
    began, requests = time.monotonic(), exchange.requests["/api/v3/klines"]
    command = [sys.executable, "-m", "benchmarks.bench_resume", "--child", folder, exchange.url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("|"):
            print(f"{name}: {time.monotonic() - began:5.1f} s {line[1:].strip()}", flush=True)
        if line.startswith("| all"):
            break
    print(f"{name}: {exchange.requests['/api/v3/klines'] - requests} requests for candles", flush=True)
    return process


def scan(folder: str, url: str) -> None:
    """Scan until killed, and say how many signals there are."""
    set_up_logging("WARNING")
    symbols = (Path(folder) / "symbols").read_text().split()
    spec = ExchangeSpec("simulated", "binance", binance_urls(url), simulated=True)
    settings = Settings(simulated=True, resume=True, data_dir=folder)
    service = ScannerService(settings, venues=lambda *_: Venue((spec,), WallClock()))
    word = "resumed" if service.resume() else "started"
    if word == "started":
        service.start(service.order(symbols, ["simulated"]))
    print(f"| process up, scan {word}", flush=True)
    for share in SHARES:
        wanted = int(share * 4 * len(symbols))
        while len(service.signals(SignalQuery(limit=100_000))) < wanted:
            time.sleep(0.2)
        print(f"| {'all' if share == 1 else f'{share:.0%} of the'} {4 * len(symbols)} are fresh", flush=True)
    time.sleep(LONGEST_S)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How soon a killed scan is fresh again.")
    parser.add_argument("--markets", type=int, default=500, help="simulated markets (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="to scan before the kill (default %(default)s)")
    parser.add_argument("--down", type=float, default=30, help="seconds until the restart (default %(default)s)")
    parser.add_argument("--child", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
