"""`dataset`: features and labels of final signals as a pandas frame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from scanner.clock import WallClock
from scanner.errors import InvalidInput
from scanner.store.features import TIMEFRAMES
from scanner.store.moments import moment_ms
from scanner.store.past import CLOCKS, KNOWN_AT, features_of
from scanner.store.persistence import data_folder, dataset_query
from scanner.store.reader import StoreReader


def dataset(
    symbol: str,
    days: int = 30,
    *,
    exchange: str | None = None,
    timeframe: str | None = None,
    as_of: str | datetime | int | None = None,
    by: str = KNOWN_AT,
    timeframes: Sequence[str] = TIMEFRAMES,
    base_path: str | Path | None = None,
) -> pd.DataFrame:
    """One row per final signal: features, what longer timeframes said, and labels.

    The frame is that of the moment `as_of`: nothing that became known later is in it.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT`` for all exchanges there are files of, ``binance:BTC/USDT`` for one.
    days : int
        Rows are the signals of candles that opened in so many days before `as_of`.
    exchange : str, optional
        Only that one, as in front of the symbol.
    timeframe : str, optional
        Only its signals become rows (``5m``, or one of the usual styles, ``scalp``).
    as_of : str, datetime or int, optional
        ISO-8601 (naive = UTC) or epoch ms; by default now. Simulated data may lie elsewhere.
    by : str
        What "known" means for `as_of`. ``known_at``: when it was made or fetched here, so that the frame is the same
        whenever it is made; a backfill of yesterday is in no frame of a week ago. ``usable_at``: when a scan that had
        run all the time would have had it; later backfills add to such a frame.
    timeframes : sequence of str
        Those whose newest known signal is joined to the rows of shorter ones; without `timeframe` the shortest of them
        is that of the shortest rows, and joins none.
    base_path : path, optional
        The data folder: by default that of the environment variable SCANNER_DATA_DIR, else ``training_data``.

    Returns
    -------
    DataFrame
        Columns as told in ``docs/API.md``, rows by when they were usable.

    Raises
    ------
    InvalidInput
        A value is wrong.
    NothingStored
        Nothing was ever kept of this symbol, or all of it became known after `as_of`; the message says which.
    StoreFailure
        A file cannot be read.
    """
    now_ms = WallClock().now_ms()
    as_of_ms = now_ms if as_of is None else moment_ms(as_of)
    if as_of_ms is None:
        raise InvalidInput("as_of", as_of, "is not a moment such as '2025-10-24T12:00:00Z'")
    if by not in CLOCKS:
        raise InvalidInput("by", by, f"is not one of {', '.join(CLOCKS)}")
    if isinstance(timeframes, str):
        raise InvalidInput("timeframes", timeframes, "is not a list of timeframes such as ['1h', '4h']")
    query = dataset_query(symbol, days, exchange, timeframe, final_only=True)
    table = features_of(StoreReader(data_folder(base_path)), query, as_of_ms, tuple(timeframes), by)
    frame: pd.DataFrame = table.to_pandas()
    return frame
