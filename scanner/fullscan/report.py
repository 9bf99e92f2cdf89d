"""The result of a scan in words: a text for terminals and logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.fullscan.classes import BUYS, SELLS, side_of

BEST = 10
WIDTH = 78
SIMULATED = "These are simulated data: no real market looks like this."
NOTHING = "No results. Run scan_market first, or no market passed the filters."


def text_report(table: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """A report on the rows of a scan; `facts` are the attrs of `table_of`."""
    if table.empty:
        return NOTHING
    lines = [headline(table, facts), *([SIMULATED] if facts.get("simulated") else []), "=" * WIDTH]
    lines += [f"{name:<22}{value}" for name, value in summary(table).items()]
    lines += ["", "Best by combined score", "-" * WIDTH, _HEADER]
    lines += [_line(row) for row in table.head(BEST).to_dict("records")]
    lines += ["", "Trade levels", "-" * WIDTH]
    lines += [_levels(row) for row in table.head(BEST).to_dict("records") if side_of(row["signal"]) != "HOLD"]
    left_out = {**facts.get("skipped", {}), **facts.get("failed", {})}
    if left_out:
        lines += ["", f"{len(left_out)} markets have no row: {reasons(left_out)}"]
    return "\n".join(lines)


def headline(table: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """What was scanned, where and when, in one line."""
    exchange = facts.get("exchange") or ", ".join(sorted(set(table["exchange"])))
    timeframes = ", ".join(dict.fromkeys(str(name) for name in table["timeframe"]))
    when = pd.Timestamp(table["timestamp"].iloc[0]).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"Full scan of {exchange}, {timeframes}, {when}"


def summary(table: pd.DataFrame) -> dict[str, str]:
    """The figures of a scan, as name and text."""
    regimes = Counter(table["market_regime"])
    return {
        "Markets ranked": str(len(table)),
        "Buy, sell, hold": " / ".join(str(count) for count in sides(table)),
        "Mean combined score": f"{table['combined_score'].mean():.1f}",
        "Mean opportunity": f"{table['opportunity_score'].mean():.1f}",
        "Regimes": ", ".join(f"{name} {count}" for name, count in regimes.most_common()),
        "Volatility": ", ".join(f"{name} {count}" for name, count in Counter(table["regime_volatility"]).most_common()),
    }


def sides(table: pd.DataFrame) -> tuple[int, int, int]:
    """How many rows say buy, sell and neither."""
    buys, sells = int(table["signal"].isin(BUYS).sum()), int(table["signal"].isin(SELLS).sum())
    return buys, sells, len(table) - buys - sells


def number(value: float) -> str:
    """A price or amount with as many digits as it needs."""
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"


_HEADER = f"{'symbol':<20}{'signal':<13}{'score':>7}{'opport.':>9}{'RSI':>7}{'price':>14}  regime"


def _line(row: Mapping[Any, Any]) -> str:
    return (
        f"{row['symbol']:<20}{row['signal']:<13}{row['combined_score']:>7.1f}{row['opportunity_score']:>9.1f}"
        f"{row['rsi']:>7.1f}{number(row['price']):>14}  {row['market_regime']}"
    )


def _levels(row: Mapping[Any, Any]) -> str:
    return (
        f"{row['symbol']:<20}{row['signal']:<13}stop {number(row['stop_loss'])} ({row['stop_loss_pct']:+.2f} %), "
        f"target {number(row['take_profit'])} ({row['take_profit_pct']:+.2f} %), ratio {row['risk_reward_ratio']:.2f}"
    )


def reasons(left_out: Mapping[str, str], most: int = 3) -> str:
    """Why the first few markets have no row."""
    shown = [f"{symbol} {reason}" for symbol, reason in list(left_out.items())[:most]]
    return "; ".join(shown) + ("; ..." if len(left_out) > most else "")
