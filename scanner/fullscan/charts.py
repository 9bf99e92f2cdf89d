"""The plots of the HTML report, as plotly figures."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from scanner.fullscan.classes import SIGNALS, side_of
from scanner.fullscan.colors import REGIMES, SIDES

INK, RULE = "#1f2733", "#e3e7ec"
BARS = 25
CANDLES = 90
MOST_TICKS = 8


def _laid_out(figure: go.Figure, height: int, right: int = 20, **axes: Any) -> go.Figure:
    """The one look of all plots."""
    figure.update_layout(
        height=height,
        margin={"l": 64, "r": right, "t": 44, "b": 48},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.0,
            "x": 0,
            "traceorder": "normal",
            "itemsizing": "constant",
        },
        **axes,
    )
    figure.update_xaxes(gridcolor=RULE, zerolinecolor=RULE, automargin=True)
    figure.update_yaxes(gridcolor=RULE, zerolinecolor=RULE, automargin=True)
    return figure


def ranking(table: pd.DataFrame) -> go.Figure:
    """Combined score of the best markets, best on top, coloured by side."""
    best = table.head(BARS).iloc[::-1]
    names = labels(best, table)
    places = {side: [i for i, signal in enumerate(best["signal"]) if side_of(signal) == side] for side in SIDES}
    figure = go.Figure()
    for side, rows in places.items():
        figure.add_bar(
            x=best["combined_score"].iloc[rows],
            y=[names[i] for i in rows],
            orientation="h",
            name=side,
            marker_color=SIDES[side],
            customdata=best[["signal", "opportunity_score", "confidence_score"]].iloc[rows].to_numpy(),
            hovertemplate="%{y}: %{x:.1f}<br>%{customdata[0]}, opportunity %{customdata[1]:.1f}, "
            "confidence %{customdata[2]:.2f}<extra></extra>",
        )
    order = {"categoryorder": "array", "categoryarray": names}
    return _laid_out(figure, 120 + 22 * len(best), yaxis=order, xaxis={"title": "combined score", "range": [0, 100]})


def landscape(table: pd.DataFrame) -> go.Figure:
    """RSI against opportunity; the size of a point is the volume traded."""
    sizes = np.sqrt(table["volume_usd"].to_numpy(dtype=np.float64) + 1)
    figure = go.Figure()
    for side, color in SIDES.items():
        rows = [i for i, signal in enumerate(table["signal"]) if side_of(signal) == side]
        chosen = table.iloc[rows]
        figure.add_scatter(
            x=chosen["rsi"],
            y=chosen["opportunity_score"],
            mode="markers",
            name=side,
            text=labels(chosen, table),
            marker={"color": color, "opacity": 0.75, "size": 8 + 20 * sizes[rows] / sizes.max(), "line": {"width": 0}},
            customdata=100 * chosen[["momentum_short"]].to_numpy(),
            hovertemplate="%{text}<br>RSI %{x:.1f}, opportunity %{y:.1f}, move %{customdata[0]:+.2f} %<extra></extra>",
        )
    rsi = {"title": "RSI", "range": [0, 100]}
    return _laid_out(figure, 420, xaxis=rsi, yaxis={"title": "opportunity score"})


def make_up(table: pd.DataFrame) -> go.Figure:
    """How many markets of each regime are in which signal class."""
    figure = go.Figure()
    for regime, color in REGIMES.items():
        counts = table.loc[table["market_regime"] == regime, "signal"].value_counts()
        figure.add_bar(
            x=list(SIGNALS), y=[int(counts.get(name, 0)) for name in SIGNALS], name=regime, marker_color=color
        )
    most = int(table["signal"].value_counts().max())
    axis = {"title": "markets", "rangemode": "tozero", "dtick": math.ceil(most / MOST_TICKS)}
    return _laid_out(figure, 420, barmode="stack", yaxis=axis)


def candles(frame: pd.DataFrame, row: Mapping[Any, Any]) -> go.Figure:
    """The newest candles of one market with two means, stop and target."""
    closes = frame["close"]
    means = {f"EMA {span}": closes.ewm(span=span, min_periods=span, adjust=False).mean() for span in (21, 50)}
    recent = frame.iloc[-CANDLES:]
    figure = go.Figure()
    figure.add_candlestick(
        x=recent.index,
        **{name: recent[name] for name in ("open", "high", "low", "close")},
        name=html.escape(str(row["symbol"])),
        increasing_line_color=SIDES["BUY"],
        decreasing_line_color=SIDES["SELL"],
    )
    for (name, mean), color in zip(means.items(), ("#3566a8", "#b98a1d"), strict=True):
        figure.add_scatter(x=recent.index, y=mean.iloc[-CANDLES:], name=name, line={"color": color, "width": 1.5})
    levels = {"stop": (row["stop_loss"], SIDES["SELL"]), "target": (row["take_profit"], SIDES["BUY"])}
    for text, (level, color) in levels.items():
        above = level == max(level for level, _ in levels.values())  # apart, however close they are
        figure.add_hline(y=level, line={"color": color, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=text,
            font={"color": color},
            x=1,
            xref="paper",
            xanchor="left",
            y=level,
            yanchor="bottom" if above else "top",
            showarrow=False,
        )
    return _laid_out(figure, 380, xaxis={"rangeslider": {"visible": False}}, right=56)


def labels(chosen: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Names of the chosen rows, safe to show (plotly takes some markup in texts); no two rows of `table` share one."""
    tellers = [name for name in ("exchange", "timeframe") if table[name].nunique() > 1]
    return [html.escape(" ".join(str(row[name]) for name in ("symbol", *tellers))) for row in chosen.to_dict("records")]
