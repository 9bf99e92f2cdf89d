"""FolderWriter: a process as the one writer of a data folder, from its opening to its end, and how that goes.

What is appended is left to `store`. What cannot be written is counted and shown by `health`, and stops
nothing else.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from scanner.errors import FolderInUse, StoreFailure
from scanner.store import folders, foreign, names, ohlcv
from scanner.store.candle_files import CandleFiles
from scanner.store.folder_size import FolderSize
from scanner.store.foreign import Surroundings
from scanner.store.gap_files import GapFiles
from scanner.store.gaps import Gap
from scanner.store.health import Health
from scanner.store.late_files import LateFiles
from scanner.store.losses import Losses
from scanner.store.medium import Medium
from scanner.store.moments import file_cluster, file_signal
from scanner.store.owning import Owning
from scanner.store.reader import StoreReader
from scanner.store.record_files import RecordFiles
from scanner.store.refusals import Refusals
from scanner.store.retention import Limits, Trimmer
from scanner.store.universe_files import UniverseFiles
from scanner.store.wish import WishFile

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 5.0
DAY_FILES = (names.SIGNALS, names.CLUSTERING, names.UNIVERSE, names.GAPS, names.LATE)
MEDIUM = "medium"  # in messages: what was written cannot be flushed to it


class FolderWriter(StoreReader):
    """Owns one data folder between `open` and `close`. Every method may be called from any thread.

    Parameters
    ----------
    base_path : path
        The data folder; created by `open`.
    clock : callable
        Seconds that only grow.
    limits : Limits, optional
        How much of the past is kept; by default all.
    losses : Losses, optional
        What a store before this one could neither keep nor state.

    Attributes
    ----------
    wish : WishFile
        What the process after this one is to scan.
    gaps : GapFiles
        Why there are no candles somewhere.
    late : LateFiles
        What became known after its time.
    """

    _candles: CandleFiles

    def __init__(
        self,
        base_path: str | Path,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        losses: Losses | None = None,
    ) -> None:
        noting = (self._note_candles, self._lose_candles)
        super().__init__(base_path, lambda ohlcv, journal: CandleFiles(ohlcv, journal, clock, *noting))
        self._health = Health(self.base_path)
        self._size = FolderSize(self.base_path, clock)
        self._surroundings = Surroundings(self.base_path)
        self._owning = Owning(self.base_path, self._folders, self._health, self._take_up, self._candles.close)
        own, losses = self._owning.own, losses or Losses()
        self._medium = Medium(partial(self._health.note, MEDIUM))
        wrote = self._medium.wrote
        self._signals = RecordFiles(self.signals_path, file_signal, self._health, wrote)
        self._clusters = RecordFiles(self.clustering_path, file_cluster, self._health, wrote)
        self._universes = UniverseFiles(self.universe_path, self._health, wrote)
        self.wish = WishFile(self.base_path, self._health, own)
        self.gaps: GapFiles = GapFiles(self.base_path, self._health, losses, own, wrote)
        self.late: LateFiles = LateFiles(self.base_path, self._health, wrote)
        ledgers = (self._universes, self.gaps.files, self.late.files)
        self._recorded = (self._signals.days, self._clusters.days)
        self._day_files = (*self._recorded, *(ledger.days for ledger in ledgers))
        self._refusals = Refusals(own, losses, self.gaps)
        self._trimmer = Trimmer(self.base_path, self._folders, self._recorded, limits or Limits(), self._health, clock)
        self._clock, self._look_again_at = clock, 0.0

    def open(self, must_write: bool = False) -> None:
        """Create the folders, own them, and clear away what a killed writer left half done.

        A folder that cannot be written to is no error here: `health` says so, and every append tries again.

        Parameters
        ----------
        must_write : bool
            That is an error here: nothing would be worth doing that cannot be kept.

        Raises
        ------
        FolderInUse
            Another process owns the folder, or another store of this process.
        StoreFailure
            It must be written to and cannot be, or one of the folders in it; the message names which.
        """
        self._owning.begin()
        try:
            self._owning.own()
            if must_write:
                self.require_writable()
        except FolderInUse:
            self._owning.end()
            raise
        except StoreFailure as error:
            if must_write:
                self.close()
                raise
            logger.warning("%s", error)

    def require_writable(self) -> None:
        """Nothing to say where some files alone cannot be written.

        Raises
        ------
        StoreFailure
            The folder, or one of those in it, takes no files: there is no room, or no permission, or it is not ours.
        """
        self._owning.own()
        self._health.raise_failures([names.JOURNAL, MEDIUM])
        self._health.raise_general()
        self._owning.require_writable()

    def flush(self) -> None:
        """Write all that waits, and have everything on the medium.

        Raises
        ------
        StoreFailure
            Something could not be written.
        """
        self._owning.own()
        self._candles.write_all()
        try:
            self._medium.flush()
        except OSError as error:
            self._health.note(MEDIUM, error)
        else:
            self._health.note(MEDIUM, None)
        self._health.raise_failures(["ohlcv/", MEDIUM])

    def close(self, within_s: float = math.inf) -> None:
        """Write what waits and give the folder back; does nothing the second time.

        What cannot be written is counted; candles that are not in their files `within_s` stay in the journal. Records
        are in their files in any case; those that could not be flushed in time a power cut may still take.
        """
        if not self._owning.is_wanted:
            return
        until = self._clock() + within_s
        try:
            with suppress(StoreFailure, FolderInUse):
                self._owning.own()
                self._candles.write_all(within_s)
                self.gaps.restate()
            if left := self._medium.finish(max(until - self._clock(), 0.0)):
                logger.warning("no time to flush %d files to the medium", left)
            self._candles.close()
            lost = self._candles.count()["unsafe"]
            if lost:
                logger.error("%d candles could not be kept", lost)
            for days in self._day_files:
                with suppress(OSError):
                    days.close()
        finally:
            self._owning.end()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def losses(self) -> list[Gap]:
        """What could not be kept and is not in the gap ledger yet, as a rule because it is not over."""
        return self._refusals.lasting()

    def failing(self) -> dict[str, str]:
        """What cannot be written at present, ``ohlcv/binance_BTCUSDT_5m.parquet``, and why."""
        return self._health.failing()

    def state_losses(self) -> None:
        """No more records will come: what of them could not be kept goes into the gap ledger.

        The twins of their files are given up for that; on a full disk that is the room there is.
        """
        for days in self._recorded:
            with suppress(OSError):
                days.close()
        self._refusals.cut_short()

    def health(self) -> dict[str, Any]:
        """How writing goes.

        Returns
        -------
        dict
            ``state``: ok or degraded; ``cause``: what cannot be written, or None; ``repaired``: files that ended in
            half a record; ``set_aside``: damaged or foreign files renamed; ``not_kept``: records and candles lost;
            ``removed``: old files removed by the limits; ``waiting``: candles not in their file yet; ``unsafe``: those
            of them that the journal does not have either; ``journal_bytes``: its size; ``unflushed``: files
            with content that a power cut may take; ``files``, ``bytes``: size of the folder, at most half a minute
            ago; ``foreign``: what has one of our names and cannot be ours, such as
            ``ohlcv/binance_BTCUSDT_5m.parquet is a folder``, at most ten minutes ago.
        """
        candles = self._candles.count()
        return (
            self._health.report()
            | self._size.now()
            | {
                "repaired": candles["repaired"] + sum(days.repaired for days in self._day_files),
                "set_aside": candles["set_aside"] + sum(days.set_aside for days in self._day_files),
                "not_kept": self._refusals.count + self.gaps.dropped + candles["not_kept"],
                "removed": self._trimmer.removed,
                "foreign": list(self._surroundings.strangers),
                **{name: candles[name] for name in ("waiting", "unsafe", "journal_bytes")},
                "unflushed": self._medium.unflushed,
            }
        )

    def _look_again(self) -> None:
        """Whether day files that were refused can be written by now: the next record of some is hours away."""
        if self._clock() < self._look_again_at:
            return
        self._look_again_at = self._clock() + LOOK_AGAIN_S
        for what, path in self._health.refused_files().items():
            if path.parent.name in DAY_FILES and folders.takes_file(path):
                self._health.note(what, None)

    def _take_up(self) -> None:
        """The folder is ours now: go on where the process before us ended."""
        self._candles.open()  # before the clearing: what was left half done tells it where to look
        foreign.clear_leftovers(self.base_path)
        self._surroundings.look()

    def _note_candles(self, name: str, error: OSError | None) -> None:
        found = names.try_candle_file(name)
        self._health.note(name if found is None else f"ohlcv/{name}", error)
        if found is not None and error is None:
            self._refusals.takes_candles_again(found)

    def _lose_candles(self, name: str, lost: ohlcv.Rows) -> None:
        if (found := names.try_candle_file(name)) is not None:
            cause = self._health.failing().get(f"ohlcv/{name}", "its file cannot be written")
            self._refusals.lose_candles(found, lost.open_time, f"ohlcv/{name}: {cause}")
