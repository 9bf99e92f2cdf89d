"""What was kept of markets, in files and on its way to them: training data, features, gaps, old signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from scanner.errors import InvalidInput, NotRunning
from scanner.markets import Market, Wanted, parse_symbol
from scanner.records import iso
from scanner.renames import Renames
from scanner.runtime.columns import Record
from scanner.runtime.latest import Latest
from scanner.runtime.query import is_signal, timeframe_of
from scanner.store.dataset import Query, Selection
from scanner.store.gaps import Gap
from scanner.store.past import KNOWN_AT, features_of
from scanner.store.reader import StoreReader
from scanner.timeframes import DAY_MS, LENGTH_MS


class Kept:
    """Answers from a data folder, whoever wrote to it.

    Parameters
    ----------
    reader : StoreReader
        Reads the folder.
    latest : callable
        The latest run: while it goes on its store also knows what is not in its files yet.
    renames : Renames
        Coins that are looked for by their other names too.
    """

    def __init__(self, reader: StoreReader, latest: Callable[[], Latest], renames: Renames) -> None:
        self._reader, self._latest, self._renames = reader, latest, renames

    def training_data(
        self,
        symbol: str,
        days: int = 30,
        exchange: str | None = None,
        timeframe: str | None = None,
        *,
        final_only: bool = False,
    ) -> Selection:
        """What was kept of one symbol in the last `days` days; `timeframe` may be a style.

        Raises
        ------
        InvalidInput, NothingStored, StoreFailure
        """
        latest = self._latest()
        wanted = parse_symbol(symbol, renames=self._renames).on(exchange)
        query = Query(wanted, days, timeframe_of(timeframe, latest.styles), final_only)
        timeframes = latest.styles.values() if latest.run is not None else LENGTH_MS
        return self._store(latest).select(query, tuple(timeframes), latest.now_ms())

    def features(
        self,
        symbol: str,
        days: int = 30,
        exchange: str | None = None,
        timeframe: str | None = None,
        as_of_ms: int | None = None,
        by: str = KNOWN_AT,
        timeframes: Sequence[str] | None = None,
    ) -> pa.Table:
        """One row per final signal of one symbol, with features and labels, as known now or at a past moment.

        `by` says when things count as known, `timeframes` which are joined (those of the latest run, if none are
        named); see `past.features_of`.

        Raises
        ------
        InvalidInput, NothingStored, StoreFailure
        """
        latest = self._latest()
        wanted, now_ms = parse_symbol(symbol, renames=self._renames).on(exchange), latest.now_ms()
        if as_of_ms is not None and as_of_ms > (passed_ms := latest.passed_ms()):
            raise InvalidInput("as_of", iso(as_of_ms), f"has not come yet, it is {iso(passed_ms)}")
        query = Query(wanted, days, timeframe_of(timeframe, latest.styles), final_only=True)
        at_ms = now_ms if as_of_ms is None else as_of_ms
        joined = latest.styles.values() if timeframes is None else timeframes
        return features_of(self._store(latest), query, at_ms, tuple(joined), by)

    def gaps(
        self, exchange: str | None = None, symbol: str | None = None, cause: str | None = None, days: int = 30
    ) -> list[dict[str, Any]]:
        """What the gap ledger says of the last `days` days, newest first; those that last are first.

        `symbol` selects that market's gaps and those of its whole exchange.

        Raises
        ------
        InvalidInput, StoreFailure
        """
        wanted = None if symbol is None else parse_symbol(symbol, allow_base=True)
        latest = self._latest()
        found = self._reader.gaps.read(latest.now_ms() - days * DAY_MS, exchange)
        lasting = latest.running.open_gaps() if latest.running is not None else []
        return [
            {**gap.as_record(), "backfilled": gap.backfilled}
            for gap in [*lasting, *found]
            if exchange in (None, gap.exchange) and cause in (None, gap.cause) and _concerns(gap, wanted)
        ]

    def newest_signals(self) -> list[Record]:
        """The newest signal of every market and timeframe in the files.

        Raises
        ------
        NotRunning
            Nothing is stored.
        """
        self.require_data()
        return self._reader.newest_signals(is_signal)

    def require_data(self) -> None:
        """Raise NotRunning where nothing is stored, which is so where nothing was ever scanned."""
        if not self._reader.has_anything():
            raise NotRunning("The scanner has not been started and nothing is stored; POST a start first.")

    def _store(self, latest: Latest) -> StoreReader:
        return latest.running.store if latest.running is not None else self._reader


def _concerns(gap: Gap, wanted: Wanted | None) -> bool:
    """Whether a gap is one of a market that is wanted, or of its whole exchange."""
    if wanted is None:
        return True
    if gap.symbol is None:
        return wanted.exchange in (None, gap.exchange)
    return wanted.matches(Market(gap.exchange, gap.symbol))
