"""The training dataset of a symbol, put together from the files of all markets it means. Reads only."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanner.errors import InvalidInput, StoreFailure
from scanner.markets import Market, Wanted
from scanner.records import iso, utc
from scanner.store import arrays, names, regular
from scanner.store.excerpt import Excerpt
from scanner.store.moments import told_ms, usable_ms
from scanner.store.ohlcv import COLUMNS, Rows
from scanner.timeframes import DAY_MS, length_ms

logger = logging.getLogger(__name__)

LONGEST_DAYS = 36_500
BLOCK = 5_000  # candles made into rows at once

Record = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """What of a symbol's training data is wanted.

    Parameters
    ----------
    wanted : Wanted
        The symbol; without an exchange it means that symbol on every exchange there are files of.
    days : int
        How far back, in days of 24 hours, 1 to 36500: of final signals by the close of their candle, of others by
        when they were made, of candles by their open.
    timeframe : str, optional
        Only that one.
    final_only : bool
        Of the signals only those of closed candles.

    Raises
    ------
    InvalidInput
    """

    wanted: Wanted
    days: int = 30
    timeframe: str | None = None
    final_only: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.days, bool) or not isinstance(self.days, int) or not 1 <= self.days <= LONGEST_DAYS:
            raise InvalidInput("days", self.days, f"is not a whole number from 1 to {LONGEST_DAYS}")
        if self.timeframe is not None:
            length_ms(self.timeframe)

    def wants_signal(self, record: Record) -> bool:
        """Whether a signal is asked for, its time aside."""
        return self.wants_cluster(record) and (not self.final_only or record.get("candle_closed") is True)

    def wants_cluster(self, record: Record) -> bool:
        return self.timeframe in (None, record.get("timeframe"))


@dataclass(frozen=True)
class Selection:
    """What was kept of some markets in some time; the records stay on disk until they are asked for."""

    signals: Excerpt
    candles: Mapping[str, Mapping[Market, Rows]]  # by timeframe, without empty ones
    clustering: Excerpt

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values; see `StoreReader.dataset`."""
        return {
            "signals": list(chain.from_iterable(self.signals.records())),
            "ohlcv": {timeframe: list(chain.from_iterable(ohlcv(each))) for timeframe, each in self.candles.items()},
            "clustering": list(chain.from_iterable(self.clustering.records())),
        }


def excerpt(folder: Path, markets: Iterable[Market], start_ms: int, wants: Callable[[Record], bool]) -> Excerpt:
    """The records of `markets` that are wanted and tell of `start_ms` or later, oldest first.

    A final signal made late, after an outage or by a backfill, is one of its candle's time.

    Raises
    ------
    StoreFailure
        A file cannot be read.
    """
    first = utc(max(0, start_ms - DAY_MS)).date()  # a final signal is filed by its candle's open time

    def is_wanted(record: Record, moment: int) -> bool:
        return told_ms(record, moment) >= start_ms and wants(record)

    return Excerpt(day_files(folder, set(markets), first), is_wanted, usable_ms)


def newest(folder: Path, is_usable: Callable[[Record], bool]) -> list[Record]:
    """The newest usable record of every market and timeframe, from each market's last two day files."""
    last_days: dict[Market, list[Path]] = {}
    for entry in _names(folder):
        name = names.try_day_file(entry)
        if name is not None:
            last_days[name.market] = [*last_days.get(name.market, []), folder / entry][-2:]
    found: dict[tuple[Market, str], Record] = {}
    for market, paths in last_days.items():
        content = [record for path in paths for record in _content(path) if is_usable(record)]
        for record in sorted(content, key=lambda record: str(record.get("timestamp"))):
            found[market, str(record.get("timeframe"))] = record
    return list(found.values())


def ohlcv(candles: Mapping[Market, Rows]) -> Iterator[list[Record]]:
    """The candles as rows with an ISO-8601 timestamp, oldest first, some at a time; rows of several markets say whose.

    What is held beside the candles themselves is bounded.
    """
    several = len(candles) > 1
    for part in blocks(candles):
        yield [
            _row(moment, values, market if several else None)
            for moment, values, market in zip(part.open_time.tolist(), part.values.tolist(), part.markets, strict=True)
        ]


class Block(NamedTuple):
    """Candles of several markets: int64[n], float64[n, 5], and whose each is."""

    open_time: NDArray[np.int64]
    values: NDArray[np.float64]
    markets: list[Market]


def blocks(candles: Mapping[Market, Rows]) -> Iterator[Block]:
    """Candles of several markets oldest first, those of one moment by market, some at a time."""
    markets = sorted(candles)
    open_time = np.concatenate([candles[market].open_time for market in markets])
    values = np.concatenate([candles[market].values for market in markets])
    whose = np.repeat(np.arange(len(markets)), [len(candles[market]) for market in markets])
    order = np.argsort(open_time, kind="stable")
    for start in range(0, len(order), BLOCK):
        chosen = order[start : start + BLOCK]
        yield Block(open_time[chosen], values[chosen], [markets[index] for index in whose[chosen].tolist()])


def markets_of(folder: Path) -> set[Market]:
    """The markets that have a file in a folder of day files or of OHLCV files; raises StoreFailure."""
    return {name.market for entry in _names(folder) if (name := _parsed(entry)) is not None}


def _parsed(name: str) -> names.DayName | names.CandleName | None:
    return names.try_day_file(name) or names.try_candle_file(name)


def day_files(folder: Path, wanted: set[Market], first: date) -> Iterator[Path]:
    """The day files of some markets from a day on, by name; raises StoreFailure."""
    for entry in _names(folder):
        name = names.try_day_file(entry)
        if name is not None and name.day >= first and name.market in wanted:
            yield folder / entry


def _names(folder: Path) -> list[str]:
    try:
        return regular.names_in(folder)
    except OSError as error:
        raise StoreFailure(f"{folder.name}: cannot be read: {error.strerror}") from error


def _content(path: Path) -> Sequence[Record]:
    try:
        with regular.opened(path) as file:
            content = arrays.load(file)
    except regular.NOTHING:  # gone since the folder was listed
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
