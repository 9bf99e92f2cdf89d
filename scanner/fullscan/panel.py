"""The full scan on candles that are already held: no request of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from scanner.config import WINDOW
from scanner.core.candles import Candles, Float, Int
from scanner.fullscan.estimate import estimated_scores
from scanner.fullscan.frames import frame_of
from scanner.fullscan.native import native_row
from scanner.fullscan.results import ScanResults
from scanner.fullscan.row import COLUMNS, Row
from scanner.fullscan.scan import SHORTLIST, Order, best_places, best_rows, deep
from scanner.fullscan.settings import ALIASES, MOST_CANDLES, TradingConfig, plan_for
from scanner.markets import Market
from scanner.records import iso

TOP = 10  # rows of a result
AT_ONCE = 500  # markets whose candles are copied together: 10 MB
Place = tuple[str, str]  # exchange and symbol of a row


class HeldCandles(Protocol):
    """The markets of one exchange on one timeframe, as a run holds them."""

    @property
    def exchange(self) -> str: ...

    @property
    def timeframe(self) -> str: ...

    @property
    def markets(self) -> Sequence[Market]: ...

    @property
    def simulated(self) -> bool: ...

    def window(self, rows: Int | None, length: int) -> tuple[Int, Candles]:
        """The newest `length` candles of some or all markets, the forming one last, as copies.

        Returns
        -------
        int64[length], Candles of float64[rows, length]
            Open times in ms; NaN where a market has no candle, throughout for one whose data are not to be used.
        """
        ...


class PanelScanner(ScanResults):
    """Ranks everything a run holds, and looks closely at the best of it.

    Parameters
    ----------
    top_n : int
        Most rows of a result; three times as many markets are looked at closely, while there is time.
    """

    def __init__(self, config: TradingConfig | None = None, top_n: int = TOP) -> None:
        super().__init__(config)
        self.top_n = top_n

    def __call__(self, held: Iterable[HeldCandles], now_ms: int, deadline_s: float) -> list[dict[str, Any]]:
        """The best rows as JSON can carry them, best first; also `scan_results`.

        Parameters
        ----------
        now_ms : int
            Market time.
        deadline_s : float
            Seconds in which to be done; every exchange gets its share of what is left.
        """
        sources, ends = list(held), time.monotonic() + deadline_s
        rows: list[Row] = []
        frames: dict[Place, pd.DataFrame] = {}
        for place, source in enumerate(sources):
            began = time.monotonic()
            until = began + (ends - began) / (len(sources) - place)
            candidates = self._candidates(source)
            frames |= {(source.exchange, symbol): frame for symbol, frame in candidates.items()}
            rows += deep(candidates.items(), self._order(source, now_ms), until)
        best = best_rows(rows, self.top_n)
        self._publish(best, frames, sources, now_ms)
        return [native_row(row) for row in best]

    def _order(self, source: HeldCandles, now_ms: int) -> Order:
        name = next((alias for alias, interval in ALIASES.items() if interval == source.timeframe), source.timeframe)
        return Order(source.exchange, plan_for(name, self.config), self.config, now_ms, 0.0, self.top_n)

    def _candidates(self, source: HeldCandles) -> dict[str, pd.DataFrame]:
        """Candles of the markets worth a close look, best first; none that is too young or is not traded."""
        if not source.markets:
            return {}
        order, every = self._order(source, 0), np.arange(len(source.markets))
        parts = np.array_split(every, np.arange(AT_ONCE, len(every), AT_ONCE))
        scores = np.concatenate([_estimates(source, rows, order) for rows in parts])
        chosen = best_places(scores, min(SHORTLIST * self.top_n, int(np.count_nonzero(~np.isnan(scores)))))
        open_time, candles = source.window(chosen, MOST_CANDLES)
        frames = {
            source.markets[row].symbol: frame_of(open_time, candles.rows(place)) for place, row in enumerate(chosen)
        }
        return {symbol: frame for symbol, frame in frames.items() if len(frame) >= order.plan.base}

    def _publish(
        self, best: list[Row], frames: dict[Place, pd.DataFrame], sources: Sequence[HeldCandles], now_ms: int
    ) -> None:
        """Make the rows the newest results; of a symbol on several exchanges the best row's candles are kept."""
        table = pd.DataFrame(best, columns=list(COLUMNS))
        table.attrs = {
            "exchange": ", ".join(source.exchange for source in sources),
            "market_time": iso(now_ms),
            "total_scanned": sum(len(source.markets) for source in sources),
            "simulated": any(source.simulated for source in sources),
        }
        kept: dict[str, pd.DataFrame] = {}
        for row in best:
            kept.setdefault(row["symbol"], frames[row["exchange"], row["symbol"]])
        self.take(best[0]["timeframe"] if best else self._timeframe, table, kept)


def _estimates(source: HeldCandles, rows: Int, order: Order) -> Float:
    """The combined scores to expect of some markets, on the candles that a close look would have; NaN: not traded."""
    _, candles = source.window(rows, MOST_CANDLES)
    traded = np.nan_to_num(candles.volume[:, -WINDOW:]).sum(axis=1) > 0
    return np.where(traded, estimated_scores(candles, order.plan, order.config), np.nan)
