"""The gap ledger: why there are no candles somewhere. Pure; `gap_files` keeps it.

Three causes: we were `down`, the exchange had an `outage`, or nobody traded (`no_trade`), which is known only where the
exchange answered. What was fetched later is noted as `backfilled`. A fourth is the disk, which refused
some (`not_kept`): records of an exchange, or, where a market is named, candles of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanner.records import iso
from scanner.store.intervals import Span, common, union, without
from scanner.store.moments import moment_ms

DOWN, OUTAGE, NO_TRADE, BACKFILLED, UNEXPLAINED = "down", "outage", "no_trade", "backfilled", "unexplained"
NOT_KEPT = "not_kept"
CAUSES = (DOWN, OUTAGE, NO_TRADE, NOT_KEPT)


@dataclass(frozen=True)
class Gap:
    """A stretch of market time without candles; `symbol` is None when all markets of the exchange are meant.

    `to_ms` is not included; None while it lasts. `backfilled`: its candles have been fetched since; None where there
    never were any.
    """

    exchange: str
    symbol: str | None
    cause: str
    from_ms: int
    to_ms: int | None
    detail: str | None = None
    backfilled: bool | None = None

    @property
    def span(self) -> Span:
        return self.from_ms, self.from_ms if self.to_ms is None else self.to_ms

    def as_record(self) -> dict[str, Any]:
        """The gap as the files hold it."""
        return {
            "exchange": self.exchange,
            "symbol": self.symbol,
            "cause": self.cause,
            "from": iso(self.from_ms),
            "to": None if self.to_ms is None else iso(self.to_ms),
            "detail": self.detail,
        }


def try_gap(record: Mapping[str, Any]) -> Gap | None:
    """The gap of a record, None for one that is not ours."""
    begins, ends = moment_ms(record.get("from")), moment_ms(record.get("to"))
    texts = (record.get("exchange"), record.get("cause"))
    named = all(isinstance(text, str) for text in texts) and isinstance(record.get("symbol"), str | None)
    if begins is None or ends is None or not named or record["cause"] not in (*CAUSES, BACKFILLED):
        return None
    detail = record.get("detail")
    return Gap(
        record["exchange"], record.get("symbol"), record["cause"], begins, ends, None if detail is None else str(detail)
    )


def tidied(gaps: Iterable[Gap]) -> list[Gap]:
    """What a ledger says in as few gaps as possible, newest first: those that touch are one, and whether backfilled."""
    spans: dict[tuple[str, str | None, str, str | None], list[Span]] = {}
    for gap in gaps:
        spans.setdefault((gap.exchange, gap.symbol, gap.cause, gap.detail), []).append(gap.span)
    fetched = {key[:2]: union(found) for key, found in spans.items() if key[2] == BACKFILLED}
    found = [
        Gap(exchange, symbol, cause, *span, detail, _is_fetched(fetched, exchange, symbol, cause, span))
        for (exchange, symbol, cause, detail), each in spans.items()
        if cause != BACKFILLED
        for span in union(each)
    ]
    return sorted(found, key=lambda gap: (-gap.span[1], gap.exchange, gap.symbol or "", gap.cause))


def _is_fetched(
    fetched: Mapping[tuple[str, str | None], list[Span]], exchange: str, symbol: str | None, cause: str, span: Span
) -> bool | None:
    if cause in (NO_TRADE, NOT_KEPT):
        return None
    covers = union([*fetched.get((exchange, None), ()), *(fetched.get((exchange, symbol), ()) if symbol else ())])
    return not without(span, covers)


def holes(open_time: NDArray[np.int64], step_ms: int) -> list[Span]:
    """Where candles are missing between others, oldest first; `open_time` is int64[n], oldest first."""
    before = np.flatnonzero(np.diff(open_time) > step_ms)
    return list(zip((open_time[before] + step_ms).tolist(), open_time[before + 1].tolist(), strict=True))


def explained(exchange: str, symbol: str, open_time: NDArray[np.int64], step_ms: int, gaps: Iterable[Gap]) -> list[Gap]:
    """Every hole between the candles of one market, cut by cause, oldest first.

    Parameters
    ----------
    open_time : int64[n]
        The candles that there are, oldest first.
    gaps : iterable of Gap
        What the ledger says; that of other markets is passed over.

    Returns
    -------
    list of Gap
        `no_trade` comes before `outage`, that before `down`, and that before `not_kept`, where several are noted;
        `unexplained` for what is in none.
    """
    ours = [gap for gap in gaps if gap.exchange == exchange and gap.symbol in (None, symbol)]
    covers = {cause: union(gap.span for gap in ours if gap.cause == cause) for cause in (NO_TRADE, OUTAGE, DOWN)}
    covers[NOT_KEPT] = union(gap.span for gap in ours if gap.cause == NOT_KEPT and gap.symbol is not None)
    found: list[Gap] = []
    for hole in holes(open_time, step_ms):
        left = [hole]
        for cause, cover in covers.items():
            found += [Gap(exchange, symbol, cause, *part) for span in left for part in common(span, cover)]
            left = [part for span in left for part in without(span, cover)]
        found += [Gap(exchange, symbol, UNEXPLAINED, *part) for part in left]
    return sorted(found, key=lambda gap: gap.from_ms)
