"""What scans on demand found: one immutable table that readers take whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

Row = Mapping[str, Any]  # one row of a full scan, by column name, and its `exchange`


def number(row: Row, column: str, default: float) -> float:
    """A number of a row; `default` where the column is missing, null, NaN or infinite."""
    value = row.get(column)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else default


@dataclass(frozen=True)
class ScanOrder:
    """A checked order: which exchanges, which timeframe as it was asked for, how much history."""

    exchanges: tuple[str, ...]
    timeframe: str
    full_analysis: bool
    parallel: bool

    @property
    def mode(self) -> str:
        return "parallel" if self.parallel else "single"


@dataclass(frozen=True)
class ExchangeOutcome:
    """What one exchange gave: its rows, best first, of `scanned` markets; or the reason why there are none."""

    exchange: str
    rows: tuple[Row, ...] = ()
    scanned: int = 0
    error: str | None = None
    duration_s: float = 0.0


@dataclass(frozen=True)
class ScanReport:
    """What one scan gave. `opening_s` is the time until the exchanges could be asked, part of `duration_s`."""

    order: ScanOrder
    outcomes: tuple[ExchangeOutcome, ...]
    finished: datetime
    opening_s: float
    duration_s: float

    @property
    def rows(self) -> list[Row]:
        """The rows of all exchanges, best first."""
        rows = [row for outcome in self.outcomes for row in outcome.rows]
        return sorted(rows, key=_score, reverse=True)

    @property
    def scanned(self) -> int:
        """Markets that were looked at."""
        return sum(outcome.scanned for outcome in self.outcomes)

    @property
    def failures(self) -> dict[str, str]:
        return {outcome.exchange: outcome.error for outcome in self.outcomes if outcome.error is not None}

    @property
    def error(self) -> str | None:
        """All failures in one line, each once; it names its exchange."""
        return "; ".join(dict.fromkeys(self.failures.values())) or None


@dataclass(frozen=True)
class Table:
    """The newest rows of every exchange that was scanned; nothing in it changes once published."""

    by_exchange: Mapping[str, tuple[Row, ...]] = field(default_factory=lambda: MappingProxyType({}))
    last_scan: datetime | None = None
    last_error: str | None = None
    initialized: tuple[str, ...] = ()  # exchanges that have answered, newest last

    @property
    def rows(self) -> list[Row]:
        """All rows, best first."""
        return sorted((row for rows in self.by_exchange.values() for row in rows), key=_score, reverse=True)

    def after(self, report: ScanReport) -> Table:
        """The table with what a scan found. An exchange that failed keeps the rows it had."""
        answered = {outcome.exchange: outcome.rows for outcome in report.outcomes if outcome.error is None}
        return Table(
            by_exchange=MappingProxyType({**self.by_exchange, **answered}),
            last_scan=report.finished if answered else self.last_scan,
            last_error=report.error,
            initialized=_moved_last(self.initialized, answered),
        )

    def after_connecting(self, exchange: str, error: str | None) -> Table:
        """The table after an exchange was tried."""
        reached = {} if error is not None else {exchange: ()}
        return Table(self.by_exchange, self.last_scan, error, _moved_last(self.initialized, reached))


def _moved_last(names: tuple[str, ...], moved: Mapping[str, Any]) -> tuple[str, ...]:
    return (*(name for name in names if name not in moved), *moved)


def _score(row: Row) -> float:
    return number(row, "combined_score", -math.inf)
