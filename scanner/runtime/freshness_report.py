"""What callers see of freshness: figures, the rows behind them, and whether the scan can be relied on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner.core.candles import Bool, Float, Int
from scanner.errors import InvalidInput
from scanner.gateway.answers import ExchangeState
from scanner.markets import Wanted, parse_symbol
from scanner.records import iso
from scanner.runtime.freshness import DELISTED, LATE, LIVE, PERCENTILES, RESTRICTED, STATES, Freshness, cause_of
from scanner.timeframes import length_ms

READY_SHARE = 0.9  # of the market-timeframes that can be had, live or late, for a scan to be relied on


@dataclass(frozen=True)
class FreshnessQuery:
    """Filters of the rows; None lets everything through."""

    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    state: str | None = None
    limit: int = 100


def summary(found: Iterable[Freshness]) -> dict[str, Any]:
    """Ages and states of each exchange and of all together; see `docs/API.md`."""
    parts = {each.exchange: each for each in found}
    ages = [part.age_s.ravel() for part in parts.values()]
    states = [part.state.ravel() for part in parts.values()]
    return {
        "all": _figures(_joined(ages, np.float64), _joined(states, np.int64)),
        "exchanges": {name: _figures(part.age_s.ravel(), part.state.ravel()) for name, part in parts.items()},
    }


def _joined(parts: Sequence[Any], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _figures(age_s: Float, state: Int) -> dict[str, Any]:
    known = age_s[~np.isnan(age_s)]
    values = np.percentile(known, [*PERCENTILES, 100]).round(3).tolist() if len(known) else [None] * 4
    names = [*(f"p{share}" for share in PERCENTILES), "max"]
    counts = np.bincount(state, minlength=len(STATES)).tolist()
    return {"age_s": dict(zip(names, values, strict=True)), "states": dict(zip(STATES, counts, strict=True))}


def rows(found: Iterable[Freshness], query: FreshnessQuery, styles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The market-timeframes that pass, those without data first, then the oldest; at most `limit`.

    Raises
    ------
    InvalidInput
        A filter names nothing that can be.
    """
    wanted = None if query.symbol is None else parse_symbol(query.symbol, allow_base=True)
    if query.state is not None and query.state not in STATES:
        raise InvalidInput("state", query.state, f"is not one of {', '.join(STATES)}")
    timeframe = None if query.timeframe is None else styles.get(query.timeframe, query.timeframe)
    if timeframe is not None:
        length_ms(timeframe)
    places = []
    for part in found:
        passed = _passed(part, query, wanted, timeframe)
        age_s = np.where(np.isnan(part.age_s), np.inf, part.age_s)
        places += [(-age_s[t, m], part, t, m) for t, m in zip(*np.nonzero(passed), strict=True)]
    places.sort(key=lambda place: place[0])
    return [_row(part, t, m) for _, part, t, m in places[: query.limit]]


def _passed(part: Freshness, query: FreshnessQuery, wanted: Wanted | None, timeframe: str | None) -> Bool:
    passed: Bool = np.full(part.state.shape, query.exchange in (None, part.exchange))
    if query.state is not None:
        passed &= part.state == STATES.index(query.state)
    if timeframe is not None:
        passed &= np.array([each == timeframe for each in part.timeframes], dtype=bool)[:, None]
    if wanted is not None:
        passed &= np.array([wanted.matches(market) for market in part.markets], dtype=bool)[None, :]
    return passed


def _row(part: Freshness, t: int, m: int) -> dict[str, Any]:
    market, state, final_ms = part.markets[m], int(part.state[t, m]), int(part.final_ms[t, m])
    return {
        "exchange": market.exchange,
        "symbol": market.symbol,
        "timeframe": part.timeframes[t],
        "state": STATES[state],
        "cause": cause_of(part, t, m),
        "age_s": _rounded(part.age_s[t, m]),
        "price_age_s": _rounded(part.price_age_s[m]),
        "newest_final": iso(final_ms) if final_ms >= 0 else None,
        "missing_candles": int(part.behind[t, m]),
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)


def unready(running: bool, states: Mapping[str, ExchangeState], found: Sequence[Freshness]) -> list[str]:
    """Why the scan cannot be relied on now; nothing when it can.

    It can when at least nine in ten of its market-timeframes are live or late. Markets that the exchange does not list
    any more, or does not show to this address, do not count; an exchange that has not come up does.
    """
    if not running:
        return ["no scan is running"]
    reasons = [
        f"{name} has no candles yet{f': {state.cause}' if state.cause else ''}"
        for name, state in states.items()
        if state.state != "restricted" and name not in {part.exchange for part in found}
    ]
    counted = [part.state[(part.state != DELISTED) & (part.state != RESTRICTED)] for part in found]
    total = sum(len(each) for each in counted)
    good = sum(int(((each == LIVE) | (each == LATE)).sum()) for each in counted)
    if not total and not reasons:
        reasons.append(f"nothing that is scanned can be had{_causes(found, (DELISTED, RESTRICTED))}")
    elif good < READY_SHARE * total:
        behind = [state for state in range(len(STATES)) if state not in (LIVE, LATE, DELISTED, RESTRICTED)]
        reasons.append(f"{total - good} of {total} market-timeframes are behind{_causes(found, behind)}")
    return reasons


def _causes(found: Sequence[Freshness], states: Sequence[int]) -> str:
    """The causes of those in some states, each once."""
    causes = {
        cause
        for part in found
        for t, m in zip(*np.nonzero(np.isin(part.state, states)), strict=True)
        if (cause := cause_of(part, int(t), int(m))) is not None
    }
    return f": {'; '.join(sorted(causes))}" if causes else ""
