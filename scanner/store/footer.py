"""The description that ends a Parquet file, taken apart by row groups and put together again. Pure.

It is Thrift's compact protocol, in which a row group is a run of bytes that means the same wherever it stands. So a
file can be described by the groups of two others, and without some of theirs, for which pyarrow has no call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAGIC = b"PAR1"
_ROWS, _GROUPS = 0x16, 0x19  # what stands before the number of rows (a long) and before the groups (a list)
_STRUCT = 12
_STOP, _TRUE, _FALSE, _BYTE, _NUMBERS, _DOUBLE, _TEXT, _LISTS = 0, 1, 2, 3, (4, 5, 6), 7, 8, (9, 10)


class Footer(NamedTuple):
    """A description in pieces.

    Attributes
    ----------
    before : bytes
        Version and schema.
    groups : tuple of bytes
        Each row group, offsets in the file included.
    after : bytes
        Who wrote it, and how columns are ordered.
    """

    before: bytes
    groups: tuple[bytes, ...]
    after: bytes


def begins(file: bytes) -> int:
    """Where the description begins."""
    return len(file) - len(MAGIC) - 4 - int.from_bytes(file[-8:-4], "little")


def taken_apart(file: bytes) -> Footer:
    """The description of a Parquet file; raises ValueError where it has another order of fields."""
    walk = _Walk(file, begins(file))
    try:
        for _ in ("version", "schema"):
            walk.field()
        before = file[begins(file) : walk.at]
        if file[walk.at] != _ROWS:
            raise ValueError("footer: no number of rows after the schema")
        walk.field()
        if file[walk.at] != _GROUPS:
            raise ValueError("footer: no row groups after their number of rows")
        walk.at += 1
        edges = list(walk.elements())
    except IndexError as error:
        raise ValueError("footer: cut short") from error
    groups = tuple(file[start:end] for start, end in zip(edges, [*edges[1:], walk.at], strict=True))
    return Footer(before, groups, file[walk.at : -8])


def put_together(footer: Footer, groups: Sequence[bytes], rows: int) -> bytes:
    """How a file ends that is described like another, but for its groups and the number of rows in them."""
    size = bytes([len(groups) << 4 | _STRUCT]) if len(groups) < 15 else bytes([0xF0 | _STRUCT]) + _varint(len(groups))
    text = b"".join([footer.before, bytes([_ROWS]), _varint(2 * rows), bytes([_GROUPS]), size, *groups, footer.after])
    return text + len(text).to_bytes(4, "little") + MAGIC


def _varint(number: int) -> bytes:
    text = bytearray()
    while number > 0x7F:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*text, number])


class _Walk:
    """Goes over a text in the compact protocol value by value, without keeping any."""

    def __init__(self, text: bytes, at: int) -> None:
        self._text, self.at = text, at

    def field(self) -> bool:
        """Go over the next field of a struct; False where it has ended."""
        head = self._byte()
        if head == _STOP:
            return False
        if not head >> 4:  # its number does not follow from the one before
            self._number()
        if head & 0x0F not in (_TRUE, _FALSE):
            self._value(head & 0x0F)
        return True

    def elements(self) -> Iterator[int]:
        """Where each element of a list begins; it is gone over when the next one is asked for."""
        head = self._byte()
        for _ in range(self._number() if head >> 4 == 15 else head >> 4):
            yield self.at
            self._value(head & 0x0F)

    def _value(self, kind: int) -> None:
        if kind == _STRUCT:
            while self.field():
                pass
        elif kind in _LISTS:
            for _ in self.elements():
                pass
        elif kind == _TEXT:
            length = self._number()  # moves on itself
            self.at += length
        elif kind in (_TRUE, _FALSE, _BYTE):  # a truth in a list is a byte
            self.at += 1
        elif kind in _NUMBERS:
            self._number()
        elif kind == _DOUBLE:
            self.at += 8
        else:
            raise ValueError(f"footer: a value of kind {kind}, known to Thrift and not to Parquet")

    def _byte(self) -> int:
        self.at += 1
        return self._text[self.at - 1]

    def _number(self) -> int:
        number = shift = 0
        while (byte := self._byte()) > 0x7F:
            number |= (byte & 0x7F) << shift
            shift += 7
        return number | byte << shift
