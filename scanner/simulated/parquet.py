"""Reading recorded candles: what is in a Parquet file, and which files of a folder belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scanner.core.candles import Bool, Int
from scanner.errors import InvalidInput
from scanner.markets import SYMBOL
from scanner.simulated.source import Series, joined
from scanner.timeframes import DAY_MS, LENGTH_MS

COLUMNS = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
_NAMES = {length: name for name, length in LENGTH_MS.items()}
_EARLIEST_MS = 10**11  # 1973; smaller numbers are seconds
_FAR_MS = 2 * DAY_MS  # files further apart are not one recording


@dataclass(frozen=True)
class Tape:
    """One file: candles of one timeframe, by symbol."""

    name: str
    length_ms: int
    series: dict[str, Series]
    notes: tuple[str, ...] = ()

    @property
    def start_ms(self) -> int:
        return min(int(series.open_time[0]) for series in self.series.values())

    @property
    def end_ms(self) -> int:
        return max(int(series.open_time[-1]) for series in self.series.values()) + self.length_ms

    @property
    def rows(self) -> int:
        return sum(map(len, self.series.values()))


@dataclass(frozen=True)
class Cut:
    """What is replayed: the finest candles, and coarser ones from before them by length, both by symbol."""

    length_ms: int
    fine: dict[str, Series]
    warm: dict[str, dict[int, Series]]
    notes: tuple[str, ...]


def read_folder(path: Path, symbols: Sequence[str] | None) -> list[Tape]:
    """The usable files of a folder, by name; a file that cannot be used is noted on the first one that can.

    Raises
    ------
    InvalidInput
        None can be used.
    """
    tapes, refused = [], []
    for file in sorted(path.glob("*.parquet")):
        try:
            tapes.append(read_file(file, symbols))
        except InvalidInput as error:
            refused.append(f"{file.name} is left out: {error.expected}")
    if not tapes:
        reasons = "; ".join(refused) or "it has no *.parquet file"
        raise InvalidInput("replay", str(path), f"holds no candles to replay: {reasons}")
    first = tapes[0]
    return [Tape(first.name, first.length_ms, first.series, (*first.notes, *refused)), *tapes[1:]]


def read_file(path: Path, symbols: Sequence[str] | None) -> Tape:
    """One Parquet file of candles.

    Raises
    ------
    InvalidInput
        It cannot be read, lacks a column, holds none of `symbols`, or its timeframe cannot be told.
    """
    table = _read(path, symbols)
    names = table.column("symbol").to_numpy(zero_copy_only=False).astype(str)
    numbers = [_floats(path, table, name) for name in COLUMNS[2:]]
    whole = Series(_times(path, table.column("timestamp")), *numbers)
    sound = _is_sound(whole)
    series, notes = {}, []
    if not sound.all():
        notes.append(f"{path.name}: {int((~sound).sum())} impossible candles are left out")
    for symbol in sorted(set(names.tolist())):
        if not SYMBOL.fullmatch(symbol):
            raise InvalidInput("replay", str(path), f"has symbol {symbol!r}; needs the form BTC/USDT or BTC/USDT:USDT")
        mine = whole.take((names == symbol) & sound)
        _, first = np.unique(mine.open_time, return_index=True)  # sorted by time, the first of duplicates
        if len(first):
            series[symbol] = mine.take(first)
    if not series:
        wanted = f" of {', '.join(symbols)}" if symbols else ""
        raise InvalidInput("replay", str(path), f"has no candles{wanted}")
    return Tape(path.name, _length(path, series), series, tuple(notes))


def cut(tapes: Sequence[Tape]) -> Cut:
    """What is replayed of many files: one recording of the finest timeframe, and older candles of its symbols."""
    notes = [note for tape in tapes for note in tape.notes]
    finest = min(tape.length_ms for tape in tapes)
    chosen = _longest_run([tape for tape in tapes if tape.length_ms == finest], notes)
    fine = _merged(chosen, notes)
    warm: dict[str, dict[int, Series]] = {symbol: {} for symbol in fine}
    for length in sorted({tape.length_ms for tape in tapes if tape.length_ms > finest}):
        for symbol, older in _merged([tape for tape in tapes if tape.length_ms == length], notes).items():
            if symbol in fine:
                before = older.take(older.open_time + length <= fine[symbol].open_time[0])
                warm[symbol] |= {length: before} if len(before) else {}
    missing = sorted({symbol for tape in tapes for symbol in tape.series} - set(fine))
    if missing:
        some = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        notes.append(f"left out, not recorded in {_NAMES[finest]} in the chosen span: {some}")
    return Cut(finest, fine, warm, tuple(notes))


def _longest_run(tapes: Sequence[Tape], notes: list[str]) -> list[Tape]:
    """The files that touch or nearly touch in time and hold the most candles; the others are noted."""
    runs: list[list[Tape]] = []
    for tape in sorted(tapes, key=lambda tape: tape.start_ms):
        if runs and tape.start_ms <= max(other.end_ms for other in runs[-1]) + _FAR_MS:
            runs[-1].append(tape)
        else:
            runs.append([tape])
    best = max(runs, key=lambda run: sum(tape.rows for tape in run))
    for run in runs:
        if run is not best:
            notes.extend(f"{tape.name} is left out: it is another time" for tape in run)
    return sorted(best, key=lambda tape: tape.name)


def _merged(tapes: Sequence[Tape], notes: list[str]) -> dict[str, Series]:
    """Files of one timeframe joined by symbol; where two overlap, the first by name wins."""
    kept: dict[str, list[Series]] = {}
    for tape in sorted(tapes, key=lambda tape: tape.name):
        clashing = []
        for symbol, series in tape.series.items():
            others = kept.setdefault(symbol, [])
            if any(_overlap(series, other) for other in others):
                clashing.append(symbol)
            else:
                others.append(series)
        if clashing:
            notes.append(f"{tape.name} is not used for {', '.join(clashing)}: a file before it has the same time")
    return {symbol: joined(sorted(parts, key=lambda part: int(part.open_time[0]))) for symbol, parts in kept.items()}


def _overlap(one: Series, other: Series) -> bool:
    return bool(one.open_time[0] <= other.open_time[-1] and other.open_time[0] <= one.open_time[-1])


def _read(path: Path, symbols: Sequence[str] | None) -> pa.Table:
    try:
        missing = [name for name in COLUMNS if name not in pq.read_schema(path).names]
        if missing:
            raise InvalidInput("replay", str(path), f"has no column {', '.join(missing)}; needs {', '.join(COLUMNS)}")
        only = [("symbol", "in", list(symbols))] if symbols else None
        return pq.read_table(path, columns=list(COLUMNS), filters=only)
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput("replay", str(path), f"cannot be read as Parquet: {error}") from error


def _times(path: Path, column: pa.ChunkedArray) -> Int:
    """Open times in ms."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("ms", kind.tz), safe=False).cast(pa.int64())
    elif not pa.types.is_integer(kind):
        raise InvalidInput("replay", str(path), f"has a timestamp of type {kind}; needs whole ms or a date and time")
    if column.null_count:
        raise InvalidInput("replay", str(path), "has rows without a timestamp")
    times: Int = column.to_numpy().astype(np.int64)
    if len(times) and times.max() < _EARLIEST_MS:
        raise InvalidInput("replay", str(path), f"has timestamps such as {times[0]}; needs milliseconds since 1970")
    return times


def _floats(path: Path, table: pa.Table, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    try:
        return np.asarray(table.column(name).cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException as error:
        raise InvalidInput("replay", str(path), f"has a column {name} that is not numbers: {error}") from error


def _is_sound(candles: Series) -> Bool:
    """Rows that can be candles: finite, above zero, high and low around open and close."""
    top, bottom = np.maximum(candles.open, candles.close), np.minimum(candles.open, candles.close)
    finite = np.isfinite(candles.high + candles.low + candles.open + candles.close + candles.volume)
    return np.asarray(
        finite & (candles.low > 0) & (candles.high >= top) & (candles.low <= bottom) & (candles.volume >= 0)
    )


def _length(path: Path, series: dict[str, Series]) -> int:
    """The timeframe in ms: the step most candles take."""
    steps: list[int] = [
        later - earlier for one in series.values() for earlier, later in pairwise(one.open_time[:2000].tolist())
    ]
    if not steps:
        raise InvalidInput("replay", str(path), "has a single candle, which does not tell its timeframe")
    length: int = Counter(steps).most_common(1)[0][0]
    if length not in _NAMES:
        raise InvalidInput("replay", str(path), f"has candles {length} ms apart; needs one of {', '.join(LENGTH_MS)}")
    if any((one.open_time % length).any() for one in series.values()):
        raise InvalidInput("replay", str(path), f"has open times that are no multiples of {_NAMES[length]}")
    return length


def timeframe_name(length_ms: int) -> str:
    return _NAMES[length_ms]
