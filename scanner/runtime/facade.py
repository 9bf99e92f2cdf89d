"""`ContinuousMultiTimeframeScanner`: the scanner as one awaitable object, and its detectors on DataFrames.

The class keeps names that programs written for the earlier service import and call; the work is done by
`ScannerService` and the core.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scanner.config import StreamConfig
from scanner.core.breadth import market_breadth
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS, Market
from scanner.records import MarketTick
from scanner.runtime import buffers, frames
from scanner.runtime.columns import Record
from scanner.runtime.query import SignalQuery
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.store.persistence import DataPersistenceManager

if TYPE_CHECKING:
    import pandas as pd


class ContinuousMultiTimeframeScanner:
    """Scan symbols on exchanges until stopped.

    Building one needs neither network nor arguments::

        scanner = ContinuousMultiTimeframeScanner()
        await scanner.start(["BTC/USDT"], ["binance"])   # returns when stop() is called

    Parameters
    ----------
    config : StreamConfig, optional
        How the streams and detectors behave.
    settings : Settings, optional
        Where files go; the embedded exchanges' speed and seed. By default what the environment says.
    """

    def __init__(self, config: StreamConfig | None = None, settings: Settings | None = None) -> None:
        self.config = config or StreamConfig()
        self.settings = settings or Settings.from_env(os.environ)
        self.service = ScannerService(dataclasses.replace(self.settings, resume=False))  # its program decides that
        self._persistence = DataPersistenceManager(self.settings.data_dir)
        self._ended = asyncio.Event()

    # --- running ---------------------------------------------------------------------------------------------------

    async def start(self, symbols: Sequence[str], exchanges: Sequence[str] = DEFAULT_EXCHANGES) -> None:
        """Scan until `stop`; returns at once when this scanner runs already.

        Raises
        ------
        InvalidInput, FolderInUse
        """
        order = self.service.order(list(symbols), list(exchanges), self.config)
        self._ended.clear()
        self._persistence.close()  # the run owns the folder now
        starting = asyncio.create_task(asyncio.to_thread(self.service.start, order))
        try:
            if await asyncio.shield(starting) is not None:
                await self._ended.wait()
        finally:
            if await starting is not None:  # a start that was cancelled half-way has to be over before its stop
                await asyncio.shield(asyncio.to_thread(self.service.stop))

    async def stop(self) -> None:
        """End the streams within 5 s; safe to call twice."""
        await asyncio.to_thread(self.service.stop)
        self._ended.set()

    @property
    def running(self) -> bool:
        return self.service.running

    @property
    def persistence(self) -> DataPersistenceManager:
        """The files of this scanner; of a running one, through the store that owns them."""
        run = self.service.run
        if run is None or not self.running:
            return self._persistence
        return DataPersistenceManager(store=run.store, clock=run.venue.clock)

    @property
    def exchanges(self) -> dict[str, Any]:
        """State of each exchange by id; the clients behind them belong to the gateway's own thread."""
        return dict(self.service.run.gateway.states()) if self.service.run else {}

    # --- what has been found ---------------------------------------------------------------------------------------

    @property
    def scanner(self) -> Any:
        """The full scan of stream 4, with results and reports as a `MomentumScanner` has them."""
        return self.service.full_scan

    @property
    def tick_buffers(self) -> dict[str, deque[MarketTick]]:
        return buffers.tick_buffers(self.service.run)

    @property
    def candle_buffers(self) -> dict[tuple[str, str], deque[list[float]]]:
        return buffers.candle_buffers(self.service.run)

    @property
    def signal_history(self) -> dict[str, deque[Record]]:
        return buffers.signal_history(self.service.run)

    @property
    def market_state(self) -> dict[str, Any]:
        return self.get_market_state()

    @property
    def last_full_scan(self) -> dict[str, Any] | None:
        return self.service.full_scan_results()

    def get_latest_signals(
        self, symbol: str | None = None, timeframe: str | None = None, min_score: float = 0, limit: int = 50
    ) -> list[Record]:
        """The newest signal of every market and timeframe that passes the filters, best score first."""
        if self.service.run is None:
            return []
        return self.service.signals(SignalQuery(symbol, timeframe, min_score, limit))

    def get_market_state(self) -> dict[str, Any]:
        return self.service.market_state() if self.service.run else {}

    def get_full_scan_results(self) -> dict[str, Any] | None:
        return self.service.full_scan_results()

    async def get_multi_timeframe_confluence(self, symbol: str, min_score: float = 60) -> Record:
        """How the timeframes of one symbol agree. Raises NotRunning before any start, with nothing on disk."""
        return self.service.confluence(symbol, min_score)

    # --- detectors on DataFrames -----------------------------------------------------------------------------------

    def _detect_candle_clustering(self, df: pd.DataFrame) -> Record:
        """High-volume candles gathering in one direction, in the newest 20 rows of `df` (open..volume)."""
        return frames.clustering(df, self.config)

    def _detect_smart_mean_reversion(self, df: pd.DataFrame, style: str = "") -> Record:
        """The four exhaustion factors in the newest rows of `df`; `style` changes nothing."""
        return frames.reversion(df, self.config)

    def _detect_enhanced_momentum(self, df: pd.DataFrame, cluster_signals: Mapping[str, Any]) -> Record:
        """Momentum of the newest 20 rows of `df`, boosted where `cluster_signals` report a forming trend."""
        return frames.momentum(df, cluster_signals, self.config)

    def _determine_signal_type(
        self, momentum: Mapping[str, Any], reversion: Mapping[str, Any], combined_score: float
    ) -> str:
        return frames.signal_type(momentum, reversion, combined_score)

    def _count_consecutive_moves(self, changes: Sequence[float | None]) -> int:
        """Length of the newest same-sign streak; moves of at most 0.1 % are passed over."""
        return frames.consecutive_moves(changes)

    def _calculate_simple_rsi(self, closes: Sequence[float], period: int = 14) -> float:
        """Wilder's RSI of the last close, 0..100; 50 for a flat market."""
        return frames.last_rsi(closes, period)

    async def _analyze_with_clustering_and_reversion(
        self, df: pd.DataFrame, symbol: str, exchange: str, style: str, timeframe: str
    ) -> Record:
        """The signal record of one market from its candles."""
        return frames.signal(df, Market(exchange, symbol), style, timeframe, self.config)

    async def _calculate_market_breadth(self, symbols: Sequence[str]) -> Record:
        """Advancing against declining among the kept ticks of `symbols`."""
        run = self.service.run
        tables = run.state.current().ticks.values() if run else ()
        rows = [[market.symbol in symbols for market in table.markets] for table in tables]
        return dataclasses.asdict(
            market_breadth([table.price[chosen] for table, chosen in zip(tables, rows, strict=True)])
        )

    def _determine_volatility_regime(self) -> str:
        return str(self.get_market_state().get("volatility_regime", "unknown"))


async def run_continuous_scanner(
    symbols: Sequence[str] | None = None,
    exchanges: Sequence[str] = DEFAULT_EXCHANGES,
    config: StreamConfig | None = None,
) -> None:
    """Scan until cancelled; None stands for the ten default symbols."""
    scanner = ContinuousMultiTimeframeScanner(config)
    await scanner.start(list(symbols or DEFAULT_SYMBOLS), list(exchanges))
