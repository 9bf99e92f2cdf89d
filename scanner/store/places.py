"""Where the groups of candles are in a Parquet file that follows another one, for readers who meet both. Pure.

pandas and pyarrow open a path twice, DuckDB asks for its size before it opens it: either may meet the next file in
between. So whatever a file describes is at the same place in the next one, which has the same size too or, where it had
to grow, the old description at the old end. New groups go where the old file has none. What only the old file describes
is free for the next but one.

A group that has not changed stays where it is. New candles go into one with the newest, until that has a fair share of
the file. So a file is hardly longer than its candles need, at any length.
"""

from __future__ import annotations

import io
import itertools
import math
import operator
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from scanner.store import footer, ohlcv
from scanner.store.footer import MAGIC
from scanner.store.ohlcv import NONE, Rows

SHARE = 16  # the newest group grows until it has this part of all candles; a file grows by as much
SMALL = 48  # candles that a group may have in any case: it takes 400 bytes to describe one
NEWEST, MERGED = 320, 1024  # candles that a group may have and still go into another: longer ones gain nothing
MOST_GROUPS = 128  # then a file is written anew; one that grew candle by candle has 60
WASTE = 4  # times the bytes that its candles need may a file have
BLOCK = 4096  # the disk gives no less
_VARYING = 64  # bytes by which descriptions of one group at two places may differ

_OURS = pq.read_metadata(io.BytesIO(ohlcv.encode(NONE))).schema
_TEMPLATE = footer.taken_apart(ohlcv.encode(NONE))

Span = tuple[int, int]  # from which byte up to which


class Group(NamedTuple):
    """Candles in a file: their description, bytes, number (`length`), and open times of the first and the last."""

    texts: tuple[bytes, ...]  # one
    span: Span
    length: int
    first_ms: int
    last_ms: int


class _Made(NamedTuple):
    """New candles, as groups that begin at a byte of a file."""

    rows: Rows
    at: int
    content: bytes
    texts: tuple[bytes, ...]

    @property
    def length(self) -> int:
        return len(self.rows)


def continued(file: bytes, candles: Rows) -> bytes | None:
    """A file of ours with later candles added; only those of its newest group are read.

    Returns
    -------
    bytes or None
        None where there are none, or some are not later, where there are too many groups already, and where the file is
        not one of ours.
    """
    groups = _groups(file)
    if not len(candles) or not groups or len(groups) > MOST_GROUPS or groups[-1].last_ms >= candles.open_time[0]:
        return None
    stays = _staying([group.length for group in groups], len(candles))
    if stays < len(groups):
        since_ms = groups[stays].first_ms
        candles = ohlcv.merge(ohlcv.read(io.BytesIO(file), since_ms).since(since_ms), candles)
    return _following(file, groups, [*groups[:stays], candles])


def rewritten(file: bytes, stored: Rows, candles: Rows) -> bytes:
    """A file of these candles that follows one of `stored`; groups that are the same in both stay where they are.

    What is not Parquet is not followed, nor what is far longer than the candles need.
    """
    try:
        pq.read_metadata(io.BytesIO(file))
    except (pa.ArrowException, OSError):
        return ohlcv.encode(candles)
    groups = _groups(file)
    kept = _unchanged(groups or [], stored, candles)
    text = _following(file, groups, _all_of(candles, kept if len(kept) <= MOST_GROUPS else []))
    return text or ohlcv.encode(candles)


def _groups(file: bytes) -> list[Group] | None:
    """The groups of a file of ours, oldest first; None where it is another's."""
    try:
        facts = pq.read_metadata(io.BytesIO(file))
        if not facts.schema.equals(_OURS):
            return None
        several = zip(footer.taken_apart(file).groups, map(facts.row_group, range(facts.num_row_groups)), strict=True)
        found = [_group(text, told) for text, told in several if told.num_rows]
    except (pa.ArrowException, OSError, ValueError):
        return None
    in_order = all(older.last_ms < newer.first_ms for older, newer in itertools.pairwise(found))
    return found if in_order else None


def _group(text: bytes, facts: Any) -> Group:
    columns = [facts.column(number) for number in range(facts.num_columns)]
    starts = [each.dictionary_page_offset or each.data_page_offset for each in columns]
    ends = [start + each.total_compressed_size for start, each in zip(starts, columns, strict=True)]
    told = columns[0].statistics
    if told is None or not told.has_min_max:
        raise ValueError("open times of a row group are not told")
    first_ms, last_ms = (round(each.timestamp() * 1000) for each in (told.min, told.max))
    return Group((text,), (min(starts), max(ends)), facts.num_rows, first_ms, last_ms)


def _staying(lengths: Sequence[int], more: int) -> int:
    """How many of the groups stay where they are; the others go into one with so many more candles.

    These are the newest ones, up to a share of the file. Where there are more, a new one begins, and those before it
    that are no longer than what follows them become one.
    """
    everything, stays, merged = sum(lengths) + more, len(lengths), more
    most = max(SMALL, min(NEWEST, everything // SHARE))
    while stays and merged + lengths[stays - 1] <= most:
        stays -= 1
        merged += lengths[stays]
    if stays < len(lengths):
        return stays
    most = max(SMALL, min(MERGED, everything // 4))
    while (
        stays
        and merged + lengths[stays - 1] <= most
        and (stays == len(lengths) or lengths[stays - 1] <= merged * 4 / 3)
    ):
        stays -= 1
        merged += lengths[stays]
    return stays if stays < len(lengths) - 1 else len(lengths)


def _unchanged(groups: Sequence[Group], stored: Rows, candles: Rows) -> list[Group]:
    """The groups whose candles are among these, every one as it was and none in between."""

    def within(rows: Rows, group: Group) -> Rows:
        return rows.since(group.first_ms).before(group.last_ms + 1)

    both = [(group, within(stored, group), within(candles, group)) for group in groups]
    return [group for group, before, now in both if len(before) == group.length and before.equals(now)]


def _all_of(candles: Rows, kept: Sequence[Group]) -> list[Group | Rows]:
    """These groups and, between them, the candles that they do not have; the newest few go into one group."""
    plan, since_ms = list[Group | Rows](), 0
    for group in kept:
        if len(between := candles.since(since_ms).before(group.first_ms)):
            plan.append(between)
        plan.append(group)
        since_ms = group.last_ms + 1
    if len(rest := candles.since(since_ms)):
        counts = [each.length if isinstance(each, Group) else len(each) for each in plan]
        stays = _staying(counts, len(rest))
        first = sum(counts[:stays])
        plan = [*plan[:stays], Rows(candles.open_time[first:], candles.values[first:])]
    return plan


def _following(file: bytes, groups: Sequence[Group] | None, plan: Sequence[Group | Rows]) -> bytes | None:
    """The file with what is planned; None where it would be far too long, or pyarrow does not take it for that."""
    drafts = [_made(each, len(MAGIC)) if isinstance(each, Rows) else each for each in plan]
    lengths = [len(each.content) for each in drafts if isinstance(each, _Made)]
    described = len(_description(drafts)) + _VARYING * sum(len(each.texts) for each in drafts)
    held = sum(each.span[1] - each.span[0] for each in drafts if isinstance(each, Group))
    if len(file) > WASTE * (sum(lengths) + held + described + BLOCK):
        return None
    taken = [(0, len(file))] if groups is None else [group.span for group in groups]
    newest, size = groups[-1].span[1] if groups else len(MAGIC), len(file)
    places = _placed(lengths, taken, newest, size - described)
    if places is None:
        places = _placed(lengths, [*taken, (footer.begins(file), size)], newest, sys.maxsize) or []
        size = _longer(max([size, *map(operator.add, places, lengths)]) + described)
    at = iter(places)
    final = [_made(each.rows, next(at)) if isinstance(each, _Made) else each for each in drafts]
    text, description = bytearray(file.ljust(size, b"\0")), _description(final)
    for each in final:
        if isinstance(each, _Made):
            text[each.at : each.at + len(each.content)] = each.content
    text[size - len(description) :] = description
    return bytes(text) if _is_of(text, final) else None


def _longer(needed: int) -> int:
    """How long a file becomes that does not suffice: whole blocks, and some more for the next ones."""
    return math.ceil(needed * (1 + 1 / SHARE) / BLOCK) * BLOCK


def _made(rows: Rows, at: int) -> _Made:
    """The candles as they are written from byte `at` on."""
    text = ohlcv.encode(rows, at)
    return _Made(rows, at, text[at : footer.begins(text)], footer.taken_apart(text).groups)


def _description(plan: Sequence[Group | _Made]) -> bytes:
    texts = [text for each in plan for text in each.texts]
    return footer.put_together(_TEMPLATE, texts, sum(each.length for each in plan))


def _is_of(text: bytearray, plan: Sequence[Group | _Made]) -> bool:
    try:
        return bool(pq.read_metadata(pa.BufferReader(text)).num_rows == sum(each.length for each in plan))
    except (pa.ArrowException, OSError):
        return False


def _placed(lengths: Sequence[int], taken: Sequence[Span], first: int, limit: int) -> list[int] | None:
    """Where so many bytes each have room before the limit, from `first` on if possible; None where they have not."""
    taken, places = sorted(taken), list[int]()
    if any(end > limit for _, end in taken):
        return None
    for length in lengths:
        edges = sorted({len(MAGIC), *(end for _, end in taken)}, key=lambda at: (at < first, at))
        fits = (at for at in edges if at + length <= limit and _is_free(at, at + length, taken))
        if (at := next(fits, None)) is None:
            return None
        places.append(at)
        taken.append((at, at + length))
    return places


def _is_free(start: int, end: int, taken: Sequence[Span]) -> bool:
    return all(end <= span[0] or span[1] <= start for span in taken)
