"""Choosing among the newest signals: what a request's filters mean, on columns and on plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scanner.errors import InvalidInput
from scanner.markets import Market, parse_symbol
from scanner.renames import KNOWN, Renames
from scanner.runtime.columns import Record
from scanner.runtime.newest import NewestSignals
from scanner.timeframes import LENGTH_MS


@dataclass(frozen=True)
class SignalQuery:
    """Filters of the newest signals; None lets everything through."""

    symbol: str | None = None
    timeframe: str | None = None  # a timeframe or a style
    min_score: float = 0.0
    limit: int = 50
    renames: Renames = KNOWN


def select_signals(newest: NewestSignals, query: SignalQuery, styles: Mapping[str, str]) -> list[Record]:
    """The signals that pass, best score first, then newest; at most `limit`, and no other becomes a record.

    Raises
    ------
    InvalidInput
        The symbol or the timeframe is none.
    """
    if query.symbol is None:
        return newest.records(newest.best(query.min_score, timeframe_of(query.timeframe, styles), query.limit))
    found = newest.records(newest.meant(parse_symbol(query.symbol, allow_base=True, renames=query.renames)))
    return select_records(found, query, styles)


def select_records(records: Sequence[Record], query: SignalQuery, styles: Mapping[str, str]) -> list[Record]:
    """The same among plain records, as they are read from disk."""
    chosen = [record for record in records if (record["combined_score"] or 0.0) >= query.min_score]
    if query.symbol is not None:
        wanted = parse_symbol(query.symbol, allow_base=True, renames=query.renames)
        chosen = [record for record in chosen if wanted.matches(market_of(record))]
    if (timeframe := timeframe_of(query.timeframe, styles)) is not None:
        chosen = [record for record in chosen if record["timeframe"] == timeframe]
    chosen.sort(key=lambda record: (record["combined_score"] or 0.0, record["timestamp"]), reverse=True)
    return chosen[: query.limit]


def is_signal(record: Record) -> bool:
    """Whether a record read from disk, where anything may stand, has what is asked of a signal."""
    texts = [record.get(name) for name in ("exchange", "symbol", "timeframe", "style", "signal_type", "timestamp")]
    score = record.get("combined_score", False)
    if not all(isinstance(text, str) for text in texts) or record["timeframe"] not in LENGTH_MS:
        return False
    if isinstance(score, bool) or not isinstance(score, int | float | None):
        return False
    try:
        return datetime.fromisoformat(record["timestamp"]).tzinfo is not None
    except ValueError:
        return False


def market_of(record: Record) -> Market:
    return Market(record["exchange"], record["symbol"])


def timeframe_of(text: str | None, styles: Mapping[str, str]) -> str | None:
    """The timeframe that is asked for, a style's or itself. Raises InvalidInput."""
    if text is None:
        return None
    timeframe = styles.get(text, text)
    if timeframe not in LENGTH_MS:
        known = ", ".join([*styles, *dict.fromkeys([*styles.values(), *LENGTH_MS])])
        raise InvalidInput("timeframe", text, f"is not one of {known}")
    return timeframe
