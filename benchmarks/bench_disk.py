"""What a day of scanning takes on the disk, per market: ``python -m benchmarks.bench_disk``.

A signal cycle every 30 s of a whole UTC day, on generated candles; between them prices walk 0.05 % a cycle, which makes
0.16 % in 5 minutes.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.bench_cycle import EXCHANGE, MIDNIGHT, START, Scan
from scanner.config import StreamConfig
from scanner.timeframes import DAY_MS, MINUTE_MS

CYCLE_MS = MINUTE_MS // 2
STEP = 0.0005
FOLDERS = ("signals", "clustering", "gaps")


class Day(Scan):
    """A scan whose prices walk from cycle to cycle."""

    def _tick(self, now_ms: int) -> None:
        book = self.books.by_exchange.get(EXCHANGE)
        if book is None:
            return
        if now_ms % (5 * MINUTE_MS) < CYCLE_MS:
            self._walk = np.zeros(len(self.markets))
        self._walk = getattr(self, "_walk", 0.0) + STEP * self._draw.standard_normal(len(self.markets))
        price = book.closed_base()[:, -1] * np.exp(self._walk)
        nothing = np.full(len(price), np.nan)
        self._table = self._table.with_sweep(now_ms, self.markets, (price, nothing, nothing, nothing), 100)
        self.state.publish_ticks(EXCHANGE, self._table)


def main() -> None:
    options = _options()
    logging.basicConfig(level="ERROR")
    print(f"{'live_record':<14}" + "".join(f"{name:>16}" for name in FOLDERS) + f"{'signals a day':>16}")
    for live_record in options.live_record:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{live_record:<14}{day_line(Path(folder), live_record, options.markets, options.hours)}")
    print("KB per market, of the files of that day; candles are in bench_candles")


def day_line(folder: Path, live_record: str, markets: int, hours: float) -> str:
    scan = Day(markets, str(folder), StreamConfig(live_record=live_record), hours=25)
    scan.at(START)
    scan.settle()
    for now_ms in range(MIDNIGHT, MIDNIGHT + int(hours * DAY_MS / 24), CYCLE_MS):
        scan.at(now_ms + 1)
    scan.store.close()
    signals = sum(path.read_bytes().count(b"\n{") for path in folder.glob("signals/[!.]*"))
    sizes = {name: sum(path.stat().st_size for path in folder.glob(f"{name}/[!.]*")) for name in FOLDERS}
    share = 24 / hours / markets
    return "".join(f"{size * share / 1000:>13,.0f} KB" for size in sizes.values()) + f"{signals * share:>16,.0f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Disk use of a day per market.")
    parser.add_argument("--markets", type=int, default=10, help="how many (default %(default)s)")
    parser.add_argument("--hours", type=float, default=24, help="of the day (default %(default)s)")
    parser.add_argument("--live-record", nargs="*", default=["none", "changes", "all"], help="which settings")
    return parser.parse_args()


if __name__ == "__main__":
    main()
