"""How the timeframes of one symbol agree, as a record: which signals are asked, and the answer's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from scanner.core.confluence import confluence
from scanner.markets import Wanted
from scanner.runtime.columns import Record
from scanner.timeframes import LENGTH_MS


def newest_by_style(records: Sequence[Record], exchanges: Sequence[str], fresh_from: datetime) -> dict[str, Record]:
    """The newest record per style, all from one exchange, shortest timeframe first.

    It is the first of `exchanges` with a record made at or after `fresh_from`; where none is fresh, the first that has
    any record, then any other exchange.
    """
    by_exchange: dict[str, list[Record]] = {}
    for record in sorted(records, key=_made):
        by_exchange.setdefault(record["exchange"], []).append(record)
    if not by_exchange:
        return {}
    rank = {exchange: i for i, exchange in enumerate(exchanges)}
    chosen = min(
        by_exchange, key=lambda name: (_made(by_exchange[name][-1]) < fresh_from, rank.get(name, len(rank)), name)
    )
    newest = {record["style"]: record for record in by_exchange[chosen]}
    return dict(sorted(newest.items(), key=lambda item: LENGTH_MS[item[1]["timeframe"]]))


def confluence_record(wanted: Wanted, details: Mapping[str, Record], min_score: float) -> Record:
    """The answer for one symbol from its newest record per style, with the full set of keys even when there is none."""
    scores = [record["combined_score"] or 0.0 for record in details.values()]
    result = confluence(scores, [record["signal_type"] for record in details.values()], min_score)
    first = next(iter(details.values()), None)
    answer: Record = {
        "symbol": first["symbol"] if first else wanted.symbol,
        "exchange": first["exchange"] if first else wanted.exchange,
        "confluence": result.confluence,
        "timeframes_analyzed": result.timeframes_analyzed,
        "average_score": result.average_score,
        "bullish_timeframes": result.bullish_timeframes,
        "bearish_timeframes": result.bearish_timeframes,
        "dominant_bias": result.dominant_bias,
        "timeframe_details": details,
        "recommendation": result.recommendation,
    }
    return answer if details else {**answer, "message": "No signals found"}


def _made(record: Record) -> datetime:
    return datetime.fromisoformat(record["timestamp"])
