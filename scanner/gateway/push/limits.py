"""How much one connection may carry, and how often one may be opened. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

# Streams of one connection. Binance takes 1,024; what is lost with one connection is to stay small.
MOST_STREAMS = {"binance": 400, "binanceus": 400, "binanceusdm": 200, "binancecoinm": 200}
USUAL_STREAMS = 100
PER_MESSAGE = 50  # streams named in one message: a message may not be long
MESSAGES_PER_S = 4.0  # of one connection; Binance cuts those that send more than 5
DIALS, DIALS_S = 150, 300.0  # connections opened in that many seconds; Binance allows an address 300 in 5 minutes


def markets_per_wire(ccxt_id: str) -> int:
    """Markets one connection carries, each with a stream of prices and one of candles."""
    return MOST_STREAMS.get(ccxt_id, USUAL_STREAMS) // 2


def portions(symbols: Sequence[str], most: int) -> list[list[str]]:
    """`symbols` in order, in as few lists of at most `most` as it takes."""
    return [list(symbols[i : i + most]) for i in range(0, len(symbols), most)]


class Dials:
    """Connections opened lately; `try_dial` says whether one more may be opened at `now` (steady s)."""

    def __init__(self, most: int = DIALS, window_s: float = DIALS_S) -> None:
        self._most, self._window_s = most, window_s
        self._at: deque[float] = deque()

    def try_dial(self, now: float) -> bool:
        while self._at and now - self._at[0] >= self._window_s:
            self._at.popleft()
        if len(self._at) >= self._most:
            return False
        self._at.append(now)
        return True
