"""The journal: closed candles are in it as soon as they are known, in their Parquet files when that is worth a rewrite.

Each cycle adds one batch, the candles of all its markets, to the newest of its segments (`segments`; their bytes are in
`batches`). A start reads the segments again; a segment goes once all its candles are in their files, the oldest first,
so that of two values of a candle the later one always wins.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from scanner.store import batches, files, names, segments
from scanner.store.batches import Batch, State
from scanner.store.segments import Segment

SEGMENT_BYTES = 8_000_000  # then the next one begins


class Journal:
    """The segments of one data folder. Not for several threads at once.

    Parameters
    ----------
    of : Path
        The folder of the files that the candles go on to.

    Attributes
    ----------
    repaired, set_aside : int
        Segments that ended in half a batch; segments damaged otherwise.
    number : int
        How many batches there were.
    """

    def __init__(self, folder: Path, of: Path) -> None:
        self.folder, self._of = folder, of
        self.repaired = self.set_aside = self.number = 0
        self._segments: list[Segment] = []  # oldest first; only the newest may be open

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self._segments)

    def replay(self, on_failure: Callable[[str, OSError], object]) -> list[Batch]:
        """Every batch that an earlier run left, oldest first; a segment that cannot be read is left as it is.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        self.close()
        found: list[Batch] = []
        self._segments = []
        for path in segments.listed(self.folder):
            try:
                content = segments.mended(path)
            except OSError as error:
                on_failure(f"old {names.JOURNAL}/{path.name}", error)
                continue
            self.repaired += content.state is State.TORN
            self.set_aside += content.state is State.FOREIGN
            segment = Segment(path, content.end)
            for batch in content.batches:
                self._count(segment, batch)
            self._segments.append(segment)
            found += content.batches
        return found

    def append(self, batch: Batch) -> None:
        """Have a batch on the medium.

        Raises
        ------
        OSError
            It is not; the journal is as it was.
        """
        text = batches.encode(batch)
        segment = self._with_room()
        try:
            segment.append(text)
        except OSError:
            self.close()  # whatever state the file is in, the next batch begins a new one
            raise
        self._count(segment, batch)

    def begin_anew(self, batch: Batch) -> None:
        """Have a batch on the medium in place of all there were: it holds every candle that is not in its file.

        Raises
        ------
        OSError
            It is not; the journal is as it was.
        """
        self.close()
        older = len(self._segments)
        if batch:
            self.append(batch)
        for segment in self._segments[:older]:
            segment.waits.clear()
        while self._segments and not self._segments[0].waits:
            self._drop_oldest()

    def is_whole(self) -> bool:
        """Whether the segment that grows is still where it was put."""
        return not self._segments or self._segments[-1].has_its_name()

    def settle(self, name: str, through: int) -> None:
        """The candles of one file are in it, up to those of batch `through`."""
        for segment in self._segments:
            segment.settle(name, through)
        while self._segments and not self._segments[0].waits and _may_go(self._segments[0]):
            self._drop_oldest()

    def close(self) -> None:
        """Begin a new segment with the next batch; segments whose candles are all in their files go."""
        if self._segments:
            self._segments[-1].close()
        while self._segments and not self._segments[0].waits:
            self._drop_oldest()

    def _with_room(self) -> Segment:
        """The newest segment, a new one if it is full or closed."""
        if not self._segments or not self._segments[-1].is_open or self._segments[-1].size >= SEGMENT_BYTES:
            self.close()
            self._segments.append(segments.begun(self.folder, self._segments))
        return self._segments[-1]

    def _drop_oldest(self) -> None:
        segment = self._segments.pop(0)
        segment.close()
        with suppress(OSError):  # a start reads it again, which does no harm
            files.sync(self._of)  # the names of the files that its candles are in now
            segment.path.unlink(missing_ok=True)

    def _count(self, segment: Segment, batch: Batch) -> None:
        self.number += 1
        segment.note(batch, self.number)


def _may_go(segment: Segment) -> bool:
    """Whether it can be done without: not the one that grows, unless that is full."""
    return not segment.is_open or segment.size > SEGMENT_BYTES
