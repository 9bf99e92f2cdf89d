"""Rows to learn from: one per final signal, features as they were known then, labels beside them.

`stored` asks the scanner's own dataset; `from_training_data` makes rows of the answer of `get_training_dataset`, for
programs that have that. Both have the columns named here, and `usable_at`: when a program could have acted on the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanner import NothingStored, dataset

HORIZONS = (1, 3, 6, 12, 24)  # candles
STATE = ("momentum_score", "reversion_score", "cluster_strength", "market_breadth", "volatility_regime")
FLAGS = (
    *("cluster_validated", "trend_formation_signal", "reversion_candidate", "momentum_exhaustion"),
    *("volume_exhaustion", "excessive_gain", "is_overbought", "is_oversold"),
)
NUMBERS = (
    *("price_change_pct", "volume_ratio", "recent_gain_pct", "rsi", "consecutive_moves", "percentile"),
    *("total_clusters", "bullish_clusters", "bearish_clusters", "directional_ratio", "follow_through"),
)
FEATURES = (*STATE, *NUMBERS, *FLAGS)
JOINED = tuple(  # of longer timeframes, where the rows have them
    f"{name}_{timeframe}"
    for timeframe in ("1h", "4h", "1d")
    for name in ("momentum_score", "price_change_pct", "reversion_score", "rsi", "cluster_strength")
)
DAY, MONTH = 86400, 30  # seconds; days
REGIMES = {"low": 0.0, "medium": 0.5, "high": 1.0}  # `unknown` is a missing value
LENGTHS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14400, "1d": 86400}  # seconds
GENERATED, RECORDED = ("simulated", "simulatedfutures"), ("replay", "replayfutures")


class NoData(Exception):
    """There is nothing to learn from; the message says how to get it."""


class TooFew(NoData):
    """There is too little to learn from.

    Attributes
    ----------
    needed : int
        So many candles, one after the other, would do.
    """

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


def stored(symbol: str, timeframe: str, folder: Path, days: int) -> pd.DataFrame:
    """The rows of one symbol in a data folder, oldest first.

    Raises
    ------
    NoData
        Nothing was kept of it in that time.
    ScannerError
        A wrong symbol, timeframe or number of days.
    """
    try:
        rows = dataset(symbol, days, timeframe=timeframe, base_path=folder)
    except NothingStored as error:
        raise NoData(f"{error}; {remedy(symbol, folder)}") from error
    if rows.empty:
        raise NoData(f"no final {timeframe} signals of {symbol} in {days} days in {folder}; {remedy(symbol, folder)}")
    return _sound(rows)


def all_stored(symbols: Sequence[str], timeframe: str, folder: Path, days: int) -> pd.DataFrame:
    """`stored` of several symbols in one frame."""
    return pd.concat([stored(symbol, timeframe, folder, days) for symbol in symbols], ignore_index=True)


def remedy(symbol: str, folder: Path, days: int = MONTH) -> str:
    """The command that gets a month of data, or some other time."""
    exchange, _, name = symbol.rpartition(":") if "/" not in symbol.partition(":")[0] else ("", "", symbol)
    options = f" --exchanges {exchange}" if exchange else ""
    return (
        f"get them: python continuous_scanner.py backfill --symbols {name}{options} --days {days} --data-dir {folder}"
        " (--simulated tries it without an exchange)"
    )


def enough(error: TooFew, symbol: str, timeframe: str, folder: Path) -> NoData:
    """The same error with its remedy: what to fetch, and what to ask for then."""
    days = max(-(-error.needed * LENGTHS[timeframe] // DAY) + 1, MONTH)
    return NoData(f"{error}; {remedy(symbol, folder, days)}, then ask for them here too: --days {days}")


def from_training_data(
    signals: Sequence[Mapping[str, Any]], ohlcv: Mapping[str, Sequence[Mapping[str, Any]]], timeframe: str = "5m"
) -> pd.DataFrame:
    """The rows of what `get_training_dataset` gave for one market.

    Raises
    ------
    NoData
        There is no final signal of the timeframe, or no candle.
    ValueError
        There are several exchanges in it.
    """
    finals = [dict(signal) for signal in signals if signal["candle_closed"] and signal["timeframe"] == timeframe]
    if not finals or not ohlcv.get(timeframe):
        raise NoData(f"no final {timeframe} signals, or no {timeframe} candles, in these training data")
    rows = pd.json_normalize(finals).rename(columns=lambda name: name.rpartition(".")[2])
    if rows["exchange"].nunique() > 1:
        raise ValueError(f"these are of {', '.join(rows['exchange'].unique())}; ask for one: binance:BTC/USDT")
    times = [name for name in ("timestamp", "candle_time", "as_of") if name in rows]
    rows[times] = rows[times].apply(_moments)
    usable_at = rows["as_of"].fillna(rows["timestamp"]) if "as_of" in rows else rows["timestamp"]
    rows = _sound(rows.assign(known_at=rows["timestamp"], usable_at=usable_at))
    length = pd.Timedelta(seconds=LENGTHS[timeframe])
    return rows.assign(**labels(rows["candle_time"], candles_of(ohlcv[timeframe]), length))


def candles_of(listed: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """High, low and close of candles by when they opened."""
    return pd.DataFrame(listed, columns=["high", "low", "close"], index=_moments([row["timestamp"] for row in listed]))


def labels(opened: pd.Series, candles: pd.DataFrame, length: pd.Timedelta) -> dict[str, np.ndarray]:
    """`fwd_return_N`, `mfe_N` and `mae_N` of candles, fractions of their close; NaN where one they need is not there.

    They are of the close N candles later, and of the highest high and lowest low until then, the own close among them.
    """
    now = candles["close"].reindex(opened).to_numpy()
    high, low = now, now
    found: dict[str, np.ndarray] = {}
    for ahead in range(1, max(HORIZONS) + 1):
        then = candles.reindex(opened + ahead * length)
        high, low = np.maximum(high, then["high"].to_numpy()), np.minimum(low, then["low"].to_numpy())
        if ahead in HORIZONS:
            ends = {"fwd_return": then["close"].to_numpy(), "mfe": high, "mae": low}
            found |= {f"{name}_{ahead}": price / now - 1 for name, price in ends.items()}
    return found


def numeric(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Columns as float64: flags 0 or 1, the regime from 0 to 1, NaN where unknown."""
    missing = [name for name in names if name not in rows]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}; there are {', '.join(map(str, rows.columns))}")
    regimes = {"volatility_regime": rows["volatility_regime"].map(REGIMES)} if "volatility_regime" in names else {}
    return rows[list(names)].assign(**regimes).astype("float64")


def origin(rows: pd.DataFrame) -> str:
    """What is to be said about where the rows come from."""
    exchanges = set(rows["exchange"])
    if exchanges & {*GENERATED}:
        return "SIMULATED DATA: generated prices. No result on them proves anything about a real market."
    if exchanges & {*RECORDED}:
        return "Recorded candles, replayed."
    return f"Real candles of {', '.join(sorted(exchanges))}."


def caution(rows: pd.DataFrame) -> str:
    """What is to be said when something has worked."""
    if set(rows["exchange"]) & {*GENERATED}:
        return "The generator makes patterns; finding them says nothing about a real market."
    return "Once is not often: try other markets and months."


def _sound(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of `usable_at`; those whose analysis failed are left out."""
    rows = rows[rows["error"].isna()] if "error" in rows else rows
    return rows.sort_values(["usable_at", "candle_time"], ignore_index=True)


def _moments(texts: Any) -> Any:
    return pd.to_datetime(texts, format="ISO8601", utc=True).astype("datetime64[ms, UTC]")
