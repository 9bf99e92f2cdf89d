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


def screen(status: Mapping[str, Any], signals: Sequence[Mapping[str, Any]], market_time: str) -> RenderableType:
    """Everything worth seeing, as one rich renderable."""
    return Group(
        _headline(status, market_time),
        _signal_table(signals),
        _stream_table(status["streams"]),
        _exchange_table(status["exchanges"]),
        *_remarks(status),
    )


def _headline(status: Mapping[str, Any], market_time: str) -> Text:
    state = status["market_state"]
    breadth = state.get("breadth", {})
    kind = "SIMULATED DATA  " if status["simulated"] else ""
    text = (
        f"{market_time}  breadth {breadth.get('breadth_ratio', 0.5):.2f} ({breadth.get('market_bias', 'neutral')}, "
        f"{breadth.get('advancing', 0)} up, {breadth.get('declining', 0)} down)  "
        f"volatility {state.get('volatility_regime', 'unknown')}  active signals {state.get('active_signals', 0)}"
    )
    return Text.assemble((kind, "bold yellow"), text)


def _signal_table(signals: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Top signals", title_justify="left", expand=False)
    for name in ("market", "timeframe", "signal"):
        table.add_column(name)
    for name in ("score", "percentile", "price", "RSI", "candle"):
        table.add_column(name, justify="right")
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
    return table


def _stream_table(streams: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="Streams", title_justify="left")
    for name in ("stream", "last run", "took s", "lag s", "runs", "missed", "last error"):
        table.add_column(name)
    for name, figures in streams.items():
        table.add_row(
            name,
            (figures["last_run"] or "-")[11:19] or "-",
            _figure(figures["last_duration_s"], ".2f"),
            _figure(figures["lag_s"], ".2f"),
            str(figures["runs"]),
            str(figures["missed"]),
            figures["last_error"] or "",
        )
    return table


def _exchange_table(exchanges: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="Exchanges", title_justify="left")
    for name in ("exchange", "state", "markets", "last data", "cause"):
        table.add_column(name)
    for name, facts in exchanges.items():
        table.add_row(
            name,
            Text(facts["state"], style=STATES.get(facts["state"], "red")),
            str(facts["markets"]),
            (facts["last_data"] or "-")[:19],
            facts["cause"] or "",
        )
    return table


def _remarks(status: Mapping[str, Any]) -> list[Text]:
    skipped = [Text(f"skipped {market}: {reason}", style="dim") for market, reason in status["skipped"].items()][:5]
    failure = status["store"].get("failure")
    return skipped + ([Text(f"not being kept: {failure}", style="bold red")] if failure else [])


def _figure(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)
