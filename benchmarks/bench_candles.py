"""How long OHLCV files are, and what the disk writes for a candle: ``python -m benchmarks.bench_candles``.

length    a file that grows six candles at a time, against one that is written at once
writing   a day of closes on four timeframes, at the pace of a scan of so many markets and with a clock turned by hand
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.bench_store import NOW, TIMEFRAMES
from scanner.markets import Market
from scanner.store import files, ohlcv, places, schedule
from scanner.store.candle_files import CandleFiles
from scanner.store.names import candle_file
from scanner.store.ohlcv import Rows
from scanner.store.schedule import FILES_AT_THAT_PACE
from scanner.timeframes import DAY_MS, LENGTH_MS, MINUTE_MS

MORE = 6  # new candles when a file is rewritten: 5m, every half an hour, as with 8,000 files
SAMPLE = 40  # markets that stand for more
STORED = 600  # candles that a start fetches


def main() -> None:
    options = _options()
    _print("candles", "file", "rewritten", "candles", "file", "at once", "longest", "mean")
    for count in options.candles:
        _print(*length(count, options.rewrites))
    print()
    _print("markets", "candles a day", "journal", "files", "all, a day", "room", "at once")
    for markets in options.markets:
        with tempfile.TemporaryDirectory() as folder:
            _print(*writing(Path(folder), markets))


def _print(*cells: str) -> None:
    print("".join(f"{cell:>14}" for cell in cells))


def length(count: int, rewrites: int) -> list[str]:
    everything = walk(0, count + MORE * rewrites)
    file, sizes = ohlcv.encode(_between(everything, 0, count)), list[int]()
    for first in range(count, len(everything), MORE):
        stored, wanted = _between(everything, 0, first), _between(everything, 0, first + MORE)
        longer = places.continued(file, _between(everything, first, first + MORE))
        file = longer or places.rewritten(file, stored, wanted)
        sizes.append(len(file))
    ratios = np.array(sizes) / [len(file) for file in _at_once(everything, count)]
    first, last, alone = ohlcv.encode(_between(everything, 0, count)), file, ohlcv.encode(everything)
    grown = [f"{count:,}", _kb(first), f"{rewrites:,}", f"{len(everything):,}", _kb(last), _kb(alone)]
    return [*grown, f"{ratios.max():.2f}x", f"{ratios.mean():.2f}x"]


def _at_once(everything: Rows, count: int) -> list[bytes]:
    return [ohlcv.encode(_between(everything, 0, end)) for end in range(count + MORE, len(everything) + 1, MORE)]


def writing(folder: Path, markets: int) -> list[str]:
    """A scan of `SAMPLE` markets, whose files are rewritten as rarely as with `markets` of them."""
    clock = [0.0]
    schedule.FILES_AT_THAT_PACE = max(1, FILES_AT_THAT_PACE * SAMPLE // markets)  # type: ignore[misc]
    coins = [Market("binance", f"C{number}/USDT") for number in range(SAMPLE)]
    names = [(candle_file(market, each), each) for market in coins for each in TIMEFRAMES]
    prices = {name: walk(NOW - STORED * LENGTH_MS[each], STORED + 300, each) for name, each in names}
    (folder / "journal").mkdir()
    kept = CandleFiles(folder, folder / "journal", lambda: clock[0], lambda *_: None)
    kept.open()
    kept.add_all([(name, prices[name].before(NOW)) for name, _ in names])
    kept.write_all()
    written, in_files, candles = _written(), 0, 0
    replace_all = files.replace_all

    def noting(changes: list[files.Change]) -> None:
        nonlocal in_files
        in_files += sum(len(change.data) for change in changes)
        replace_all(changes)

    files.replace_all = noting  # type: ignore[assignment]
    for now_ms in range(NOW, NOW + DAY_MS, MINUTE_MS):
        clock[0] = (now_ms - NOW) / 1000
        closed = [
            (name, prices[name].since(now_ms - LENGTH_MS[each]).before(now_ms - LENGTH_MS[each] + 1))
            for name, each in names
            if now_ms > NOW and now_ms % LENGTH_MS[each] == 0
        ]
        candles += sum(len(rows) for _, rows in closed)
        kept.add_all(closed)
        kept.write_due()
    files.replace_all = replace_all
    in_journal = _written() - written - in_files
    room = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    needed = sum(len(ohlcv.encode(kept.candles(name))) for name, _ in names)
    kept.close()
    share = markets / SAMPLE / 1e6
    each = [f"{size / candles:,.0f} bytes" for size in (in_journal, in_files)]
    a_day = [f"{size * share:,.0f} MB" for size in (in_journal + in_files, room, needed)]
    return [f"{markets:,}", f"{candles * markets / SAMPLE:,.0f}", *each, *a_day]


def walk(start_ms: int, count: int, timeframe: str = "5m") -> Rows:
    """Candles whose prices walk 0.16 % in 5 minutes, with as many digits as an exchange tells."""
    draw = np.random.default_rng(count)
    step = 0.0016 * np.sqrt(LENGTH_MS[timeframe] / LENGTH_MS["5m"])
    close = 67_000 * np.exp(step * draw.standard_normal(count).cumsum())
    opened = np.concatenate([close[:1], close[:-1]])
    reach = 1 + step * np.abs(draw.standard_normal((2, count))) / 2
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    volume = draw.lognormal(3, 1, count)
    values = np.stack([opened.round(2), high.round(2), low.round(2), close.round(2), volume.round(5)], axis=-1)
    return Rows(start_ms + LENGTH_MS[timeframe] * np.arange(count), values)


def _between(candles: Rows, first: int, end: int) -> Rows:
    return Rows(candles.open_time[first:end], candles.values[first:end])


def _kb(file: bytes) -> str:
    return f"{len(file) / 1000:,.0f} KB"


def _written() -> int:
    """Bytes that this process has handed to the system to be written."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["wchar"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Length of OHLCV files, and bytes written for a candle.")
    parser.add_argument("--candles", type=int, nargs="*", default=[100, 500, 5000, 30_000], help="of a file at first")
    parser.add_argument("--rewrites", type=int, default=300, help="of such a file (default %(default)s)")
    parser.add_argument("--markets", type=int, nargs="*", default=[40, 500, 2000], help="sizes of a scan")
    return parser.parse_args()


if __name__ == "__main__":
    main()
