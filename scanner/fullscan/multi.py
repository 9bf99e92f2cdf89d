"""One market on several timeframes: do they agree?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.fullscan.classes import BUYS, SELLS


def with_confluence(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of several timeframes together, each told how its market does on the others.

    Adds `multi_tf_signals` and `multi_tf_timeframes` (lists in the order given), `multi_tf_confirmed` (two or more
    timeframes, all buying or all selling), `confluence_signal` (the most frequent class; of equals the first),
    `confluence_zone` (how many timeframes say it) and `strong_confluence` (all of two or more say one that is not
    Neutral).
    """
    kept = [table for table in tables.values() if len(table)]
    rows = pd.concat(kept, ignore_index=True) if kept else next(iter(tables.values())).copy()
    facts = {symbol: _agreement(group) for symbol, group in rows.groupby("symbol", sort=False)}
    names = list(_agreement(rows.iloc[:0]))
    for name in names:
        rows[name] = pd.Series([facts[symbol][name] for symbol in rows["symbol"]], index=rows.index, dtype=object)
    rows = rows.astype({"multi_tf_confirmed": bool, "strong_confluence": bool, "confluence_zone": "int64"})
    return rows.sort_values("combined_score", ascending=False, kind="stable", ignore_index=True)


def _agreement(group: pd.DataFrame) -> dict[str, Any]:
    signals = [str(signal) for signal in group["signal"]]
    signal, count = Counter(signals).most_common(1)[0] if signals else ("Neutral", 0)
    several = len(signals) >= 2
    return {
        "multi_tf_confirmed": several and (set(signals) <= BUYS or set(signals) <= SELLS),
        "multi_tf_signals": signals,
        "multi_tf_timeframes": [str(timeframe) for timeframe in group["timeframe"]],
        "confluence_zone": count,
        "confluence_signal": signal,
        "strong_confluence": several and count == len(signals) and signal != "Neutral",
    }
