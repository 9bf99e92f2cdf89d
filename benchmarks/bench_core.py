"""Batch analysis against one market at a time, in the same run: ``python -m benchmarks.bench_core``.

Both sides get the same 100-candle windows and must find the same signal types. The plain side runs on a sample; its
cost is per market-timeframe, so no more of them would change it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd

from benchmarks.generated import walks
from benchmarks.plain import analyse_plain
from scanner.config import WINDOW, StreamConfig
from scanner.core.analysis import analyse
from scanner.core.candles import Candles
from scanner.records import SIGNAL_TYPES

SIZES = (1_000, 8_000)
HELD = 500  # candles in memory per market-timeframe; the window is a view of the newest 100
SAMPLE = 150
REPEATS = 7


def main() -> None:
    print(f"{'market-timeframes':>18}  {'scoring':<10}  {'batch':>10}  {'each':>8}  {'plain, each':>11}  {'ratio':>8}")
    for size in SIZES:
        held = walks(size, HELD, seed=size)
        for scoring in ("absolute", "calibrated"):
            print(row(held, StreamConfig(scoring=scoring)))
    print(
        f"\nbest of {REPEATS} runs; plain is timed on {SAMPLE} of the same windows, per market, and not on all of them"
    )


def row(held: Candles, config: StreamConfig) -> str:
    """One line of the table; raises AssertionError when the two ways disagree."""
    size, window = len(held.close), held.last(WINDOW)
    batch_s = best(lambda: analyse(window, config), REPEATS)
    frames = [frame(window.rows(market)) for market in range(SAMPLE)]
    plain_s = best(lambda: [analyse_plain(each, config) for each in frames], 1) / SAMPLE
    found = [SIGNAL_TYPES[kind] for kind in analyse(window, config).signal_type[:SAMPLE]]
    assert found == [analyse_plain(each, config)["signal_type"] for each in frames]
    each_s = batch_s / size
    return (
        f"{size:>18,}  {config.scoring:<10}  {batch_s * 1e3:>7.1f} ms  {each_s * 1e6:>5.2f} µs  "
        f"{plain_s * 1e6:>8,.0f} µs  {plain_s / each_s:>7,.0f}x"
    )


def best(work: Callable[[], object], repeats: int) -> float:
    """Shortest time of `repeats` runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def frame(candles: Candles) -> pd.DataFrame:
    """One window as a DataFrame."""
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame(dict(zip(names, candles.columns(), strict=True)))


if __name__ == "__main__":
    main()
