"""What keeping costs, and whether it grows: ``python -m benchmarks.bench_store``.

records   one more signal or cluster in a day file of N, next to reading the file, adding to it and writing it again
candles   one more 5m candle of a market with N days kept, its share of rewriting the Parquet file included, next to
          reading the whole history, merging and writing it again
closing   all timeframes of many markets closing in one cycle: until the candles are on the medium and readable, and
          what is left for later
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanner.markets import Market
from scanner.records import iso
from scanner.store import arrays, ohlcv, parts
from scanner.store.daily import DayFile
from scanner.store.schedule import FILES_AT_THAT_PACE, REWRITE_S, ROWS_AT_THAT_PACE
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, LENGTH_MS

BTC = Market("binance", "BTC/USDT")
NOW = 1_767_225_600_000 // DAY_MS * DAY_MS
STEP = LENGTH_MS["5m"]
TIMEFRAMES = ("5m", "1h", "4h", "1d")


def main() -> None:
    options = _options()
    logging.basicConfig(level="ERROR")
    for kind, one in (("signals", record), ("clusters", cluster)):
        _print(f"{kind} in the file", "append", "of the first", "read, add, write", "of the first")
        costs = dict[int, tuple[float, float]]()
        for count in options.records:
            with folder() as path:
                costs[count] = append_us(path, one, count), rewrite_us(path, one, count)
            first = costs[options.records[0]]
            told = [[f"{us:,.0f} us", f"{us / us1:.2f}x"] for us, us1 in zip(costs[count], first, strict=True)]
            _print(f"{count:,}", *told[0], *told[1])
        print()
    _print("days of 5m kept", "journal", "rewrite", "per candle", "read, merge, write", "head", "parts")
    for days in options.days:
        with folder() as path:
            _print(*candle_costs(path, days))
    print()
    _print("markets", "candles", "stored in", "waiting", "in files after", "again at a start")
    for markets in options.markets:
        with folder() as path:
            _print(*closing(path, markets))


def _print(*cells: str) -> None:
    print("".join(f"{cell:>20}" for cell in cells), flush=True)


def append_us(path: Path, one: Callable[[int], dict[str, Any]], count: int) -> float:
    """Microseconds of one append to an array of `count` records, the median of many."""
    file = path / "binance_BTCUSDT_2026-01-01.json"
    file.write_bytes(arrays.whole([arrays.encode(one(number)) for number in range(count)]))
    day = DayFile(file, lambda record: None)
    for number in range(3):  # the first makes the twin
        day.append([arrays.encode(one(count + number))])
    times = [timed(lambda: day.append([arrays.encode(one(count))])) for _ in range(2000)]
    day.close()
    return 1e6 * statistics.median(times)


def rewrite_us(path: Path, one: Callable[[int], dict[str, Any]], count: int) -> float:
    """Microseconds of adding a record by reading the whole file and writing it again."""
    file = path / "again.json"
    file.write_text(json.dumps([one(number) for number in range(count)]))

    def once() -> None:
        records = json.loads(file.read_text())
        file.write_text(json.dumps([*records, one(count)]))

    return 1e6 * statistics.median(timed(once) for _ in range(3))


def candle_costs(path: Path, days: int) -> list[str]:
    with TrainingStore(path) as store:
        store.append_closed([(BTC, "5m", history(NOW - days * DAY_MS, NOW))])
        store.flush()
        adds, rewrites = [], []
        for cycle in range(40):
            moment = NOW + cycle * STEP
            adds.append(timed(lambda moment=moment: store.append_closed([(BTC, "5m", history(moment, moment + STEP))])))  # type: ignore[misc]
            rewrites.append(timed(lambda: store.write_candles(BTC, "5m")))
        (head,) = store.ohlcv_path.glob("*_5m.parquet")
        rows = len(store.candles(BTC, "5m", parts.cut_ms(store.candles(BTC, "5m"), "5m")))
        size, count = head.stat().st_size, len(list(store.ohlcv_path.glob("*-20*.parquet")))
        whole = path / "whole.parquet"
        whole.write_bytes(ohlcv.encode(store.candles(BTC, "5m")))
        plain_s = statistics.median(timed(lambda: read_merge_write(whole)) for _ in range(3))
    journal_s, rewrite_s = statistics.median(adds), statistics.median(rewrites)
    between = REWRITE_S * max(1.0, rows / ROWS_AT_THAT_PACE) * max(1.0, 8_000 / FILES_AT_THAT_PACE) * 0.75
    each_s = journal_s + rewrite_s * STEP / 1000 / max(between, STEP / 1000)
    told = [f"{each * 1e6:,.0f} us" for each in (journal_s, rewrite_s, each_s, plain_s)]
    return [f"{days:,}", *told, f"{size / 1e6:.2f} MB", str(count)]


def read_merge_write(file: Path) -> None:
    """What pandas users do for one more candle."""
    frame = pd.read_parquet(file)
    one = frame.tail(1).assign(timestamp=frame["timestamp"].iloc[-1] + pd.Timedelta(STEP, "ms"))
    pd.concat([frame, one]).to_parquet(file)


def closing(path: Path, markets: int) -> list[str]:
    """All timeframes of all markets close, in a folder that has their histories; the median of five cycles."""
    named = [Market("binance", f"C{number}/USDT") for number in range(markets)]
    store = TrainingStore(path)
    store.open()
    store.append_closed([(market, each, history(NOW - 5 * STEP, NOW)) for market in named for each in TIMEFRAMES])
    store.flush()
    times = []
    for cycle in range(5):
        closed = [(m, t, history(NOW + cycle * STEP, NOW + (cycle + 1) * STEP)) for m in named for t in TIMEFRAMES]
        times.append(timed(lambda closed=closed: store.append_closed(closed)))  # type: ignore[misc]
    waiting = store.waiting
    store._owning.end()  # as if it had been killed
    again = TrainingStore(path)
    start_s = timed(again.open)
    if again.waiting < waiting:  # more, where a segment holds some that are in their files
        raise SystemExit(f"{waiting} candles waited, {again.waiting} are there again")
    later_s = timed(again.flush)
    again.close(within_s=0)
    candles, stored_ms = markets * len(TIMEFRAMES), statistics.median(times) * 1e3
    return [
        f"{markets:,}",
        f"{candles:,}",
        f"{stored_ms:,.0f} ms",
        f"{waiting:,}",
        f"{later_s:,.1f} s",
        f"{start_s * 1e3:,.0f} ms",
    ]


def history(start_ms: int, end_ms: int) -> ohlcv.Rows:
    moments = np.arange(start_ms, end_ms, STEP)
    prices = np.random.default_rng(start_ms % 2**32).lognormal(0, 0.001, (len(moments), 5)).cumprod(axis=0)
    return ohlcv.Rows(moments, prices)


def record(number: int) -> dict[str, Any]:
    scores = {"momentum_score": 61.25, "reversion_score": 38.5, "combined_score": 52.15, "cluster_strength": 0.4}
    return {"symbol": "BTC/USDT", "exchange": "binance", "timeframe": "5m", "timestamp": iso(NOW + number), **scores}


def cluster(number: int) -> dict[str, Any]:
    found = {"type": "buying", "intensity": 7, "volume_ratio": 1.64, "follow_through": 0.75, "cluster_strength": 0.4}
    return {"symbol": "BTC/USDT", "exchange": "binance", "timeframe": "5m", "timestamp": iso(NOW + number), **found}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cost of keeping records and candles.")
    parser.add_argument("--records", type=int, nargs="*", default=[1, 1000, 10_000, 100_000], help="sizes of a file")
    parser.add_argument("--days", type=int, nargs="*", default=[30, 125, 365, 1825], help="lengths of a history")
    parser.add_argument("--markets", type=int, nargs="*", default=[100, 2000], help="sizes of a scan")
    return parser.parse_args()


if __name__ == "__main__":
    main()
