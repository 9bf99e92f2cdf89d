"""Foreign things for a data folder: what cannot be a file of ours, foreign bytes under our names, and other names."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scanner.store import regular


def folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("theirs")


def link_outside(path: Path) -> None:
    outside = path.parents[2] / "outside"
    outside.mkdir(exist_ok=True)
    (outside / path.name).write_text("[]\n")
    path.symlink_to(outside / path.name)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.parents[2] / "nowhere" / path.name)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def huge_file(path: Path) -> None:
    path.touch()
    os.truncate(path, 2 * regular.LARGEST)


STRANGERS: dict[str, Callable[[Path], None]] = {
    "is a folder": folder,
    "is a link": link_outside,
    "is a link to nowhere": link_to_nowhere,
    "is a link to itself": link_to_itself,
    "is a pipe": os.mkfifo,
    "is a socket": socket,
    "is larger than any file": huge_file,
}


def parquet(**columns: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


NAMES = ("open", "high", "low", "close", "volume")
PRICES = {name: [1.0] for name in NAMES}
CONTENTS: dict[str, bytes] = {
    "an object": b'{"a": 1}',
    "numbers": b"[1, 2, 3]",
    "arrays": b"[[1, 2], []]",
    "NaN": b'[{"timestamp": NaN}]',
    "strange records": b'[{"timestamp": [], "timeframe": {}, "symbol": 5, "exchange": null, "from": "x"}, {}]',
    "far times": b'[{"timestamp": 1e300, "from": "9999-12-31T23:59:59Z", "to": -1, "known_at": true}]',
    "a byte order mark": b"\xef\xbb\xbf[]\n",
    "lines of another system": b'[\r\n{"timestamp": "2025-10-24"}\r\n]\r\n',
    "UTF-16": '[{"timestamp": "2025-10-24"}]'.encode("utf-16"),
    "zeros": bytes(5000),
    "deep brackets": b"[" * 200_000,
    "other columns": parquet(a=[1], b=["x"]),
    "other types": parquet(timestamp=["soon"], **{name: [[1]] for name in NAMES}),
    "no time": parquet(timestamp=pa.array([None], pa.int64()), **PRICES),
    "nanoseconds": parquet(timestamp=[1_761_264_000_000_000_000], **PRICES),
    "many columns": parquet(**{f"c{number}": [1] for number in range(30_000)}),
    "half a magic number": b"PAR1\0\0\0\0PAR1",
}

OTHER_NAMES = (
    *("Thumbs.db", ".DS_Store", "desktop.ini", "notes.txt", ".hidden.tmp", ".name.parquet.tmp", ".x.json.twin"),
    *("binance_btcusdt_5m.parquet", "BINANCE_BTCUSDT_5m.parquet", "binance_BTCUSDT_7m.parquet", "binance_BTCUSDT.json"),
    *("binance_BTCUSDT_5m-0000-01.parquet", "binance_BTCUSDT_5m-9999-12.parquet", "binance_BTCUSDT_2025-99-99.json"),
    *("binance_zzz.json", "binance_2025-02-30.json", "candles-1.journal", "candles-0000000x.journal"),
    *("binance_BTCUSDT_5m.parquet.corrupt-1", "new\nline.json", "\N{ROCKET}.json", "x" * 250 + ".json", "\udcff.json"),
)


def settle(base: Path, names: Iterable[str]) -> list[Path]:
    """Put files of these names into a data folder and into each folder in it; returns their paths."""
    paths = [inside / name for inside in (base, *base.iterdir()) if inside.is_dir() for name in names]
    for path in paths:
        path.write_bytes(b"theirs")
    return paths


def print_of(paths: Iterable[Path]) -> dict[Path, object]:
    """What shows whether anything was changed, of things and of what is in them."""
    return {each: _print(each) for path in paths for each in (path, *(path.rglob("*") if _is_folder(path) else ()))}


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _print(path: Path) -> object:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return path.readlink(), _print(path.resolve()) if path.is_file() else None
    small = stat.S_ISREG(status.st_mode) and status.st_size < regular.LARGEST
    return status.st_mode, status.st_ino, hashlib.sha256(path.read_bytes()).digest() if small else status.st_blocks
