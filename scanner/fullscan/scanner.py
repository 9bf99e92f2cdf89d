"""`MomentumScanner`: the full scan of one exchange as an awaitable object."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanner.errors import InvalidInput
from scanner.fullscan import sentiment
from scanner.fullscan.backtest import backtest
from scanner.fullscan.multi import with_confluence
from scanner.fullscan.position import LARGEST
from scanner.fullscan.progress import terminal_progress
from scanner.fullscan.results import ScanResults
from scanner.fullscan.reversal import trend_of
from scanner.fullscan.row import indicators_of
from scanner.fullscan.scan import Order
from scanner.fullscan.settings import MARKET_TYPES, MOST_CANDLES, TimeframePlan, TradingConfig, each_once, plan_for
from scanner.fullscan.venue import CandleCache, VenueCandles, Wish, patience_from, read_venue, table_of
from scanner.gateway.adopted import MarketReader

log = logging.getLogger(__name__)

DEADLINE_S = 600.0  # for one timeframe of a whole exchange
EVERY_ROW = 1_000_000


class MomentumScanner(ScanResults):
    """Scan all markets of an exchange.

    ::

        exchange = ccxt.async_support.binance()
        scanner = MomentumScanner(exchange)
        best = await scanner.scan_market("medium")
        print(scanner.generate_report())
        await exchange.close()

    Parameters
    ----------
    exchange : ccxt.async_support.Exchange
        Used on the loop that awaits the methods; never closed here.
    market_type : str
        `crypto` or `forex`.
    quote_currency : str
        Only crypto markets quoted in it are scanned.
    min_volume_usd : float
        Least mean of volume times close per candle.
    top_n : int
        Most rows of a result.

    Raises
    ------
    InvalidInput
        A value is wrong; a ValueError like all of its kind.
    """

    def __init__(
        self,
        exchange: Any,
        config: TradingConfig | None = None,
        market_type: str = "crypto",
        quote_currency: str = "USDT",
        min_volume_usd: float = 250_000,
        top_n: int = 50,
    ) -> None:
        if market_type not in MARKET_TYPES:
            raise InvalidInput("market_type", market_type, f"is not one of {', '.join(MARKET_TYPES)}")
        super().__init__(config, market_type)
        self._reader = MarketReader(exchange, patience_from(self.config))
        self.exchange = exchange
        self.quote_currency = quote_currency.upper()
        self.min_volume_usd = max(float(min_volume_usd), 0.0)
        self.top_n = max(int(top_n), 1)
        self.fear_greed_history: list[float] = []
        self.btc_dominance_history: list[float] = []
        self.timestamp_history: list[datetime] = []
        self._cache = CandleCache()

    # --- scans -----------------------------------------------------------------------------------------------------

    async def scan_market(
        self,
        timeframe: str = "daily",
        full_analysis: bool = True,
        save_results: bool = True,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> pd.DataFrame:
        """The best markets now.

        Parameters
        ----------
        timeframe : str
            An alias (``medium``) or an interval (``4h``).
        full_analysis : bool
            Look back three times as far.
        save_results : bool
            Write ``scan_results_<timeframe>_<time>.csv`` into the working directory, when there are rows.

        Returns
        -------
        DataFrame
            As `venue.table_of` makes it; also `scan_results`.

        Raises
        ------
        InvalidInput
            The timeframe is unknown.
        ExchangeFailure
            Not one market could be read.
        """
        table = await self._scan(timeframe, full_analysis, deadline_s, self.top_n)
        self.scan_results = table
        if save_results:
            _save(table, timeframe)
        if self.market_type == "crypto" and self.config.sentiment:
            await self._look_at_sentiment()
        return table

    async def scan_multi_timeframe(
        self,
        timeframes: Sequence[str] | None = None,
        full_analysis: bool = True,
        save_results: bool = True,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> pd.DataFrame:
        """The rows of several timeframes (1h, 4h, 1d unless given) and how they agree; see `multi.with_confluence`.

        Markets agree over all their rows; only then the best `top_n` rows of every timeframe are kept.

        Raises
        ------
        InvalidInput
            A timeframe is unknown, or two of them are one interval.
        ExchangeFailure
            Not one market could be read.
        """
        given = ("1h", "4h", "1d") if timeframes is None else timeframes
        wanted = each_once(given, lambda timeframe: self._plan(timeframe).interval)
        tables = {each: await self._scan(each, full_analysis, deadline_s, EVERY_ROW) for each in wanted}
        together = with_confluence(tables)
        table = together.groupby("timeframe", sort=False).head(self.top_n).reset_index(drop=True)
        self.scan_results = table
        if save_results:
            _save(table, "multi_timeframe")
        return table

    async def overlay_4h_trend(self) -> pd.DataFrame:
        """The newest results with `trend_4h` (`bullish`, `bearish`, `neutral`, `unknown`) and `trend_4h_aligned`."""
        plan = self._plan("4h")
        symbols = tuple(dict.fromkeys(str(symbol) for symbol in self.scan_results["symbol"]))
        trends: dict[str, str] = {}
        if symbols:
            candles = await self._read(plan, Wish(self.quote_currency, self.market_type, symbols), DEADLINE_S)
            trends = {
                symbol: trend_of(indicators_of(frame, plan, self.config))
                for symbol, frame in candles.frames.items()
                if len(frame)
            }
        table = self.scan_results.copy()
        table["trend_4h"] = [trends.get(symbol, "unknown") for symbol in table["symbol"]]
        agreeing = {("Buy", "bullish"), ("Sell", "bearish")}
        table["trend_4h_aligned"] = [
            (str(signal).rpartition(" ")[2], trend) in agreeing
            for signal, trend in zip(table["signal"], table["trend_4h"], strict=True)
        ]
        self.scan_results = table
        return table

    async def backtest_strategy(
        self, timeframe: str = "daily", lookback_periods: int = 30, initial_capital: float = 10_000
    ) -> dict[str, Any]:
        """What following the signals would have brought; see `backtest.backtest`.

        Looks at the markets of the newest results, or at the best of the exchange before any scan.

        Raises
        ------
        InvalidInput, ExchangeFailure
        """
        plan = self._plan(timeframe)
        most = MOST_CANDLES - plan.base
        if not _is_number(lookback_periods, Integral) or not 1 <= lookback_periods <= most:
            raise InvalidInput("lookback_periods", lookback_periods, f"is not a whole number from 1 to {most}")
        if not _is_number(initial_capital, Real) or not 0 < initial_capital <= LARGEST:
            raise InvalidInput("initial_capital", initial_capital, f"is not a number above 0 and up to {LARGEST:g}")
        if self.scan_results.empty:
            await self.scan_market(timeframe, save_results=False)
        symbols = tuple(dict.fromkeys(str(symbol) for symbol in self.scan_results["symbol"]))
        wish = Wish(self.quote_currency, self.market_type, symbols)
        needed = dataclasses.replace(plan, long=MOST_CANDLES)  # as many candles as a scan may ask for
        candles = await self._read(needed, wish, DEADLINE_S)
        frames = {symbol: _closed(frame, plan, candles.now_ms) for symbol, frame in candles.frames.items()}
        enough = {symbol: frame for symbol, frame in frames.items() if len(frame) >= plan.base}
        return await asyncio.to_thread(
            backtest, enough, plan, self.config, int(lookback_periods), float(initial_capital)
        )

    # --- inside ----------------------------------------------------------------------------------------------------

    def _plan(self, timeframe: str) -> TimeframePlan:
        """The timeframe as the sentiment and the hyper-parameters have it."""
        mood = self.fear_greed_history[-1] if self.fear_greed_history else None
        plan = plan_for(timeframe, self.config, self.market_type, mood)
        period = self._hyper.momentum_period
        return plan if period is None else dataclasses.replace(plan, long=period)

    async def _scan(self, timeframe: str, full_analysis: bool, deadline_s: float, top_n: int) -> pd.DataFrame:
        plan, until = self._plan(timeframe), time.monotonic() + deadline_s
        wish = Wish(self.quote_currency, self.market_type, None, full_analysis)
        candles = await self._read(plan, wish, deadline_s)
        order = Order(self._reader.id, plan, self.config, candles.now_ms, self.min_volume_usd, top_n)
        table = await asyncio.to_thread(table_of, candles, order, until)
        self.market_data, self._timeframe = candles.frames, timeframe
        return table

    async def _read(self, plan: TimeframePlan, wish: Wish, deadline_s: float) -> VenueCandles:
        with ExitStack() as stack:
            tell = stack.enter_context(terminal_progress(f"{self._reader.id} {plan.interval}"))
            return await read_venue(self._reader, plan, wish, deadline_s, self._cache, tell)

    async def _look_at_sentiment(self) -> None:
        """Remember the mood for the next scan; what is not to be had is left out."""
        mood = await asyncio.to_thread(sentiment.fear_greed)
        key = os.environ.get("CMC_API_KEY")
        share = await asyncio.to_thread(sentiment.btc_dominance, key) if key else None
        if mood is not None:
            self.fear_greed_history.append(mood)
        if share is not None:
            self.btc_dominance_history.append(share)
        self.timestamp_history.append(datetime.now(UTC))


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _closed(frame: pd.DataFrame, plan: TimeframePlan, now_ms: int) -> pd.DataFrame:
    """The frame without a candle that is still forming."""
    opened = frame.index.as_unit("ms").asi8  # type: ignore[attr-defined]
    closed: pd.DataFrame = frame.loc[np.asarray(opened) + plan.interval_ms <= now_ms]
    return closed


def _save(table: pd.DataFrame, name: str) -> None:
    """The rows as CSV in the working directory; a folder that cannot be written costs a warning, not the scan."""
    if table.empty:
        return
    path = Path(f"scan_results_{name}_{datetime.now(UTC):%Y%m%d_%H%M%S}.csv")
    try:
        table.to_csv(path, index=False)
    except OSError as error:
        log.warning("cannot write %s: %s", path, error)
