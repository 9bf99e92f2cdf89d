"""StoreReader: what is kept in a data folder, by this process or another, of this scanner or its predecessors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from scanner.errors import NothingStored, StoreFailure
from scanner.markets import Market, Wanted, select
from scanner.store import dataset, names, ohlcv
from scanner.store.candle_reader import CandleReader
from scanner.store.dataset import Query, Selection
from scanner.store.gap_files import FOLDER as GAPS
from scanner.store.gap_files import GapLedger
from scanner.store.gaps import Gap, explained
from scanner.store.late_files import FOLDER as LATE
from scanner.store.late_files import LateLedger
from scanner.store.universe_files import newest_universe
from scanner.timeframes import DAY_MS, length_ms

LIKELY = 3  # markets named where there is nothing of those that are asked for


class StoreReader:
    """Reads one data folder; never writes to it. Every method may be called from any thread.

    There may be any number of readers beside the process that owns the folder. Candles that wait in its journal are
    read with those that are in their files.

    Parameters
    ----------
    base_path : path
        The data folder; one that does not exist holds nothing.
    candles : callable, optional
        Makes of the folders of OHLCV files and of the journal what reads them: a writer's has newer ones in memory.

    Attributes
    ----------
    gaps : GapLedger
        Why there are no candles somewhere.
    late : LateLedger
        What became known after its time.
    """

    def __init__(self, base_path: str | Path, candles: Callable[[Path, Path], CandleReader] = CandleReader) -> None:
        self.base_path = Path(base_path)
        self.signals_path = self.base_path / "signals"
        self.ohlcv_path = self.base_path / "ohlcv"
        self.clustering_path = self.base_path / "clustering"
        self.universe_path = self.base_path / "universe"
        self.journal_path = self.base_path / names.JOURNAL
        self.gaps = GapLedger(self.base_path)
        self.late = LateLedger(self.base_path)
        records = (self.signals_path, self.ohlcv_path, self.clustering_path)
        others = (self.universe_path, self.base_path / GAPS, self.base_path / LATE, self.journal_path)
        self._folders = (*records, *others)
        self._candles = candles(self.ohlcv_path, self.journal_path)

    def markets(self) -> list[Market]:
        """Every market anything is kept of, sorted; raises StoreFailure when a folder cannot be read."""
        try:
            texts = self._candles.names()
        except OSError as error:
            raise StoreFailure(f"{names.JOURNAL}: cannot be read: {error.strerror}") from error
        waiting = {name.market for text in texts if (name := names.try_candle_file(text)) is not None}
        return sorted(waiting.union(*(dataset.markets_of(folder) for folder in self._folders)))

    def has_anything(self) -> bool:
        """Whether anything was ever kept."""
        return bool(self.markets())

    def newest_signals(self, is_usable: Callable[[dict[str, Any]], bool] = bool) -> list[dict[str, Any]]:
        """The newest usable signal kept of every market and timeframe; raises StoreFailure if a file cannot be read."""
        return dataset.newest(self.signals_path, is_usable)

    def newest_universe(self, exchange: str) -> dict[str, Any] | None:
        """The newest snapshot of a universe on an exchange; None where there is none that can be read."""
        return newest_universe(self.universe_path, exchange)

    def candles(self, market: Market, timeframe: str, since_ms: int = 0) -> ohlcv.Rows:
        """The closed candles kept of one market and timeframe since a moment, oldest first; empty if there are none.

        Raises
        ------
        StoreFailure
            The file cannot be read.
        """
        name = names.candle_file(market, timeframe)
        try:
            return self._candles.candles(name, since_ms)
        except OSError as error:
            raise StoreFailure(f"ohlcv/{name}: cannot be read: {error.strerror}") from error

    def newest_candles(self, market: Market, timeframe: str, since_ms: int) -> ohlcv.Rows:
        """The candles in the files of one market and timeframe since `since_ms`, oldest first; those waiting are not.

        There may be older ones. The first is later than `since_ms` only if none before is kept.

        Raises
        ------
        StoreFailure
            The file cannot be read, or is damaged.
        """
        name = names.candle_file(market, timeframe)
        try:
            return self._candles.newest(name, since_ms)
        except OSError as error:
            raise StoreFailure(f"ohlcv/{name}: cannot be read: {error.strerror}") from error
        except ohlcv.Damaged as error:
            raise StoreFailure(f"ohlcv/{name}: is damaged: {error}") from error

    def holes(self, market: Market, timeframe: str) -> list[Gap]:
        """Every stretch without a candle between the oldest and the newest kept, cut by cause; see `gaps.explained`.

        Raises
        ------
        StoreFailure
            A file cannot be read.
        """
        kept, noted = self.candles(market, timeframe), self.gaps.read(exchange=market.exchange)
        return explained(market.exchange, market.symbol, kept.open_time, length_ms(timeframe), noted)

    def select(self, query: Query, timeframes: Iterable[str], now_ms: int) -> Selection:
        """What was kept in the days before `now_ms` of what a query asks for.

        Candles are read at once; of the records it is noted where they lie.

        Parameters
        ----------
        timeframes : iterable of str
            The OHLCV timeframes to give where the query names none; those nothing is kept of are left out.
        now_ms : int
            Market time, where the days end.

        Raises
        ------
        NothingStored
            Nothing was ever kept of what is wanted.
        StoreFailure
            A file cannot be read.
        """
        markets, start_ms = self.markets_of(query.wanted), now_ms - query.days * DAY_MS
        chosen = timeframes if query.timeframe is None else (query.timeframe,)
        candles = {timeframe: self._candles_since(markets, timeframe, start_ms) for timeframe in chosen}
        return Selection(
            dataset.excerpt(self.signals_path, markets, start_ms, query.wants_signal),
            {timeframe: found for timeframe, found in candles.items() if found},
            dataset.excerpt(self.clustering_path, markets, start_ms, query.wants_cluster),
        )

    def dataset(self, query: Query, timeframes: Iterable[str], now_ms: int) -> dict[str, Any]:
        """The same as plain values.

        Returns
        -------
        dict
            ``signals`` and ``clustering``: the records as kept, oldest first. ``ohlcv``: timeframe -> rows of ISO-8601
            UTC ``timestamp``, ``open``, ``high``, ``low``, ``close``, ``volume``, oldest first; when several markets
            are meant each row has ``exchange`` and ``symbol`` too.
        """
        return self.select(query, timeframes, now_ms).as_dict()

    def markets_of(self, wanted: Wanted) -> list[Market]:
        """The markets that are meant, of those anything is kept of; raises NothingStored where there are none."""
        kept = self.markets()
        markets = select(kept, wanted)
        if not markets:
            raise NothingStored(f"nothing is stored for {written(wanted)}{_likely(wanted, kept)}")
        return markets

    def _candles_since(self, markets: Sequence[Market], timeframe: str, start_ms: int) -> dict[Market, ohlcv.Rows]:
        found = {market: self.candles(market, timeframe, max(start_ms, 0)) for market in markets}
        return {market: rows for market, rows in found.items() if len(rows)}


def _likely(wanted: Wanted, kept: Sequence[Market]) -> str:
    """Which markets could have been meant where there are none of those that are wanted."""
    nearest = get_close_matches(written(wanted), dict.fromkeys(map(str, kept)), LIKELY, cutoff=0)
    others = len(kept) - len(nearest)
    return f", but for {', '.join(nearest)}{f' and {others} more' if others else ''}" if nearest else ""


def written(wanted: Wanted) -> str:
    """What is wanted, as one would write it."""
    text = wanted.symbol or wanted.base
    return f"{wanted.exchange}:{text}" if wanted.exchange else text
