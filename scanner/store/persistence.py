"""The awaitable face of the store: DataPersistenceManager and get_training_dataset, as scripts use them."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scanner.clock import Clock, WallClock
from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.markets import Market, parse_symbol
from scanner.records import CandleCluster
from scanner.store.dataset import Query
from scanner.store.ohlcv import rows
from scanner.store.reader import StoreReader
from scanner.store.store import TrainingStore
from scanner.timeframes import LENGTH_MS

DATA_DIR_VARIABLE = "SCANNER_DATA_DIR"
DEFAULT_DATA_DIR = "training_data"


class DataPersistenceManager:
    """Keeps training data in the files of one folder, and reads it back.

    The folder is owned from the first write until `close`, or until the object is gone. A process that scans owns its
    folder already: pass its store.

    Parameters
    ----------
    base_path : path
        The data folder; its sub-folders are created. Not used when a store is passed.
    store : TrainingStore, optional
        An open store to share.
    clock : Clock
        Says where the days of `get_training_dataset` end.

    Attributes
    ----------
    base_path, signals_path, ohlcv_path, clustering_path : Path
    """

    def __init__(
        self,
        base_path: str | Path = DEFAULT_DATA_DIR,
        *,
        store: TrainingStore | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._owns_store = store is None
        self.store = store or TrainingStore(base_path)
        self._clock: Clock = clock or WallClock()
        self.base_path = self.store.base_path
        self.signals_path = self.store.signals_path
        self.ohlcv_path = self.store.ohlcv_path
        self.clustering_path = self.store.clustering_path
        if self._owns_store:
            with suppress(OSError):  # the first write tries again, and says why it cannot
                for folder in (self.signals_path, self.ohlcv_path, self.clustering_path):
                    folder.mkdir(parents=True, exist_ok=True)

    async def persist_signals(self, symbol: str, signal_data: dict[str, Any], timestamp: datetime) -> None:
        """Keep one signal under the given time.

        Parameters
        ----------
        symbol : str
            A market such as ``binance:BTC/USDT``.
        signal_data : dict
            The record; not changed. Its own ``timestamp`` is overruled.
        timestamp : datetime
            When the signal was made; naive means UTC.

        Raises
        ------
        InvalidInput
            `symbol` is not a market.
        FolderInUse
            Another process owns the folder.
        StoreFailure
            It cannot be written.
        """
        record = {**signal_data, "timestamp": _iso(timestamp)}
        await asyncio.to_thread(self._append_signal, Market.parse(symbol), record)

    async def persist_ohlcv(self, symbol: str, timeframe: str, ohlcv_df: pd.DataFrame) -> None:
        """Merge closed candles into their file; errors as `persist_signals`.

        Parameters
        ----------
        ohlcv_df : DataFrame
            Columns timestamp (datetime, naive = UTC, or epoch ms; or a DatetimeIndex in its place), open, high, low,
            close, volume; not changed.
        """
        market, columns = Market.parse(symbol), _columns(ohlcv_df)
        await asyncio.to_thread(self._append_candles, market, timeframe, columns)

    async def persist_clustering(self, cluster_data: CandleCluster) -> None:
        """Keep one cluster record; errors as `persist_signals`."""
        record = {**asdict(cluster_data), "timestamp": _iso(cluster_data.timestamp)}
        await asyncio.to_thread(self._append_cluster, Market.parse(cluster_data.symbol), record)

    async def get_training_dataset(
        self,
        symbol: str,
        days: int = 30,
        *,
        exchange: str | None = None,
        timeframe: str | None = None,
        final_only: bool = False,
    ) -> dict[str, Any]:
        """`signals`, `ohlcv` and `clustering` of the last days; see `get_training_dataset` of this module."""
        query = dataset_query(symbol, days, exchange, timeframe, final_only)
        return await asyncio.to_thread(self.store.dataset, query, LENGTH_MS, self._clock.now_ms())

    def close(self) -> None:
        """Give the folder back, if it is not a shared store's."""
        if self._owns_store:
            self.store.close()

    def _append_signal(self, market: Market, record: dict[str, Any]) -> None:
        self._open()
        self.store.append_signals({market: [record]}, self._clock.now_ms())

    def _append_cluster(self, market: Market, record: dict[str, Any]) -> None:
        self._open()
        self.store.append_clusters({market: [record]}, self._clock.now_ms())

    def _append_candles(self, market: Market, timeframe: str, columns: list[NDArray[Any]]) -> None:
        self._open()
        candles = rows(columns[0], columns[1:])
        self.store.append_closed([(market, timeframe, candles)], self._clock.now_ms())
        self.store.write_candles(market, timeframe)

    def _open(self) -> None:
        if self._owns_store:
            self.store.open()


async def get_training_dataset(
    symbol: str,
    days: int = 30,
    base_path: str | Path | None = None,
    *,
    exchange: str | None = None,
    timeframe: str | None = None,
    final_only: bool = False,
    now_ms: int | None = None,
) -> dict[str, Any]:
    """Training data of a symbol, from disk: ``await get_training_dataset('BTC/USDT', days=30)``.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT`` for all exchanges there are files of, ``binance:BTC/USDT`` for one.
    days : int
        Days of 24 hours before `now_ms`: of final signals by the close of their candle, whenever they were made, of
        others by when they were made, of candles by their open.
    base_path : path, optional
        The data folder: by default that of the environment variable SCANNER_DATA_DIR, else ``training_data``.
    exchange : str, optional
        Only that one, as in front of the symbol.
    timeframe : str, optional
        Only that one (``5m``), or that of one of the usual styles (``scalp``).
    final_only : bool
        Of the signals only those of closed candles.
    now_ms : int, optional
        Where the days end: by default now. Recorded or simulated data may lie elsewhere.

    Returns
    -------
    dict
        `signals`, `ohlcv` and `clustering`; see `StoreReader.dataset`.

    Raises
    ------
    InvalidInput
        A wrong symbol, number of days, exchange or timeframe.
    NothingStored
        Nothing was ever kept of this symbol.
    """
    query = dataset_query(symbol, days, exchange, timeframe, final_only)
    end_ms = WallClock().now_ms() if now_ms is None else now_ms
    return await asyncio.to_thread(StoreReader(data_folder(base_path)).dataset, query, LENGTH_MS, end_ms)


def dataset_query(symbol: str, days: int, exchange: str | None, timeframe: str | None, final_only: bool) -> Query:
    """What is asked for, checked; raises InvalidInput."""
    styles = StreamConfig().styles
    chosen = styles.get(timeframe, timeframe) if isinstance(timeframe, str) else timeframe
    return Query(parse_symbol(symbol).on(exchange), days, chosen, final_only)


def data_folder(base_path: str | Path | None) -> str | Path:
    """Where the files are if nobody says otherwise."""
    return base_path or os.environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR


def _iso(moment: datetime) -> str:
    if not isinstance(moment, datetime):
        raise InvalidInput("timestamp", moment, "is not a datetime")
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()


def _columns(frame: pd.DataFrame) -> list[NDArray[Any]]:
    """Epoch ms, then open, high, low, close, volume of a frame; raises InvalidInput."""
    try:
        moments = frame["timestamp"] if "timestamp" in frame.columns else frame.index.to_series()
        values = [frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close", "volume")]
        return [_epoch_ms(moments), *values]
    except (KeyError, TypeError, ValueError) as error:
        columns = "timestamp, open, high, low, close, volume"
        raise InvalidInput("ohlcv_df", list(frame.columns), f"is not a frame of {columns}: {error}") from error


def _epoch_ms(moments: pd.Series[Any]) -> NDArray[np.int64]:
    if pd.api.types.is_numeric_dtype(moments):
        return moments.to_numpy(np.int64)
    # the unit of a datetime column differs between versions of pandas, so it is made the same first
    stamps = pd.to_datetime(moments, utc=True).dt.tz_localize(None)
    return stamps.to_numpy("datetime64[ms]").astype(np.int64)
