"""How an exchange is doing, in one word and its cause."""

from __future__ import annotations

from dataclasses import dataclass

from scanner.errors import Banned, ExchangeFailure, RateLimited, RefusedRegion

LATE_AFTER = 3  # price intervals without good data
STATES: tuple[tuple[type[ExchangeFailure], str], ...] = (
    (RefusedRegion, "restricted"),
    (Banned, "banned"),
    (RateLimited, "limited"),
    (ExchangeFailure, "down"),
)


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of an exchange; replaced whole, so any thread may read it.

    `heard_at` is the steady time (s) of the last good data, or of the listing before there are any; `last_data_ms`
    the market time of the last good data. `unusable` says why nothing can be scanned here although it answers,
    `no_candles` why candles do not come although prices do, `no_prices` the other way round, `listing` why the list of
    markets is not the newest.
    """

    listed: bool = False
    failure: ExchangeFailure | None = None
    unusable: str | None = None
    no_candles: ExchangeFailure | None = None
    no_prices: ExchangeFailure | None = None
    listing: str | None = None
    heard_at: float = float("-inf")
    last_data_ms: int | None = None

    def state(self, now: float, interval_s: float) -> tuple[str, str | None]:
        """State and cause at steady time `now`, when prices are asked every `interval_s`."""
        if self.failure is not None:
            return _word(self.failure), str(self.failure)
        if not self.listed:
            return "connecting", None
        if self.unusable is not None:
            return "down", self.unusable
        silent_s = now - self.heard_at
        if silent_s > LATE_AFTER * interval_s:
            return "late", f"no data for {silent_s:.0f} s"
        if self.no_candles is not None:
            return _word(self.no_candles), f"no candles: {self.no_candles}"
        if self.no_prices is not None:
            return _word(self.no_prices), f"no prices: {self.no_prices}"
        return ("connecting" if self.last_data_ms is None else "live"), None


def _word(failure: ExchangeFailure) -> str:
    return next(word for kind, word in STATES if isinstance(failure, kind))
