"""The training dataset of a symbol, put together from the files of all markets it means. Reads only."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from scanner.errors import StoreFailure
from scanner.markets import Market
from scanner.records import iso, utc
from scanner.store import arrays, names
from scanner.store.moments import moment_ms
from scanner.store.ohlcv import COLUMNS, Rows
from scanner.timeframes import DAY_MS

logger = logging.getLogger(__name__)

Record = dict[str, Any]


def records(folder: Path, markets: Iterable[Market], start_ms: int) -> list[Record]:
    """All records of `markets` whose timestamp is `start_ms` or later, oldest first.

    Half a record at the end of a file, as after a power cut, is passed over; so is everything behind foreign bytes.

    Raises
    ------
    StoreFailure
        A file cannot be read.
    """
    wanted = set(markets)
    # a final signal is filed by its candle's open time, up to a day before its timestamp
    first = utc(max(0, start_ms - DAY_MS)).date()
    found = [
        (moment, record)
        for path in _day_files(folder, wanted, first)
        for record in _content(path)
        if (moment := moment_ms(record.get("timestamp"))) is not None and moment >= start_ms
    ]
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]


def newest(folder: Path) -> list[Record]:
    """The newest record of every market and timeframe, from each market's last two day files."""
    last_days: dict[Market, list[Path]] = {}
    for entry in sorted(_names(folder)):
        name = names.try_day_file(entry)
        if name is not None:
            last_days[name.market] = [*last_days.get(name.market, []), folder / entry][-2:]
    found: dict[tuple[Market, str], Record] = {}
    for market, paths in last_days.items():
        content = [record for path in paths for record in _content(path)]
        for record in sorted(content, key=lambda record: str(record.get("timestamp"))):
            found[market, str(record.get("timeframe"))] = record
    return list(found.values())


def ohlcv(candles: Mapping[Market, Rows]) -> list[Record]:
    """The candles as rows with an ISO-8601 timestamp, oldest first; rows of several markets say whose they are."""
    several = len(candles) > 1
    rows = [
        (moment, market, _row(moment, values, market if several else None))
        for market, one in candles.items()
        for moment, values in zip(one.open_time.tolist(), one.values.tolist(), strict=True)
    ]
    return [row for _, _, row in sorted(rows, key=lambda item: item[:2])] if several else [row for _, _, row in rows]


def markets_of(folder: Path) -> set[Market]:
    """The markets that have a file in a folder of day files or of OHLCV files."""
    return {name.market for entry in _names(folder) if (name := _parsed(entry)) is not None}


def _parsed(name: str) -> names.DayName | names.CandleName | None:
    return names.try_day_file(name) or names.try_candle_file(name)


def _day_files(folder: Path, wanted: set[Market], first: date) -> Iterator[Path]:
    for entry in sorted(_names(folder)):
        name = names.try_day_file(entry)
        if name is not None and name.day >= first and name.market in wanted:
            yield folder / entry


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _content(path: Path) -> Sequence[Record]:
    try:
        content = arrays.read(path.read_bytes())
    except FileNotFoundError:  # gone since the folder was listed
        return ()
    except OSError as error:
        raise StoreFailure(f"{path.name}: cannot be read: {error.strerror}") from error
    if content.state is not arrays.State.SOUND:
        logger.warning("%s is %s, %d records are whole", path.name, content.state.value, len(content.records))
    return content.records


def _row(moment: int, values: Sequence[float], market: Market | None) -> Record:
    numbers = (value if math.isfinite(value) else None for value in values)
    row: Record = {"timestamp": iso(moment), **dict(zip(COLUMNS, numbers, strict=True))}
    return row if market is None else {**row, "exchange": market.exchange, "symbol": market.symbol}
