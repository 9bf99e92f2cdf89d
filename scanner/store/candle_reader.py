"""The candles in a folder that another process writes: those in their files, and those that wait in its journal."""

from __future__ import annotations

from pathlib import Path

from scanner.store import files, names, ohlcv, segments
from scanner.store.candle_file import CandleFile, Totals
from scanner.store.ohlcv import NONE, Rows

Stamps = tuple[tuple[Path, files.Stamp], ...]


class CandleReader:
    """Reads the OHLCV files of one folder. Every method may be called from any thread.

    Parameters
    ----------
    folder, journal : Path
        Where the files are, and the journal of who writes them.
    """

    def __init__(self, folder: Path, journal: Path) -> None:
        self.folder = folder
        self._journal_folder = journal
        self._left: tuple[Stamps, dict[str, Rows]] = ((), {})  # what waits in segments with these stamps

    def candles(self, name: str, since_ms: int = 0) -> Rows:
        """All candles of a file since a moment, the waiting ones too; raises OSError."""
        left = self._left_by_another().get(name, NONE)  # before the file is read: they may move there in between
        found = self._file(name).candles(since_ms)
        return ohlcv.merge(found, left.since(since_ms))

    def newest(self, name: str, since_ms: int) -> Rows:
        """See `CandleFile.newest`; raises Damaged or OSError."""
        return self._file(name).newest(since_ms)

    def names(self) -> list[str]:
        """Names of the files that have candles waiting; raises OSError."""
        return [*self._left_by_another()]

    def _file(self, name: str) -> CandleFile:
        return CandleFile(self.folder / name, Totals())

    def _left_by_another(self) -> dict[str, Rows]:
        """What waits in the journal, read again only when that has changed."""
        while (stamps := self._stamps()) != self._left[0]:
            found: dict[str, list[Rows]] = {}
            for batch in segments.waiting_in(path for path, _ in stamps):
                for name, candles in batch:
                    if names.is_head(name):
                        found.setdefault(name, []).append(candles)
            if all(path.exists() for path, _ in stamps):  # what has gone may have gone on to a newer segment
                self._left = stamps, {name: ohlcv.joined(each) for name, each in found.items()}
                break
        return self._left[1]

    def _stamps(self) -> Stamps:
        paths = segments.listed(self._journal_folder)
        return tuple((path, stamp) for path in paths if (stamp := files.stamp_of(path)))
