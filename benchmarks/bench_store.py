"""What keeping costs, and whether it grows: ``python -m benchmarks.bench_store``.

records   one more signal in a day file of N, next to reading the file, adding to it and writing it again
candles   one more 5m candle of a market with N days kept, its share of rewriting the Parquet file included
closing   all timeframes of many markets closing in one cycle: until the candles are on the medium
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scanner.markets import Market
from scanner.records import iso
from scanner.store import arrays, ohlcv, parts
from scanner.store.candle_files import FILES_AT_THAT_PACE, REWRITE_S, ROWS_AT_THAT_PACE
from scanner.store.daily import DayFile
from scanner.store.names import candle_file
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, LENGTH_MS

BTC = Market("binance", "BTC/USDT")
NOW = 1_767_225_600_000 // DAY_MS * DAY_MS
STEP = LENGTH_MS["5m"]
TIMEFRAMES = ("5m", "1h", "4h", "1d")


def main() -> None:
    options = _options()
    logging.basicConfig(level="ERROR")
    print(f"{'records in the file':>20}{'append':>12}{'read, add, write':>20}")
    for count in options.records:
        with folder() as path:
            print(f"{count:>20,}{append_us(path, count):>9,.0f} us{rewrite_us(path, count):>17,.0f} us")
    print(f"\n{'days of 5m kept':>20}{'journal':>12}{'rewrite':>12}{'per candle':>14}{'head':>12}{'parts':>8}")
    for days in options.days:
        with folder() as path:
            print(candle_line(path, days))
    print(f"\n{'markets':>20}{'candles':>12}{'on the medium':>16}{'again at a start':>20}")
    for markets in options.markets:
        with folder() as path:
            print(closing_line(path, markets))


def append_us(path: Path, count: int) -> float:
    """Microseconds of one append to an array of `count` records, the median of many."""
    file = path / "binance_BTCUSDT_2026-01-01.json"
    file.write_bytes(arrays.whole([arrays.encode(record(number)) for number in range(count)]))
    day = DayFile(file, lambda record: None)
    for number in range(3):  # the first makes the twin
        day.append([arrays.encode(record(count + number))])
    times = [timed(lambda: day.append([arrays.encode(record(count))])) for _ in range(500)]
    day.close()
    return 1e6 * statistics.median(times)


def rewrite_us(path: Path, count: int) -> float:
    """Microseconds of adding a record by reading the whole file and writing it again."""
    file = path / "again.json"
    file.write_text(json.dumps([record(number) for number in range(count)]))

    def once() -> None:
        records = json.loads(file.read_text())
        file.write_text(json.dumps([*records, record(count)]))

    return 1e6 * statistics.median(timed(once) for _ in range(3))


def candle_line(path: Path, days: int) -> str:
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
    journal_s, rewrite_s = statistics.median(adds), statistics.median(rewrites)
    between = REWRITE_S * max(1.0, rows / ROWS_AT_THAT_PACE) * max(1.0, 8_000 / FILES_AT_THAT_PACE) * 0.75
    each_s = journal_s + rewrite_s * STEP / 1000 / max(between, STEP / 1000)
    return (
        f"{days:>20,}{journal_s * 1e6:>9,.0f} us{rewrite_s * 1e6:>9,.0f} us{each_s * 1e6:>11,.0f} us"
        f"{size / 1e6:>9.2f} MB{count:>8}"
    )


def closing_line(path: Path, markets: int) -> str:
    """All timeframes of all markets close, in a folder that has their histories; the best of five cycles, one write."""
    named = [Market("binance", f"C{number}/USDT") for number in range(markets)]
    store = TrainingStore(path)
    store.open()
    store.append_closed([(market, each, history(NOW - 5 * STEP, NOW)) for market in named for each in TIMEFRAMES])
    store.flush()
    times = []
    for cycle in range(5):
        closed = [(m, t, history(NOW + cycle * STEP, NOW + (cycle + 1) * STEP)) for m in named for t in TIMEFRAMES]
        times.append(timed(lambda closed=closed: store._candles.add_all(named_rows(closed))))  # type: ignore[misc]
    waiting = store.waiting
    store._ownership.give_back()  # as if it had been killed
    again = TrainingStore(path)
    start_s = timed(again.open)
    if again.waiting < waiting:  # more, where a segment holds some that are in their files
        raise SystemExit(f"{waiting} candles waited, {again.waiting} are there again")
    again.close(within_s=0)
    return f"{markets:>20,}{markets * len(TIMEFRAMES):>12,}{min(times) * 1e3:>13,.0f} ms{start_s * 1e3:>17,.0f} ms"


def named_rows(closed: Sequence[tuple[Market, str, ohlcv.Rows]]) -> list[tuple[str, ohlcv.Rows]]:
    return [(candle_file(market, timeframe), rows) for market, timeframe, rows in closed]


def history(start_ms: int, end_ms: int) -> ohlcv.Rows:
    moments = np.arange(start_ms, end_ms, STEP)
    prices = np.random.default_rng(start_ms % 2**32).lognormal(0, 0.001, (len(moments), 5)).cumprod(axis=0)
    return ohlcv.Rows(moments, prices)


def record(number: int) -> dict[str, Any]:
    scores = {"momentum_score": 61.25, "reversion_score": 38.5, "combined_score": 52.15, "cluster_strength": 0.4}
    return {"symbol": "BTC/USDT", "exchange": "binance", "timeframe": "5m", "timestamp": iso(NOW + number), **scores}


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
