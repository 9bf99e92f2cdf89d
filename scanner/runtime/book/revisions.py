"""Final candles whose values have changed since, and what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from scanner.core.candles import Candles, Float, Int
from scanner.core.panel import Panel

Cell = tuple[str, int, int]  # timeframe, row, open time


@dataclass
class CandleTally:
    """What became of final candles on one exchange.

    Attributes
    ----------
    revised : int
        Of the shortest timeframe, changed by the exchange later: corrected here and in the store.
    checked, mismatched : int
        Assembled candles held to the exchange's own, and those that differed and gave way to it.
    """

    revised: int = 0
    checked: int = 0
    mismatched: int = 0


class Revisions:
    """Remembers what candles were before they changed, until that is taken."""

    def __init__(self) -> None:
        self._before: dict[Cell, Float] = {}

    def note(self, panels: Mapping[str, Panel], timeframe: str, row: Int, open_ms: Int) -> None:
        """Some candles of one timeframe are about to change; flat arrays of equal length, each candle once.

        Those that the panel does not reach were not known, so that there is nothing to remember: too old ones, and all
        of a timeframe of which nothing has come yet, as after a start on a folder without it.
        """
        panel = panels[timeframe]
        columns = panel.column_of(open_ms)
        for r, moment, column in zip(row.tolist(), open_ms.tolist(), columns.tolist(), strict=True):
            if 0 <= column < panel.length:
                self._before.setdefault((timeframe, r, moment), panel.values(r, column))

    def note_all(self, panels: Mapping[str, Panel], base: str, row: Int, open_ms: Int) -> None:
        """The same of candles of the shortest timeframe and the longer ones they are part of."""
        for timeframe, panel in panels.items():
            opens = open_ms if timeframe == base else open_ms - open_ms % panel.timeframe_ms
            self.note(panels, timeframe, row, opens)

    def carry(self, rows: Int, other: Revisions, to: Int) -> None:
        """Let what is remembered of `rows` be remembered of the rows `to` of another table."""
        target = dict(zip(rows.tolist(), to.tolist(), strict=True))
        for (timeframe, row, moment), values in self._before.items():
            if row in target:
                other._before[timeframe, target[row], moment] = values

    def take(self) -> list[tuple[Cell, Float]]:
        """What was noted since the last call, in order: candle, and float64[5] what it was, NaN if it was none."""
        before, self._before = self._before, {}
        return sorted(before.items(), key=itemgetter(0))


def differs(panel: Panel, row: Int, column: Int, candles: Candles, price: float = 0.0, volume: float = 0.0) -> Int:
    """Which of some candles, flat arrays of equal length, are not those of a panel: indices.

    `price` and `volume` are relative differences up to which they are the same. One that is not known, or that nobody
    had traded, is another.
    """
    other = panel.filled[row, column]
    for name, values in zip(Panel.COLUMNS[:5], candles.columns(), strict=True):
        ours, within = getattr(panel, name)[row, column], volume if name == "volume" else price
        other = other | ~(np.abs(ours - values) <= within * np.abs(values))
    return np.flatnonzero(other)
