"""The text of a JSON array file: what is in it, what a crash left of it, and what an append adds. No disk here.

We write one record a line::

    [
    {"symbol":"BTC/USDT",...},
    {"symbol":"BTC/USDT",...}
    ]

and read any array of objects, however a person or another program laid it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import Enum
from typing import IO, Any, NamedTuple, NoReturn

import orjson

OPENING, CLOSING = b"[", b"\n]\n"
_BEGIN = 4096  # bytes
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC
_BETWEEN = re.compile(r"\s*,\s*")
_BEFORE_FIRST = re.compile(r"\s*")
# what a cut anywhere in our own text leaves behind the last whole record
_TORN = re.compile(r',?(\n(\{("[^\n\x00]*)?)?)?')


class State(Enum):
    """What became of a file."""

    SOUND = "sound"  # a JSON array of objects, or nothing yet
    TORN = "torn"  # ours, cut short in its last record
    FOREIGN = "foreign"  # bytes we did not write


class Content(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    records : list[dict]
        All records of a sound file; else those before the damage.
    end : int
        Offset in bytes just behind the last record (behind the opening bracket if there is none): where the next
        append goes. Meaningless unless the file is sound.
    """

    state: State
    records: list[dict[str, Any]]
    end: int


def encode(record: dict[str, Any]) -> bytes:
    """A record as one line of JSON: NaN and infinities become null, datetimes ISO-8601, numpy scalars plain numbers.

    Raises
    ------
    TypeError
        It holds a value that JSON has no word for.
    """
    return orjson.dumps(record, option=_OPTIONS)


def addition(lines: Sequence[bytes], after_another: bool) -> bytes:
    """What stands between the end of an array's content and its closing once `lines` are in it."""
    return (b",\n" if after_another else b"\n") + b",\n".join(lines)


def whole(lines: Sequence[bytes]) -> bytes:
    """A complete file of `lines`."""
    return OPENING + (addition(lines, after_another=False) if lines else b"") + CLOSING


def read(data: bytes) -> Content:
    """What `data` holds; never raises. An empty file is a sound one without records."""
    if not data:
        return Content(State.SOUND, [], len(OPENING))
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _salvaged(data.decode("utf-8", "surrogateescape"))
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        return Content(State.FOREIGN, [], 0)
    return Content(State.SOUND, value, len(data.rstrip()[:-1].rstrip()))


def load(file: IO[bytes]) -> Content:
    """What an open file holds; of one that does not begin as an array only the begin is read, however long it is."""
    begin = file.read(_BEGIN)
    return read(begin + file.read() if begin.lstrip().startswith(OPENING) else begin)


def _salvaged(text: str) -> Content:
    """The records before the damage in `text`, and whose damage it is."""
    if not text.startswith("["):
        return Content(State.FOREIGN, [], 0)
    records: list[dict[str, Any]] = []
    end = 1
    while (found := _next_record(text, end, first=not records)) is not None:
        record, end = found
        records.append(record)
    state = State.TORN if _TORN.fullmatch(text, end) else State.FOREIGN
    return Content(state, records, 0)


def _next_record(text: str, at: int, *, first: bool) -> tuple[dict[str, Any], int] | None:
    """The record that follows offset `at` and where it ends, or None."""
    gap = (_BEFORE_FIRST if first else _BETWEEN).match(text, at)
    if gap is None:
        return None
    try:
        record, end = _DECODER.raw_decode(text, gap.end())
        encode(record)  # what cannot be written again (stray bytes in a string) is damage too
    except (ValueError, TypeError, RecursionError):
        return None
    return (record, end) if isinstance(record, dict) else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
