"""Timeframes: names such as ``5m``, their length, and the candle a moment falls into.

Every timeframe here starts at a multiple of its own length since the epoch, in UTC. Weeks begin on Mondays instead, so
panels do not offer them; where they are read at all, `grid_of` says where they may open.
"""

from __future__ import annotations

from scanner.errors import InvalidInput

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS  # the first Monday since the epoch, which was a Thursday

LENGTH_MS: dict[str, int] = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}


def length_ms(timeframe: str, field: str = "timeframe") -> int:
    """Length of one candle in milliseconds.

    Raises
    ------
    InvalidInput
        The name is not a known timeframe; `field` is what the message calls it.
    """
    try:
        return LENGTH_MS[timeframe]
    except (KeyError, TypeError):
        raise InvalidInput(field, timeframe, f"is not one of {', '.join(LENGTH_MS)}") from None


def open_time_of(moment_ms: int, timeframe_ms: int) -> int:
    """Open time of the candle that contains `moment_ms`."""
    return moment_ms - moment_ms % timeframe_ms


def grid_of(timeframe: str) -> tuple[int, int]:
    """Length of one candle, and the grid its open time lies on, in ms; weeks (``1w``) are known here too.

    Raises
    ------
    InvalidInput
        The name is not a known timeframe.
    """
    if timeframe == "1w":
        return WEEK_MS, DAY_MS
    return length_ms(timeframe), length_ms(timeframe)
