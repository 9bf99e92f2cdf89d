"""Candle rows that need no interpretation: ccxt reads one number of a row in the time that this takes for all of it.

Histories are millions of such numbers, and whoever reads them holds the interpreter meanwhile.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

# Exchanges whose rows begin with open time (ms), open, high, low, close, volume in base currency.
IN_ORDER = frozenset({"binance", "binanceus", "binanceusdm", "kucoinfutures"})
NUMBERS = frozenset({int, float, str})
WIDTH = 6
MOST_S = 10**11  # a time up to this counts seconds, and KuCoin orders such rows otherwise


def plain_rows(rows: Any) -> list[list[float]] | None:
    """Rows as numbers, oldest first; None where a single one is not plain: ccxt knows what to make of it."""
    try:
        table = [[int(row[0]), *map(float, row[1:WIDTH])] for row in rows if _is_plain(row)]
    except (TypeError, ValueError, LookupError, OverflowError):
        return None
    return sorted(table, key=itemgetter(0)) if len(table) == len(rows) else None


def _is_plain(row: Any) -> bool:
    return len(row) >= WIDTH and type(row[0]) is int and row[0] > MOST_S and NUMBERS.issuperset(map(type, row[1:WIDTH]))
