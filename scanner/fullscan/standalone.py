"""One scan of one exchange, start to finish, from a plain thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

import pandas as pd

from scanner.fullscan.progress import Tell, silent
from scanner.fullscan.scan import Order
from scanner.fullscan.settings import TimeframePlan, TradingConfig, get_dynamic_config, plan_for
from scanner.fullscan.venue import Wish, patience_from, read_venue, table_of
from scanner.gateway.adopted import opened
from scanner.gateway.specs import ExchangeSpec, real_exchange

DEADLINE_S = 240.0


def scan_exchange(
    exchange: ExchangeSpec | str,
    timeframe: str = "medium",
    full_analysis: bool = True,
    *,
    symbols: Iterable[str] | None = None,
    top_n: int = 50,
    min_volume_usd: float = 100_000,
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
        As `table_of` makes it.

    Raises
    ------
    InvalidInput, UnknownExchange
        A value is wrong; nothing was asked.
    ExchangeFailure
        Not one market could be read.
    """
    return scan_timeframes(
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
    )[timeframe]


def scan_timeframes(
    exchange: ExchangeSpec | str,
    timeframes: Sequence[str],
    full_analysis: bool = True,
    *,
    symbols: Iterable[str] | None = None,
    top_n: int = 50,
    min_volume_usd: float = 100_000,
    market_type: str = "crypto",
    quote_currency: str = "USDT",
    config: TradingConfig | None = None,
    deadline_s: float = DEADLINE_S,
    on_progress: Tell = silent,
) -> dict[str, pd.DataFrame]:
    """`scan_exchange` on several timeframes with one client: a table by timeframe as given."""
    config = config or get_dynamic_config()
    spec = real_exchange(exchange) if isinstance(exchange, str) else exchange
    plans = {timeframe: plan_for(timeframe, config, market_type) for timeframe in timeframes}
    wish = Wish(quote_currency.upper(), market_type, None if symbols is None else tuple(symbols), full_analysis)

    def order(plan: TimeframePlan) -> Order:
        return Order(spec.id, plan, config, 0, max(min_volume_usd, 0.0), max(top_n, 1))

    async def scan_all() -> dict[str, pd.DataFrame]:
        began, tables = time.monotonic(), {}
        async with opened(spec, patience_from(config)) as reader:
            for position, (timeframe, plan) in enumerate(plans.items()):
                left_s = began + deadline_s - time.monotonic()
                mine_s = left_s / (len(plans) - position)
                until = time.monotonic() + mine_s
                candles = await read_venue(reader, plan, wish, mine_s, on_progress=on_progress)
                tables[timeframe] = table_of(candles, order(plan), until)
        return tables

    return asyncio.run(scan_all())
