"""Pictures of a scan by matplotlib, drawn straight into files: no window, no global state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from scanner.fullscan.classes import SIGNALS, side_of
from scanner.fullscan.colors import REGIMES, SIDES
from scanner.fullscan.report import NOTHING

BARS = 15
COMPARED = 8


def analysis_figure(table: pd.DataFrame, title: str) -> Figure:
    """Four panels: ranking, RSI against opportunity, signal classes, regimes."""
    figure = _figure(14, 10)
    if table.empty:
        return _told(figure, NOTHING)
    axes = figure.subplots(2, 2)
    _ranking(axes[0][0], table.head(BARS).iloc[::-1])
    _landscape(axes[0][1], table)
    _counts(axes[1][0], table["signal"], {name: SIDES[side_of(name)] for name in SIGNALS}, "signals")
    _counts(axes[1][1], table["market_regime"], REGIMES, "regimes")
    figure.suptitle(_plain(title), x=0.01, ha="left")
    figure.legend(
        handles=[Patch(color=color, label=side) for side, color in SIDES.items()],
        loc="outside upper right",
        ncols=3,
        frameon=False,
    )
    return figure


def performance_figure(frames: Mapping[str, pd.DataFrame]) -> Figure:
    """Closes of several markets, as percent since the first candle they share."""
    figure = _figure(12, 6)
    shown = dict(list(frames.items())[:COMPARED])
    if not shown:
        return _told(figure, NOTHING)
    closes = pd.concat({symbol: frame["close"] for symbol, frame in shown.items()}, axis=1).dropna()
    if closes.empty:
        return _told(figure, "These markets have no candle in common.")
    axes = figure.subplots()
    for symbol in closes.columns:
        change = 100 * (closes[symbol] / closes[symbol].iloc[0] - 1)
        axes.plot(closes.index, change, label=_plain(str(symbol)), linewidth=1.4)
    axes.axhline(0, color="#c4cad2", linewidth=0.8)
    axes.set_ylabel("change, %")
    axes.legend(loc="upper left", fontsize=9, frameon=False)
    figure.autofmt_xdate()
    return figure


def saved(figure: Figure, path: str | Path | None) -> Figure:
    """The figure, written to `path` when there is one; the suffix names the format."""
    if path is not None:
        figure.savefig(path, dpi=110)
    return figure


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _told(figure: Figure, text: str) -> Figure:
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def _ranking(axes: Any, best: pd.DataFrame) -> None:
    places = range(len(best))
    axes.barh(places, best["combined_score"], color=[SIDES[side_of(signal)] for signal in best["signal"]])
    axes.set_yticks(places, [_plain(name) for name in best["symbol"]])
    axes.set_xlim(0, 100)
    axes.set_title("combined score")


def _landscape(axes: Any, table: pd.DataFrame) -> None:
    for side, color in SIDES.items():
        rows = [i for i, signal in enumerate(table["signal"]) if side_of(signal) == side]
        chosen = table.iloc[rows]
        axes.scatter(chosen["rsi"], chosen["opportunity_score"], color=color, alpha=0.75)
    axes.set_xlabel("RSI")
    axes.set_ylabel("opportunity score")
    axes.set_title("RSI and opportunity")


def _counts(axes: Any, column: pd.Series[Any], colors: Mapping[str, str], title: str) -> None:
    """How many markets have each name in `column`, in its colour."""
    counts = column.value_counts()
    axes.bar(range(len(colors)), [int(counts.get(name, 0)) for name in colors], color=[*colors.values()])
    axes.set_xticks(range(len(colors)), [*colors], rotation=30, ha="right")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("markets")
    axes.set_title(title)


def _plain(text: str) -> str:
    """Text without a meaning to matplotlib's formulas; letters its font lacks are written out."""
    return ascii(text)[1:-1].replace("$", r"\$")
