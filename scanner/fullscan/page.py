"""The report of a scan as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import html
from collections.abc import Mapping
from string import Template
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from scanner.fullscan import charts
from scanner.fullscan.classes import side_of
from scanner.fullscan.report import NOTHING, SIMULATED, headline, number, sides, summary

SHOWN_CANDLES = 4  # markets whose candles are drawn

# heading, column, how to write it
TABLE = (
    ("Symbol", "symbol", str),
    ("Timeframe", "timeframe", str),
    ("Signal", "signal", str),
    ("State", "signal_state", str),
    ("Score", "combined_score", "{:.1f}".format),
    ("Opportunity", "opportunity_score", "{:.1f}".format),
    ("Confidence", "confidence_score", "{:.2f}".format),
    ("RSI", "rsi", "{:.1f}".format),
    ("Price", "price", number),
    ("Stop", "stop_loss", number),
    ("Target", "take_profit", number),
    ("Ratio", "risk_reward_ratio", "{:.2f}".format),
    ("Regime", "market_regime", str),
)
WORDS = {"symbol", "timeframe", "signal", "signal_state", "market_regime"}

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>$title</title>
<style>
body { margin: 0; background: #f5f6f8; color: #1f2733; font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 8px; }
.note { color: #5a6474; margin: 0 0 24px; }
.warning { background: #fff4d6; border: 1px solid #e3c46b; border-radius: 8px; padding: 10px 14px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin-bottom: 16px; }
.figures div, section { background: #fff; border: 1px solid #e3e7ec; border-radius: 10px; padding: 14px 16px; }
.figures dt { color: #5a6474; font-size: 13px; } .figures dd { margin: 2px 0 0; font-size: 18px; font-weight: 600; }
section { margin-bottom: 16px; overflow-x: auto; }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 16px; }
@media (max-width: 900px) { .pair { grid-template-columns: minmax(0, 1fr); } }
table { border-collapse: collapse; width: 100%; font-size: 13px; white-space: nowrap; }
th, td { padding: 6px 8px; border-bottom: 1px solid #e3e7ec; text-align: right; font-variant-numeric: tabular-nums; }
th.word, td.word { text-align: left; } th { color: #5a6474; font-weight: 600; }
td:nth-child(3) { font-weight: 600; } .BUY td:nth-child(3) { color: #1a7f5a; } .SELL td:nth-child(3) { color: #b3402e; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="note">$note</p>
$body
</main>
</body>
</html>
""")


def html_report(table: pd.DataFrame, frames: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> str:
    """The page for the rows of a scan.

    Parameters
    ----------
    frames : mapping
        Candles by symbol; those of the best rows are drawn.
    facts : mapping
        The attrs of `table_of`; a true `simulated` marks the page.
    """
    if table.empty:
        return PAGE.substitute(title="Full scan", note=html.escape(NOTHING), body="")
    note = f"{facts.get('total_scanned', len(table))} markets scanned, {len(table)} ranked by combined score."
    body = "\n".join(
        [
            _warning(facts),
            _figures(table),
            f"<script>{get_plotlyjs()}</script>",
            _section("Ranking", charts.ranking(table)),
            '<div class="pair">',
            _section("RSI and opportunity; larger points trade more", charts.landscape(table)),
            _section("Signals by regime", charts.make_up(table)),
            "</div>",
            '<div class="pair">',
            *_candle_sections(table, frames),
            "</div>",
            _table(table),
        ]
    )
    return PAGE.substitute(title=html.escape(headline(table, facts)), note=html.escape(note), body=body)


def _warning(facts: Mapping[str, Any]) -> str:
    if not facts.get("simulated"):
        return ""
    return f'<p class="warning">{SIMULATED}</p>'


def _figures(table: pd.DataFrame) -> str:
    shown = {name: text for name, text in summary(table).items() if name != "Buy, sell, hold"}
    shown = {"Buy / sell / hold": " / ".join(str(count) for count in sides(table)), **shown}
    items = (f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in shown.items())
    return f'<dl class="figures">{"".join(items)}</dl>'


def _section(title: str, figure: go.Figure) -> str:
    plot = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True})
    return f"<section><h2>{html.escape(title)}</h2>{plot}</section>"


def _candle_sections(table: pd.DataFrame, frames: Mapping[str, pd.DataFrame]) -> list[str]:
    rows = [row for row in table.to_dict("records") if row["symbol"] in frames]
    first = list({row["symbol"]: row for row in reversed(rows)}.values())[::-1][:SHOWN_CANDLES]
    return [
        _section(f"{row['symbol']} {row['timeframe']}: {row['signal']}", charts.candles(frames[row["symbol"]], row))
        for row in first
    ]


def _table(table: pd.DataFrame) -> str:
    heads = "".join(f"<th{_kind(column)}>{heading}</th>" for heading, column, _ in TABLE)
    rows = "".join(_table_row(row) for row in table.to_dict("records"))
    return f"<section><h2>All rows</h2><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></section>"


def _table_row(row: Mapping[Any, Any]) -> str:
    cells = (f"<td{_kind(column)}>{html.escape(write(row[column]))}</td>" for _, column, write in TABLE)
    return f'<tr class="{side_of(row["signal"])}">{"".join(cells)}</tr>'


def _kind(column: str) -> str:
    return ' class="word"' if column in WORDS else ""
