"""The live table: top signals, market state, streams and exchanges, from plain status values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

COLOURS = {
    "MOMENTUM_BUY": "green",
    "STRONG_BUY": "green",
    "WEAK_BUY": "dim green",
    "MOMENTUM_SELL": "red",
    "STRONG_SELL": "red",
    "WEAK_SELL": "dim red",
    "REVERSION_BULLISH": "blue",
    "REVERSION_BEARISH": "dark_orange",
}
STATES = {"live": "green", "connecting": "yellow", "late": "yellow", "limited": "yellow"}
FEWEST_SIGNALS, MOST_SIGNALS, MOST_SKIPPED = 3, 20, 3


def screen(
    status: Mapping[str, Any], signals: Sequence[Mapping[str, Any]], market_time: str, height: int
) -> RenderableType:
    """Everything worth seeing as one rich renderable, with as many signals as `height` lines leave room for."""
    remarks = _remarks(status)
    taken = 9 + len(status["streams"]) + len(status["exchanges"]) + len(remarks)
    room = max(FEWEST_SIGNALS, min(MOST_SIGNALS, height - taken))
    return Group(
        *_headline(status, market_time),
        "",
        _signal_table(signals[:room]),
        "",
        _stream_table(status["streams"]),
        "",
        _exchange_table(status["exchanges"]),
        *remarks,
    )


def _headline(status: Mapping[str, Any], market_time: str) -> list[Text]:
    state = status["market_state"]
    breadth = state.get("breadth", {})
    kind = "SIMULATED DATA" if status["simulated"] else "LIVE DATA"
    first = Text.assemble((kind, "bold yellow" if status["simulated"] else "bold"), f"  {market_time} UTC")
    second = (
        f"breadth {breadth.get('breadth_ratio', 0.5):.2f} ({breadth.get('market_bias', 'neutral')}, "
        f"{breadth.get('advancing', 0)} up, {breadth.get('declining', 0)} down)  "
        f"volatility {state.get('volatility_regime', 'unknown')}  active signals {state.get('active_signals', 0)}"
    )
    return [first, Text(second, no_wrap=True, overflow="ellipsis")]


def _table(title: str, left: Sequence[str] = (), right: Sequence[str] = ()) -> Table:
    """A table without lines, its title above the first column."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title, overflow="ellipsis")  # gives way where the terminal is narrow
    for name in left:
        table.add_column(name, no_wrap=True, justify="left")
    for name in right:
        table.add_column(name, no_wrap=True, justify="right")
    return table


def _signal_table(signals: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("TOP SIGNALS", ("", "signal"), ("score", "rank %", "price", "RSI", "candle"))
    for record in signals:
        table.add_row(
            f"{record['exchange']}:{record['symbol']}",
            record["timeframe"],
            Text(record["signal_type"], style=COLOURS.get(record["signal_type"], "")),
            _figure(record["combined_score"], ".1f"),
            _figure(record["percentile"], ".0f"),
            _figure(record["price"], ".6g"),
            _figure(record["reversion"]["rsi"], ".0f"),
            "closed" if record["candle_closed"] else _figure(record["candle_progress"], ".0%"),
        )
    if not signals:
        table.add_row("none yet")
    return table


def _stream_table(streams: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("STREAMS", (), ("last run", "took s", "lag s", "runs", "missed"))
    for name, figures in streams.items():
        table.add_row(
            name,
            (figures["last_run"] or "")[11:19] or "-",
            _figure(figures["last_duration_s"], ".2f"),
            _figure(figures["lag_s"], ".2f"),
            str(figures["runs"]),
            str(figures["missed"]),
        )
    return table


def _exchange_table(exchanges: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("EXCHANGES", ("state",), ("markets", "last data"))
    for name, facts in exchanges.items():
        table.add_row(
            name,
            Text(facts["state"], style=STATES.get(facts["state"], "red")),
            str(facts["markets"]),
            (facts["last_data"] or "-")[:19],
        )
    return table


def _remarks(status: Mapping[str, Any]) -> list[Text]:
    """What is wrong or left out, a line each, the gravest last."""
    skipped = [f"skipped {market}: {reason}" for market, reason in status["skipped"].items()]
    if len(skipped) > MOST_SKIPPED:
        skipped[MOST_SKIPPED - 1 :] = [f"skipped {len(skipped) - MOST_SKIPPED + 1} more"]
    causes = [f"{name}: {facts['cause']}" for name, facts in status["exchanges"].items() if facts["cause"]]
    errors = [
        f"{name}: {figures['last_error']}" for name, figures in status["streams"].items() if figures["last_error"]
    ]
    cause = status["store"]["cause"]
    lost = [f"not being kept: {cause}"] if cause else []
    styled = ((skipped, "dim"), (causes, "yellow"), (errors, "red"), (lost, "bold red"))
    return [Text(line, style=style, no_wrap=True, overflow="ellipsis") for lines, style in styled for line in lines]


def _figure(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)
