"""What the medium refuses of any kind of record: counted, shown, and stated in the gap ledger when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from scanner.errors import FolderInUse, StoreFailure
from scanner.markets import Market
from scanner.store import names
from scanner.store.gap_files import GapFiles
from scanner.store.gaps import Gap
from scanner.store.losses import Losses
from scanner.store.names import CandleName
from scanner.timeframes import length_ms

SELDOM = (names.LATE, names.UNIVERSE)  # kinds whose next record may be hours away

Whom = Market | str  # whom records are about: a market, or an exchange as a whole


class Refusals:
    """The records a store could not keep. Every method may be called from any thread.

    Parameters
    ----------
    own : callable
        Makes this process the folder's writer; raises StoreFailure or FolderInUse.
    losses : Losses
        What cannot be stated yet.
    gaps : GapFiles
        Where it is stated.

    Attributes
    ----------
    count : int
        How many records were refused.
    """

    def __init__(self, own: Callable[[], None], losses: Losses, gaps: GapFiles) -> None:
        self._own, self._losses, self._gaps = own, losses, gaps
        self._lock = Lock()
        self.count = 0

    @contextmanager
    def counted(self, kind: str, records: Mapping[Whom, int], at_ms: int) -> Iterator[None]:
        """Own the folder and keep records of a cycle at `at_ms` (market time) in it.

        Those that a StoreFailure names as refused are lost, and all of them where the folder cannot be owned.

        Parameters
        ----------
        kind : str
            The folder of the records.
        records : mapping
            How many there are about whom.
        """
        try:
            self._own()
        except (StoreFailure, FolderInUse) as error:
            if isinstance(error, StoreFailure):
                error.refused = dict(records)
            self._lose(kind, records, error, at_ms)
            raise
        try:
            yield
        except StoreFailure as error:
            self._lose(kind, error.refused, error, at_ms, {_exchange(whom) for whom in records.keys() - error.refused})
            raise
        if records:
            self._over((kind,), map(_exchange, records), at_ms)

    def takes_again(self, exchanges: Iterable[str], at_ms: int) -> None:
        """The medium takes frequent records of exchanges again, and so it would take those that come seldom."""
        self._over(SELDOM, exchanges, at_ms)

    def lose_candles(self, name: CandleName, open_time: NDArray[np.int64], cause: str) -> None:
        """Candles of one market and timeframe that waited for their file had to go."""
        span = int(open_time[0]), int(open_time[-1]) + length_ms(name.timeframe)
        self._losses.note_candles(name.market, name.timeframe, len(open_time), span, cause)

    def takes_candles_again(self, name: CandleName) -> None:
        """Their file could be written; what was lost before is stated with the next record."""
        self._losses.candles_over(name.market, name.timeframe)

    def cut_short(self) -> None:
        """Nothing will be kept any more: what was lost is stated, up to the last record refused."""
        self._losses.cut_short()
        self._gaps.restate()

    def lasting(self) -> list[Gap]:
        """What is not in the gap ledger yet; `to_ms` is None for what is not over."""
        return self._losses.lasting()

    def _lose(
        self, kind: str, refused: Mapping[Whom, int], error: Exception, at_ms: int, taken: Container[str] = ()
    ) -> None:
        with self._lock:
            self.count += sum(refused.values())
        of: Counter[str] = Counter()
        for whom, records in refused.items():
            of[_exchange(whom)] += records
        self._losses.note(kind, of, str(error), at_ms, taken)
        self._gaps.restate()

    def _over(self, kinds: Iterable[str], exchanges: Iterable[str], at_ms: int) -> None:
        self._losses.over(kinds, exchanges, at_ms)
        self._gaps.restate()


def _exchange(whom: Whom) -> str:
    return whom if isinstance(whom, str) else whom.exchange
