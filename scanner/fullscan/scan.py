"""The scan itself, in two steps: an estimate ranks everything at once, `ta` looks closely at the best of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scanner.core.candles import Candles, Float, Int
from scanner.fullscan.estimate import estimated_scores
from scanner.fullscan.frames import windows_of
from scanner.fullscan.row import COLUMNS, Row, market_row
from scanner.fullscan.settings import TimeframePlan, TradingConfig

SHORTLIST = 3  # times the rows wanted: markets that are looked at closely, at least
CLOSE_LOOKS = 460  # markets that are all looked at closely: some seconds of work


@dataclass(frozen=True)
class Order:
    """What is to be found: at most `top_n` rows of markets that trade `min_volume_usd` per candle on average.

    Up to `close_looks` markets are all looked at closely; of more, the most promising.
    """

    exchange: str
    plan: TimeframePlan
    config: TradingConfig
    now_ms: int
    min_volume_usd: float = 0.0
    top_n: int = 50
    close_looks: int = CLOSE_LOOKS


@dataclass
class Found:
    """Rows, best first, and why the other markets have none."""

    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """The rows as a DataFrame with all columns, even when there are none."""
        return pd.DataFrame(self.rows, columns=list(COLUMNS))


def scan_frames(
    frames: Mapping[str, pd.DataFrame],
    order: Order,
    until: float = float("inf"),
    steady: Callable[[], float] = time.monotonic,
) -> Found:
    """Scan markets whose candles are at hand.

    Parameters
    ----------
    frames : mapping
        Candles by symbol, as `market_row` takes them.
    until : float
        Steady time at which to be content with what has been looked at; the most promising come first.
    """
    found = Found()
    eligible = _eligible(frames, order, found.skipped)
    if not eligible:
        return found
    symbols, count = list(eligible), max(order.close_looks, SHORTLIST * order.top_n)
    best = [symbols[place] for place in shortlist(windows_of(eligible), order, count)]
    found.skipped.update(dict.fromkeys(set(symbols) - set(best), "not on the shortlist"))
    found.rows = deep(((symbol, eligible[symbol]) for symbol in best), order, until, steady)
    return found


def deep(
    markets: Iterable[tuple[str, pd.DataFrame]],
    order: Order,
    until: float = float("inf"),
    steady: Callable[[], float] = time.monotonic,
) -> list[Row]:
    """Rows of these markets, best first, at most `top_n`; at least one market is looked at however late it is."""
    rows: list[Row] = []
    for symbol, frame in markets:
        if rows and steady() >= until:
            break
        facts = {"symbol": symbol, "exchange": order.exchange}
        rows.append(market_row(frame, order.plan, **facts, now_ms=order.now_ms, config=order.config))
    return best_rows(rows, order.top_n)


def best_rows(rows: Iterable[Row], count: int) -> list[Row]:
    """The `count` rows with the highest combined score; of equals the one that came first."""
    return sorted(rows, key=lambda row: -row["combined_score"])[:count]


def shortlist(windows: Candles, order: Order, count: int) -> Int:
    """Rows of a batch worth a close look: by the combined score that one is expected to give.

    Parameters
    ----------
    windows : Candles of float64[M, W]
        As `estimated_scores` takes them.

    Returns
    -------
    int64[min(M, count)]
        Best first; of equals the one that came first.
    """
    return best_places(estimated_scores(windows, order.plan, order.config), count)


def best_places(scores: Float, count: int) -> Int:
    """Places of the `count` highest of float64[M], best first; of equals the one that came first."""
    ranked: Int = np.argsort(-scores, kind="stable")
    return ranked[:count]


def _eligible(frames: Mapping[str, pd.DataFrame], order: Order, skipped: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Markets with enough candles and enough volume; the others are put into `skipped`."""
    eligible = {}
    for symbol, frame in frames.items():
        reason = _refusal(frame, order)
        if reason is None:
            eligible[symbol] = frame
        else:
            skipped[symbol] = reason
    return eligible


def _refusal(frame: pd.DataFrame, order: Order) -> str | None:
    if len(frame) < order.plan.base:
        return f"has {len(frame)} candles, needs {order.plan.base}"
    turnover = float((frame["volume"] * frame["close"]).mean())
    if not turnover > 0:
        return "is not traded"
    if turnover < order.min_volume_usd:
        return f"trades {turnover:.0f} per candle, needs {order.min_volume_usd:.0f}"
    return None
