"""An exchange of many markets that costs next to nothing, in a process of its own: ``python -m benchmarks.waves``.

Prices are waves, computed for any moment alone, so that 2,000 markets and years of history need no making. It prints
its address, and ends with its input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from scanner.clock import WallClock
from scanner.core.candles import Float, Int
from scanner.simulated import Limits, Listing, Series, SimulatedExchange, Statistics
from scanner.timeframes import DAY_MS, LENGTH_MS

PERIODS_MS = np.array([2.3e6, 1.7e7, 3.1e8])
HEIGHTS = np.array([0.004, 0.03, 0.2])


class Waves:
    """A `MarketSource` of `markets` pairs, W0001/USDT and on; each is three waves of its own phases."""

    timeframes = tuple(LENGTH_MS)

    def __init__(self, markets: int) -> None:
        self._phases = np.random.default_rng(markets).uniform(0, 6.283, (markets, 3))
        names = [f"W{i:04}" for i in range(1, markets + 1)]
        self._listings = [Listing(f"{name}/USDT", name, "USDT", None, decimals=6, listed_ms=0) for name in names]
        self._position = {listing.symbol: i for i, listing in enumerate(self._listings)}

    def listings(self) -> Sequence[Listing]:
        return self._listings

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int, now_ms: int) -> Series:
        length, market = LENGTH_MS[timeframe], self._position[symbol]
        open_time = np.arange(-(-start_ms // length) * length, min(end_ms, now_ms) + 1, length, dtype=np.int64)
        opened = self._price(market, open_time)
        closed = self._price(market, np.minimum(open_time + length, now_ms))
        noise = np.modf(open_time * 1e-5 * (market + 1.7))[0]  # 0..1, some number for each candle
        volume = np.round(100 * (0.3 + noise) * np.minimum(now_ms - open_time, length) / 60_000, 3)
        top, bottom = np.maximum(opened, closed) * (1 + 1e-3 * noise), np.minimum(opened, closed) * (1 - 1e-3 * noise)
        return Series(open_time, opened, np.round(top, 6), np.round(bottom, 6), closed, volume)

    def last_prices(self, now_ms: int) -> Float:
        return self._price(slice(None), np.array([now_ms]))

    def statistics_24h(self, now_ms: int) -> Statistics:
        opened, last = self.last_prices(now_ms - DAY_MS), self.last_prices(now_ms)
        volume = np.full(len(last), 2e5)
        return Statistics(opened, np.maximum(opened, last), np.minimum(opened, last), last, volume, volume * last)

    def _price(self, market: int | slice, at_ms: Int) -> Float:
        angles = 6.283 * at_ms[:, None] / PERIODS_MS + self._phases[market]  # [times or markets, 3]
        return np.round(100 * np.exp((HEIGHTS * np.sin(angles)).sum(axis=-1)), 6)


def main() -> None:
    parser = argparse.ArgumentParser(description="An exchange for load tests; ends with its input.")
    parser.add_argument("--markets", type=int, default=2000)
    with SimulatedExchange(Waves(parser.parse_args().markets), WallClock(), limits=Limits(binance_weight=10**9)) as up:
        print(up.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
