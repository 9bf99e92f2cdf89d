"""Where the history of one market and timeframe is cut: a head that grows, and sealed parts that do not. Pure.

``binance_BTCUSDT_5m.parquet`` is the head; ``binance_BTCUSDT_5m-2025-07.parquet`` holds a calendar month before it; on
timeframes from an hour up a part is a calendar year. Sorted by name they are sorted by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

import numpy as np

from scanner.store.ohlcv import Rows
from scanner.timeframes import DAY_MS, HOUR_MS, length_ms

HEAD_DAYS = 90
HEAD_ROWS = 10_000  # or as many candles, if that is longer: a head of 90 daily candles would be no file to speak of


def part_of(head: str, period: str) -> str:
    """Name of the part that holds `period` of the history whose head is named `head`."""
    return f"{head.removesuffix('.parquet')}-{period}.parquet"


def end_ms(period: str) -> int:
    """When a period such as ``2025-07`` or ``2025`` ends, epoch ms."""
    year, _, month = period.partition("-")
    following = date(int(year) + int(month or 12) // 12, int(month or 12) % 12 + 1, 1)
    return int(datetime.combine(following, time(), UTC).timestamp()) * 1000


def cut_ms(candles: Rows, timeframe: str) -> int:
    """The candles before this moment belong into sealed parts; 0 when all belong into the head."""
    if len(candles) <= HEAD_ROWS:
        return 0
    kept_ms = min(int(candles.open_time[-1]) - HEAD_DAYS * DAY_MS, int(candles.open_time[-HEAD_ROWS]))
    begins = np.datetime64(kept_ms, "ms").astype(f"datetime64[{_unit(timeframe)}]")
    return int(begins.astype("datetime64[ms]").astype(np.int64))


def by_period(candles: Rows, timeframe: str) -> Iterator[tuple[str, Rows]]:
    """The candles of each calendar month or year, oldest first."""
    if not len(candles):
        return
    periods = candles.open_time.astype("datetime64[ms]").astype(f"datetime64[{_unit(timeframe)}]")
    found, starts = np.unique(periods, return_index=True)
    for period, start, end in zip(found, starts, [*starts[1:], len(candles)], strict=True):
        yield str(period), Rows(candles.open_time[start:end], candles.values[start:end])


def _unit(timeframe: str) -> str:
    return "M" if length_ms(timeframe) < HOUR_MS else "Y"
