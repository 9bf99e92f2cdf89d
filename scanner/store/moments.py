"""Which day a record belongs to, and which records are the same one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from scanner.timeframes import LENGTH_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 253_402_300_799_999  # the last millisecond of the year 9999


class Key(NamedTuple):
    """What a record is kept once by."""

    timeframe: str
    moment_ms: int


class Filing(NamedTuple):
    """Where a record goes: into the file of the UTC day of `moment_ms`; once, if it has a key."""

    moment_ms: int
    key: Key | None


def file_signal(record: Mapping[str, Any], at_ms: int) -> Filing:
    """A final signal goes with the day its candle opened, once; a live one with the day of its timestamp, always.

    The candle decides, not the moment of analysis, so that a restart across midnight finds the record it already has.
    A record without a readable time goes with `at_ms`.
    """
    candle_ms = moment_ms(record.get("candle_time"))
    if record.get("candle_closed") is True and candle_ms is not None:
        return Filing(candle_ms, Key(str(record.get("timeframe")), candle_ms))
    stamp_ms = moment_ms(record.get("timestamp"))
    return Filing(at_ms if stamp_ms is None else stamp_ms, None)


def file_cluster(record: Mapping[str, Any], at_ms: int) -> Filing:
    """A cluster record goes with the day of its timestamp, once per timeframe and timestamp."""
    stamp_ms = moment_ms(record.get("timestamp"))
    if stamp_ms is None:
        return Filing(at_ms, None)
    return Filing(stamp_ms, Key(str(record.get("timeframe")), stamp_ms))


def timestamp_ms(record: Mapping[str, Any]) -> int | None:
    """When a record was made; None where it does not say."""
    return moment_ms(record.get("timestamp"))


def usable_ms(record: Mapping[str, Any]) -> int | None:
    """When a record could be acted on: its `as_of` where a backfill made it later, else its timestamp; None without."""
    as_of_ms = moment_ms(record.get("as_of"))
    return timestamp_ms(record) if as_of_ms is None else as_of_ms


def told_ms(record: Mapping[str, Any], moment: int) -> int:
    """The moment a record tells of: the close of the candle of a final signal; of others `moment`, when they were made.

    It lies at most a day after what the record is filed by, and not before that.
    """
    candle_ms, length = moment_ms(record.get("candle_time")), LENGTH_MS.get(str(record.get("timeframe")), 0)
    return candle_ms + length if record.get("candle_closed") is True and candle_ms is not None else moment


def moment_ms(value: object) -> int | None:
    """An ISO-8601 text (naive = UTC), a datetime or epoch milliseconds as int ms; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        value = (aware - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LATEST_MS:
        return None
    return int(value)
