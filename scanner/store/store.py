"""TrainingStore: the one writer of a data folder; what is in it is read as any `StoreReader` does.

Layout: ``signals/`` and ``clustering/`` hold a JSON array per market and UTC day, ``ohlcv/`` a Parquet file per market
and timeframe, ``universe/`` a JSON array per exchange and UTC day. What cannot be written is counted and shown by
`health`, and stops nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from numpy.typing import ArrayLike

from scanner.errors import FolderInUse, StoreFailure
from scanner.markets import Market
from scanner.store import names, ohlcv
from scanner.store.late import Late, changes, overdue
from scanner.store.moments import Key
from scanner.store.record_files import Batch, RecordFiles
from scanner.store.writer import FolderWriter


class TrainingStore(FolderWriter):
    """Keeps signals, cluster records and candles under one folder. Every method may be called from any thread.

    Writing needs `open`, which makes this process the folder's only writer until `close`. Reading does not. For the
    parameters see `FolderWriter`.
    """

    def append_signals(self, records_by_market: Batch, at_ms: int) -> None:
        """Keep signals: final ones once per market, timeframe and candle, live ones as they come.

        Parameters
        ----------
        records_by_market : mapping
            Signal records; not changed. `numpy` scalars and datetimes are welcome, NaN becomes null.
        at_ms : int
            Market time of the cycle, for records without a timestamp of their own.

        Raises
        ------
        InvalidInput
            A market that cannot be a file name; nothing was written.
        StoreFailure
            Some records could not be kept; all others were.
        """
        self._append(self._signals, records_by_market, at_ms)

    def append_clusters(self, records_by_market: Batch, at_ms: int) -> None:
        """Keep cluster records, once per market, timeframe and timestamp; as `append_signals` otherwise."""
        self._append(self._clusters, records_by_market, at_ms)

    def append_universe(self, exchange: str, record: Mapping[str, Any], at_ms: int) -> None:
        """Keep who was in the scan of an exchange at a market time.

        Raises
        ------
        InvalidInput
            The exchange cannot be a file name.
        StoreFailure
            It could not be kept.
        """
        names.exchange_file(exchange, at_ms)
        with self._refusals.counted(names.UNIVERSE, {exchange: 1}, at_ms):
            self._universes.keep(exchange, record, at_ms)

    def append_candles(
        self,
        market: Market,
        timeframe: str,
        open_time: ArrayLike,
        open: ArrayLike,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
    ) -> None:
        """Keep closed candles; one that is known already is replaced.

        They are in the journal when this returns, and reach their file in due time (see `schedule`).

        Parameters
        ----------
        open_time : int64[n]
            Epoch ms, any order.
        open, high, low, close, volume : float64[n]
            A candle whose price is NaN does not exist and is left out.

        Raises
        ------
        InvalidInput
            The market or the timeframe cannot be a file name.
        ValueError
            The columns differ in length.
        StoreFailure
            The folder cannot be written to. The candles wait in memory all the same.
        """
        name = names.candle_file(market, timeframe)
        self._keep_candles([(name, ohlcv.rows(open_time, (open, high, low, close, volume)))])

    def append_closed(self, candles: Iterable[tuple[Market, str, ohlcv.Rows]], at_ms: int | None = None) -> None:
        """Keep closed candles of many markets and timeframes, in order of time each; as `append_candles` otherwise.

        What comes or changes late is noted, see `late`; without `at_ms`, when that is, all of it counts as in time.
        """
        candles = list(candles)
        batch = [(names.candle_file(market, timeframe), rows) for market, timeframe, rows in candles]
        if at_ms is not None:
            self._note_late(candles, at_ms)
        self._keep_candles(batch)

    @property
    def waiting(self) -> int:
        """How many candles are not in their files yet."""
        return self._candles.count()["waiting"]

    def write_candles(self, market: Market, timeframe: str) -> None:
        """Write the candles of one market and timeframe that wait, now; raises StoreFailure."""
        name = names.candle_file(market, timeframe)
        self._owning.own()
        self._candles.write(name)
        self._health.raise_failures((f"ohlcv/{name}",))

    def has_final(self, market: Market, timeframe: str, open_ms: int) -> bool:
        """Whether the final signal of a candle is kept already; False where that cannot be read."""
        return self._signals.has(market, Key(timeframe, open_ms))

    def _append(self, kind: RecordFiles, batch: Batch, at_ms: int) -> None:
        for market in batch:
            names.stem(market)
        kept = set(batch)
        try:
            with self._refusals.counted(kind.name, {market: len(records) for market, records in batch.items()}, at_ms):
                kind.append(batch, at_ms)
        except StoreFailure as error:
            kept -= error.refused.keys()
            raise
        finally:
            if self._owning.is_ours:
                self._refusals.takes_again((market.exchange for market in kept), at_ms)
                self._candles.write_due()
                if self._trimmer.trim_if_due(at_ms):
                    self._surroundings.look()
                self.wish.retry()
                self._look_again()

    def _keep_candles(self, batch: Sequence[tuple[str, ohlcv.Rows]]) -> None:
        try:
            self._owning.own()
        finally:
            self._candles.add_all(batch)
        self._candles.write_due()  # which only the owner may
        self._health.raise_failures([names.JOURNAL, *(f"ohlcv/{name}" for name, _ in batch)])

    def _note_late(self, candles: Sequence[tuple[Market, str, ohlcv.Rows]], at_ms: int) -> None:
        """Note what some candles that are about to be kept change after its time, as long as that can be told."""
        found: list[Late] = []
        for market, timeframe, rows in candles:
            if overdue(timeframe, rows, at_ms):
                with suppress(StoreFailure):
                    stored = self.candles(market, timeframe, int(rows.open_time[0]))
                    found += changes(market, timeframe, stored, rows, at_ms)
        with (
            suppress(StoreFailure, FolderInUse),  # which is no reason not to keep the candles
            self._refusals.counted(names.LATE, Counter(late.market for late in found), at_ms),
        ):
            self.late.append(found)
