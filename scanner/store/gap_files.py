"""The gap ledger on disk: ``gaps/binance_2025-10-24.json``, and the moment we were last alive in ``alive.json``.

A gap lies with the UTC day it ended. The files are JSON arrays at every moment, as all day files are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from scanner.errors import FolderInUse, StoreFailure
from scanner.markets import Market
from scanner.records import iso, utc
from scanner.store import exchange_files, files, names, regular
from scanner.store.daily import OnWritten
from scanner.store.gaps import NO_TRADE, Gap, tidied, try_gap
from scanner.store.health import Health
from scanner.store.intervals import Span, union
from scanner.store.ledger import Ledger
from scanner.store.losses import Entry, Losses
from scanner.store.moments import moment_ms

FOLDER, ALIVE = names.GAPS, names.ALIVE


@dataclass(frozen=True)
class Alive:
    """When an exchange was last being watched (market time), whether that ended in order, and an outage then open."""

    at_ms: int
    ended: bool = False
    outage_ms: int | None = None
    outage: str | None = None


class GapLedger:
    """What the ledger of a data folder says."""

    def __init__(self, base: Path) -> None:
        self.folder, self._alive = base / FOLDER, base / ALIVE

    def read(self, since_ms: int = 0, exchange: str | None = None) -> list[Gap]:
        """What is noted of the time since `since_ms`, of one exchange or all; see `gaps.tidied`.

        Raises
        ------
        StoreFailure
            A file cannot be read.
        """
        noted = (gap for gap, _ in self._noted(since_ms, exchange))
        return [gap for gap in tidied(noted) if gap.span[1] > since_ms]

    def untraded(self, market: Market, since_ms: int, as_of_ms: int, noted_in_time: bool = False) -> list[Span]:
        """When nobody traded a market, of the time since `since_ms`, as it was known at `as_of_ms`.

        What was noted later, as by a backfill, counts up to then where `noted_in_time` says so.

        Raises
        ------
        StoreFailure
            A file cannot be read.
        """
        noted = self._noted(since_ms, market.exchange)
        mine = [(gap.span, at_ms) for gap, at_ms in noted if gap.cause == NO_TRADE and gap.symbol == market.symbol]
        if noted_in_time:
            return union((span[0], min(span[1], as_of_ms)) for span, _ in mine if span[0] < as_of_ms)
        return union(span for span, at_ms in mine if at_ms <= as_of_ms)

    def untraded_of(self, exchange: str, since_ms: Mapping[str, int]) -> dict[str, list[Span]]:
        """When nobody traded some markets of an exchange, each from its own moment on: unions, by symbol.

        What is noted of others, or in files of days before, is passed over unread: of thousands of markets a ledger
        has millions of entries a year.

        Raises
        ------
        StoreFailure
            A file cannot be read.
        """
        found: dict[str, list[Span]] = {symbol: [] for symbol in since_ms}
        first = {symbol: utc(max(moment, 0)).date() for symbol, moment in since_ms.items()}
        for path in exchange_files.paths(self.folder, exchange, min(first.values(), default=date.max)):
            day = exchange_files.day_of(path)
            wanted = {symbol for symbol, begins in first.items() if begins <= day}
            for record in exchange_files.records(path):
                if record.get("cause") == NO_TRADE and record.get("symbol") in wanted and (gap := try_gap(record)):
                    found[record["symbol"]].append(gap.span)
        return {symbol: union(spans) for symbol, spans in found.items()}

    def _noted(self, since_ms: int, exchange: str | None) -> Iterator[tuple[Gap, int]]:
        """Gaps, and when each became known: at its end, where that was not noted."""
        first = utc(max(since_ms, 0)).date()
        for path in exchange_files.paths(self.folder, exchange, first):
            for record in exchange_files.records(path):
                if (gap := try_gap(record)) is not None:
                    known_ms = moment_ms(record.get("known_at"))
                    yield gap, gap.span[1] if known_ms is None else known_ms

    def alive(self) -> dict[str, Alive]:
        """When each exchange was last being watched; without those whose entry is missing or damaged."""
        entries = self._entries() or {}
        return {name: found for name, value in entries.items() if (found := _parsed(value)) is not None}

    def _entries(self) -> dict[str, Any] | None:
        """What the file says of each exchange; None where it is none of ours."""
        try:
            values = orjson.loads(regular.content(self._alive) or b"{}")
        except (OSError, ValueError):
            return None
        return values if isinstance(values, dict) else None

    def _is_foreign(self) -> bool:
        """Whether a file has the name of ours and says nothing that ours would."""
        with suppress(OSError):
            return regular.refuse_foreign(self._alive) and not self.alive() and self._entries() != {}
        return False


class GapFiles(GapLedger):
    """The ledger, and its writer. What it refuses waits in `losses` until `restate`, and stops nothing.

    Parameters
    ----------
    own : callable
        Makes this process the folder's writer; raises StoreFailure or FolderInUse.

    Attributes
    ----------
    dropped : int
        How many entries were given up because too many wait.
    """

    def __init__(
        self, base: Path, health: Health, losses: Losses, own: Callable[[], None], on_written: OnWritten
    ) -> None:
        super().__init__(base)
        self._health, self._losses, self._own = health, losses, own
        self.files = Ledger(self.folder, health, on_written)
        self.dropped = 0

    def append(self, gaps: Iterable[Gap], at_ms: int | None = None) -> bool:
        """Note some gaps that have ended, and when they became known; whether all of them are in their files now."""
        return self._write([(gap, at_ms) for gap in gaps if gap.to_ms is not None and gap.to_ms > gap.from_ms])

    def restate(self) -> bool:
        """Note what was refused before; whether nothing waits any more."""
        return self._write(self._losses.take())

    def keep_alive(self, alive: Mapping[str, Alive]) -> bool:
        """Replace what `alive` says, whether that could be done; a file that is not ours is set aside."""
        values = {
            name: {
                "at": iso(each.at_ms),
                "ended": each.ended,
                "outage_since": None if each.outage_ms is None else iso(each.outage_ms),
                "outage": each.outage,
            }
            for name, each in alive.items()
        }
        text = orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n"
        return self._try(ALIVE, lambda: files.replace(self._alive, text, keep_old=self._is_foreign()))

    def _write(self, entries: Sequence[Entry]) -> bool:
        if not entries:
            return True
        refused = entries
        with suppress(StoreFailure, FolderInUse):  # in the store's health already
            self._own()
            refused = self.files.append(map(_line, entries))
        self.dropped += self._losses.put_back(refused)
        return not refused

    def _try(self, what: str, write: Callable[[], object]) -> bool:
        with suppress(StoreFailure, FolderInUse):  # in the store's health already
            self._own()
            try:
                write()
            except OSError as error:
                self._health.note(what, error)
            else:
                self._health.note(what, None)
                return True
        return False


def _line(entry: Entry) -> tuple[str, Entry, Mapping[str, Any]]:
    gap, at_ms = entry
    known = {} if at_ms is None else {"known_at": iso(at_ms)}
    return names.exchange_file(gap.exchange, gap.span[1]), entry, gap.as_record() | known


def _parsed(value: Any) -> Alive | None:
    at_ms = moment_ms(value.get("at")) if isinstance(value, dict) else None
    if at_ms is None:
        return None
    cause = None if value.get("outage") is None else str(value["outage"])
    return Alive(at_ms, value.get("ended") is True, moment_ms(value.get("outage_since")), cause)
