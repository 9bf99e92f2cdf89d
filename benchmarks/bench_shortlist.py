"""How well the estimate of the full scan foretells its close look: ``python -m benchmarks.bench_shortlist``.

Every generated market gets both. Compared are the ranks that the estimate gives to the ten best of the close look, once
on the newest 100 candles and once on all 500 that the close look has: the continuous scan looks closely at 30.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from scanner.core.candles import Candles, Float
from scanner.fullscan.estimate import estimated_scores
from scanner.fullscan.frames import frame_of, windows_of
from scanner.fullscan.panel import TOP
from scanner.fullscan.scan import SHORTLIST, Order, best_places, scan_frames
from scanner.fullscan.settings import MOST_CANDLES, get_dynamic_config, plan_for
from scanner.simulated import generated
from scanner.timeframes import LENGTH_MS

AT_MS = 1_760_000_400_000  # 9 October 2025
TIMEFRAMES = ("5m", "1h", "4h", "1d")


def main() -> None:
    build = argparse.ArgumentParser(prog="bench_shortlist", description=__doc__)
    build.add_argument("--markets", type=int, default=200)
    build.add_argument("--seed", type=int, default=3)
    build.add_argument("--timeframes", nargs="+", default=TIMEFRAMES)
    given = build.parse_args()
    print(f"{'':>9}  {'candles':>7}  {'recall':>6}  {'worst rank':>10}  {'error, median':>13}  {'95 %':>6}")
    for timeframe in given.timeframes:
        for line in lines(market_frames(given.seed, given.markets, timeframe), timeframe):
            print(line)


def market_frames(seed: int, markets: int, timeframe: str) -> dict[str, pd.DataFrame]:
    source, length = generated(seed, markets), LENGTH_MS[timeframe]
    symbols = [listing.symbol for listing in source.listings()][:markets]
    since = AT_MS - (MOST_CANDLES - 1) * length
    series = {symbol: source.candles(symbol, timeframe, since, AT_MS, AT_MS) for symbol in symbols}
    return {
        symbol: frame_of(s.open_time, Candles(s.open, s.high, s.low, s.close, s.volume)) for symbol, s in series.items()
    }


def lines(frames: dict[str, pd.DataFrame], timeframe: str) -> list[str]:
    config = get_dynamic_config()
    order = Order("simulated", plan_for(timeframe, config), config, AT_MS, top_n=len(frames), close_looks=len(frames))
    scores = {row["symbol"]: row["combined_score"] for row in scan_frames(frames, order).rows}
    windows, symbols = windows_of(frames), list(frames)
    close = np.array([scores[symbol] for symbol in symbols])
    told = []
    for count in (100, MOST_CANDLES):
        estimates = estimated_scores(windows.last(count), order.plan, config)
        told.append(f"{timeframe:>9}  {count:>7}  {line(estimates, close)}")
    return told


def line(estimates: Float, close: Float) -> str:
    ranks = np.argsort(best_places(estimates, len(estimates)))[best_places(close, TOP)]
    errors = np.abs(estimates - close)
    recall = np.mean(ranks < SHORTLIST * TOP)
    return f"{recall:>6.2f}  {ranks.max() + 1:>10}  {np.median(errors):>13.2f}  {np.quantile(errors, 0.95):>6.2f}"


if __name__ == "__main__":
    main()
