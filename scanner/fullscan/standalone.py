"""One scan of one exchange, start to finish, from a plain thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from scanner.fullscan.progress import Tell, silent
from scanner.fullscan.results import ScanResults
from scanner.fullscan.scan import Order
from scanner.fullscan.settings import TimeframePlan, TradingConfig, each_once, get_dynamic_config, plan_for
from scanner.fullscan.venue import VenueCandles, Wish, patience_from, read_venue, table_of
from scanner.gateway.adopted import MarketReader, opened
from scanner.gateway.specs import ExchangeSpec, real_exchange

DEADLINE_S = 240.0
MIN_VOLUME_USD = 100_000.0  # per candle; what the API asks for, less than a scanner of one's own


@dataclass(frozen=True)
class ScanOptions:
    """What a scan on demand looks at; see `scan_exchange`."""

    full_analysis: bool = True
    symbols: tuple[str, ...] | None = None
    top_n: int = 50
    min_volume_usd: float = MIN_VOLUME_USD
    market_type: str = "crypto"
    quote_currency: str = "USDT"
    config: TradingConfig = field(default_factory=get_dynamic_config)
    deadline_s: float = DEADLINE_S
    on_progress: Tell = silent

    @property
    def wish(self) -> Wish:
        return Wish(self.quote_currency.upper(), self.market_type, self.symbols, self.full_analysis)

    def order(self, exchange: str, plan: TimeframePlan) -> Order:
        return Order(exchange, plan, self.config, 0, max(self.min_volume_usd, 0.0), max(self.top_n, 1))


def scan_exchange(
    exchange: ExchangeSpec | str,
    timeframe: str = "medium",
    full_analysis: bool = True,
    *,
    symbols: Iterable[str] | None = None,
    top_n: int = 50,
    min_volume_usd: float = MIN_VOLUME_USD,
    market_type: str = "crypto",
    quote_currency: str = "USDT",
    config: TradingConfig | None = None,
    deadline_s: float = DEADLINE_S,
    on_progress: Tell = silent,
) -> pd.DataFrame:
    """The best markets of an exchange now; opens a client, and closes it.

    Parameters
    ----------
    exchange : ExchangeSpec or str
        A ccxt id, or where and how to reach an exchange.
    timeframe : str
        An alias (``medium``) or an interval (``4h``); the rows' `timeframe` is as given here.
    symbols : iterable of str, optional
        Only these; ``BTC/USDT`` also means the swap ``BTC/USDT:USDT``.
    min_volume_usd : float
        Least mean of volume times close per candle.
    deadline_s : float
        Real seconds in which to be done; markets that did not answer in time are in ``attrs["failed"]``.

    Returns
    -------
    DataFrame
        As `venue.table_of` makes it.

    Raises
    ------
    InvalidInput, UnknownExchange
        A value is wrong; nothing was asked.
    ExchangeFailure
        Not one market could be read.
    """
    tables = scan_timeframes(
        exchange,
        [timeframe],
        full_analysis,
        symbols=symbols,
        top_n=top_n,
        min_volume_usd=min_volume_usd,
        market_type=market_type,
        quote_currency=quote_currency,
        config=config,
        deadline_s=deadline_s,
        on_progress=on_progress,
    )
    return tables[timeframe]


def scan_timeframes(
    exchange: ExchangeSpec | str,
    timeframes: Sequence[str],
    full_analysis: bool = True,
    *,
    symbols: Iterable[str] | None = None,
    top_n: int = 50,
    min_volume_usd: float = MIN_VOLUME_USD,
    market_type: str = "crypto",
    quote_currency: str = "USDT",
    config: TradingConfig | None = None,
    deadline_s: float = DEADLINE_S,
    on_progress: Tell = silent,
) -> dict[str, pd.DataFrame]:
    """`scan_exchange` on several timeframes, each once, with one client: a table by timeframe as given."""
    options = ScanOptions(
        full_analysis,
        None if symbols is None else tuple(symbols),
        top_n,
        min_volume_usd,
        market_type,
        quote_currency,
        config or get_dynamic_config(),
        deadline_s,
        on_progress,
    )
    each_once(timeframes, lambda timeframe: plan_for(timeframe, options.config, market_type).interval)
    return {timeframe: table for timeframe, (table, _) in _scanned(exchange, timeframes, options).items()}


def scan_with_candles(exchange: ExchangeSpec | str, timeframe: str, options: ScanOptions) -> ScanResults:
    """`scan_exchange`, with the candles that reports and plots draw."""
    results = ScanResults(options.config, options.market_type)
    table, candles = _scanned(exchange, [timeframe], options)[timeframe]
    results.take(timeframe, table, candles.frames)
    return results


def _scanned(
    exchange: ExchangeSpec | str, timeframes: Sequence[str], options: ScanOptions
) -> dict[str, tuple[pd.DataFrame, VenueCandles]]:
    spec = real_exchange(exchange) if isinstance(exchange, str) else exchange
    plans = {timeframe: plan_for(timeframe, options.config, options.market_type) for timeframe in timeframes}
    ends = time.monotonic() + options.deadline_s

    async def scan_all() -> dict[str, tuple[pd.DataFrame, VenueCandles]]:
        found = {}
        async with opened(spec, patience_from(options.config)) as reader:
            for position, (timeframe, plan) in enumerate(plans.items()):
                share_s = max(ends - time.monotonic(), 0.0) / (len(plans) - position)
                found[timeframe] = await _scan_one(reader, plan, options, share_s)
        return found

    return asyncio.run(scan_all())


async def _scan_one(
    reader: MarketReader, plan: TimeframePlan, options: ScanOptions, deadline_s: float
) -> tuple[pd.DataFrame, VenueCandles]:
    until = time.monotonic() + deadline_s
    candles = await read_venue(reader, plan, options.wish, deadline_s, on_progress=options.on_progress)
    return table_of(candles, options.order(reader.id, plan), until), candles
