"""File names: which market, day and timeframe a file holds, and back.

``binance_BTCUSDT_2025-10-24.json`` and ``binance_BTCUSDT_5m.parquet``: the symbol without its slash, as everybody
expects it. A contract's settlement currency follows a dot (``BTC/USDT:USDT`` is ``BTCUSDT.USDT``), and where a reader
could not tell base from quote a dash stays between them (``BTC/XYZ`` is ``BTC-XYZ``). So each market has one name,
each name one market, and only letters, digits and ``._-`` occur.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from scanner.errors import InvalidInput
from scanner.markets import EXCHANGE, LONGEST, SYMBOL, Market, parse_symbol
from scanner.records import utc
from scanner.store import regular
from scanner.timeframes import length_ms

SIGNALS, CLUSTERING, OHLCV, UNIVERSE = "signals", "clustering", "ohlcv", "universe"
GAPS, LATE, JOURNAL = "gaps", "late", "journal"
FOLDERS = (SIGNALS, OHLCV, CLUSTERING, UNIVERSE, GAPS, LATE, JOURNAL)  # of a data folder
ALIVE, WISH, LOCK = "alive.json", "wish.json", "scanner.lock"  # files beside them
KNOWN_STEMS = 10_000  # markets whose name is remembered: each cycle asks for it several times
KNOWN_HEADS = 50_000  # file names that are remembered: each batch of a journal has thousands
_DAY_FILE = re.compile(r"(?P<stem>[a-z0-9]+_[A-Z0-9.-]+)_(?P<day>\d{4}-\d\d-\d\d)\.json", re.ASCII)
_EXCHANGE_FILE = re.compile(r"(?P<exchange>[a-z0-9]+)_(?P<day>\d{4}-\d\d-\d\d)\.json", re.ASCII)
_CANDLE_FILE = re.compile(
    r"(?P<head>(?P<stem>[a-z0-9]+_[A-Z0-9.-]+)_(?P<timeframe>\d{1,2}[mhd]))(-(?P<period>(19|2\d)\d\d(-(0[1-9]|1[0-2]))?))?\.parquet",
    re.ASCII,
)


class DayName(NamedTuple):
    """What the name of a signal or clustering file says; `day` is a UTC date."""

    market: Market
    day: date


class ExchangeName(NamedTuple):
    """What the name of a file of gaps, late candles or universes says; `day` is a UTC date."""

    exchange: str
    day: date


class CandleName(NamedTuple):
    """What the name of an OHLCV file says; `period` is the year or month of a sealed part, None for the head."""

    market: Market
    timeframe: str
    period: str | None = None


def day_file(market: Market, moment_ms: int) -> str:
    """Name of the file that holds `market`'s records of the UTC day of `moment_ms`; raises InvalidInput."""
    return f"{stem(market)}_{utc(moment_ms).date().isoformat()}.json"


def exchange_file(exchange: str, moment_ms: int) -> str:
    """Name of the file that holds an exchange's gaps, late candles or universes of the UTC day of `moment_ms`.

    Raises
    ------
    InvalidInput
    """
    if not EXCHANGE.fullmatch(exchange):
        raise InvalidInput("exchange", exchange, "is not an exchange id such as 'binance'")
    return f"{exchange}_{utc(moment_ms).date().isoformat()}.json"


def candle_file(market: Market, timeframe: str) -> str:
    """Name of the file that holds `market`'s candles of one timeframe; raises InvalidInput."""
    length_ms(timeframe)
    return f"{stem(market)}_{timeframe}.parquet"


def try_day_file(name: str) -> DayName | None:
    """The market and day of a file name, or None for a name that is not ours."""
    found = _DAY_FILE.fullmatch(name)
    market = try_stem(found["stem"]) if found else None
    if found is None or market is None:
        return None
    try:
        return DayName(market, date.fromisoformat(found["day"]))
    except ValueError:
        return None


def try_exchange_file(name: str) -> ExchangeName | None:
    """The exchange and day of a file name, or None for a name that is not ours."""
    found = _EXCHANGE_FILE.fullmatch(name)
    if found is None or not EXCHANGE.fullmatch(found["exchange"]):
        return None
    try:
        return ExchangeName(found["exchange"], date.fromisoformat(found["day"]))
    except ValueError:
        return None


def try_candle_file(name: str) -> CandleName | None:
    """The market and timeframe of a file name, or None for a name that is not ours."""
    found = _CANDLE_FILE.fullmatch(name)
    market = try_stem(found["stem"]) if found else None
    if found is None or market is None:
        return None
    try:
        length_ms(found["timeframe"])
    except InvalidInput:
        return None
    return CandleName(market, found["timeframe"], found["period"])


@lru_cache(maxsize=KNOWN_HEADS)
def is_head(name: str) -> bool:
    """Whether a name is that of an OHLCV file, and no sealed part's; such a name leads to no other folder."""
    found = try_candle_file(name)
    return found is not None and found.period is None


def timeframe_of(head: str) -> str:
    """The timeframe in the name of an OHLCV file."""
    return head.removesuffix(".parquet").rpartition("_")[2]


def periods_in(folder: Path) -> dict[str, list[str]]:
    """Head -> the periods of the sealed parts that lie beside it, in a folder of OHLCV files; raises OSError."""
    found: dict[str, list[str]] = {}
    for text in regular.names_in(folder):
        name = _CANDLE_FILE.fullmatch(text)
        if name is not None and name["period"] is not None:
            found.setdefault(f"{name['head']}.parquet", []).append(name["period"])
    return found


def periods_of(head: Path) -> frozenset[str]:
    """The periods of the sealed parts that lie beside one head; raises OSError."""
    return frozenset(periods_in(head.parent).get(head.name, ()))


@lru_cache(maxsize=KNOWN_STEMS)
def stem(market: Market) -> str:
    """``binance_BTCUSDT``: the part of a name that stands for the market.

    Raises
    ------
    InvalidInput
        Exchange or symbol hold anything that does not belong in one, a path separator for example.
    """
    if not EXCHANGE.fullmatch(market.exchange):
        raise InvalidInput("exchange", market.exchange, "is not an exchange id such as 'binance'")
    if not SYMBOL.fullmatch(market.symbol):
        raise InvalidInput("symbol", market.symbol, "is not a symbol such as 'BTC/USDT'")
    pair, _, settle = market.symbol.partition(":")
    joined = pair.replace("/", "")
    written = joined if _pair_of(joined) == pair else pair.replace("/", "-")
    return f"{market.exchange}_{written}.{settle}" if settle else f"{market.exchange}_{written}"


def try_stem(text: str) -> Market | None:
    """The market whose `stem` is `text`, or None."""
    exchange, _, rest = text.partition("_")
    written, _, settle = rest.partition(".")
    pair = _pair_of(written)
    market = Market(exchange, f"{pair}:{settle}" if settle else f"{pair}")
    try:
        return market if stem(market) == text else None
    except InvalidInput:
        return None


def _pair_of(written: str) -> str | None:
    """``BTC/USDT`` for ``BTCUSDT`` and ``BTC-USDT``; None where base and quote cannot be told apart."""
    if written.count("-") == 1:
        return written.replace("-", "/")
    if len(written) > LONGEST:
        return None
    try:
        return parse_symbol(written).symbol
    except InvalidInput:
        return None
