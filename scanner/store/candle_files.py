"""OHLCV files: new candles go to the journal at once, and into their Parquet file when that is worth a rewrite.

What is safe meanwhile is decided in `safekeeping`, what is due in `schedule`; here it is written. What is old is sealed
away (`parts`), so that the cost of a candle depends neither on years nor on markets. A new file has the content of the
old one at its old place, which spares readers that open a path twice (`places`). Who reads through a store sees waiting
candles too, of this process or another; a killed one leaves them in the journal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from scanner.store import files
from scanner.store.batches import Batch
from scanner.store.candle_file import CandleFile
from scanner.store.candle_reader import CandleReader
from scanner.store.known_files import KnownFiles
from scanner.store.ohlcv import Rows
from scanner.store.safekeeping import SafeKeeping


class CandleFiles(CandleReader):
    """The OHLCV files of one folder, ours between `open` and `close`. Every method may be called from any thread.

    Parameters
    ----------
    journal : Path
        Folder of the journal.
    clock : callable
        Seconds that only grow (`time.monotonic`).
    on_result : callable
        Called with a file's name and the error of a write, or None when it succeeded; the journal is one of them.
    on_lost : callable
        Called with a file's name and the candles that had to go, as too many wait for it.

    Notes
    -----
    There are two locks, each inside a class of its own. That of `SafeKeeping` protects the journal, and that memory has
    whatever the journal has; that of `KnownFiles`, taken inside it, protects which files are known and when they are
    due. Neither is held while a Parquet file is written: each `CandleFile` has its own lock for that.
    """

    def __init__(
        self,
        folder: Path,
        journal: Path,
        clock: Callable[[], float] = time.monotonic,
        on_result: Callable[[str, OSError | None], object] = lambda name, error: None,
        on_lost: Callable[[str, Rows], object] = lambda name, candles: None,
    ) -> None:
        super().__init__(folder, journal)
        self._clock, self._on_result = clock, on_result
        self._known = KnownFiles(folder, clock, on_lost)
        self._safe = SafeKeeping(journal, self._known, clock, on_result)

    def open(self) -> None:
        """Take up what an earlier run left in the journal; the folder is ours from here on. Raises OSError."""
        self._safe.open()
        for name in self._known.heads_with_parts():
            if files.hidden(self.folder / name, "tmp").is_file():
                try:
                    self._file(name).write(even_if_nothing_waits=True)
                except OSError as error:
                    self._on_result(name, error)

    def close(self) -> None:
        """Close the journal; candles that still wait stay in it, and the folder is nobody's."""
        self._safe.close()

    def add(self, name: str, candles: Rows) -> None:
        self.add_all([(name, candles)])

    def add_all(self, batch: Batch) -> None:
        """Have candles kept: they are in the journal and readable at once, and written in due time."""
        if batch := [(name, candles) for name, candles in batch if len(candles)]:
            self._safe.keep(batch)

    def names(self) -> list[str]:
        """Names of the files that have candles waiting, or had; raises OSError."""
        left = self._left_by_another()
        return [*(file.path.name for file in self._known.all()), *left]

    def write_due(self) -> None:
        """Write the files that are due, as long as the share of time for writing lasts."""
        self._safe.catch_up()
        while (file := self._known.next_due()) is not None:
            started = self._clock()
            self._write(file)
            self._known.spend(self._clock() - started)

    def write_all(self, within_s: float = math.inf) -> None:
        """Write every candle that waits, file by file, as long as `within_s` lasts."""
        until = self._clock() + within_s
        for file in self._known.all():
            if self._clock() >= until:
                return
            self._write(file)

    def write(self, name: str) -> None:
        """Write what waits for one file, now."""
        if (file := self._known.get(name)) is not None:
            self._write(file)

    def count(self) -> dict[str, int]:
        """How many files were set aside or repaired, candles not kept, and candles that wait, in the journal or not."""
        return self._safe.count()

    def _write(self, file: CandleFile) -> None:
        name = file.path.name
        through = self._safe.newest_batch()
        try:
            file.write()
        except OSError as error:
            self._known.note_refused(name)
            self._on_result(name, error)
        else:
            self._known.note_written(name)
            self._safe.settle(name, through)
            self._on_result(name, None)

    def _file(self, name: str) -> CandleFile:
        return self._known.file(name)

    def _left_by_another(self) -> dict[str, Rows]:
        if not self._known.are_ours:
            left = super()._left_by_another()
            if not self._known.are_ours:  # since then either: what we have in memory is newer
                return left
        return {}
