"""How an exchange is doing, in one word and its cause, and what each thing that happens changes about it.

Pure: the time is an argument (seconds of any steady clock).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scanner.errors import Banned, ExchangeFailure, RateLimited, RefusedRegion, UnknownSymbol, Unsupported

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

    @property
    def is_idle(self) -> bool:
        """Whether nothing can be scanned although the exchange answers, or could: waiting does not help."""
        return isinstance(self.failure, Unsupported) or (self.failure is None and self.unusable is not None)

    # What happens

    def failing(self, failure: ExchangeFailure) -> Health:
        """After it could not be listed, or has shut us out."""
        return replace(self, failure=failure)

    def listed_anew(self, now: float, unusable: str | None) -> Health:
        """After a list of markets came; data are waited for from the first one on."""
        heard_at = self.heard_at if self.listed else now
        return replace(self, listed=True, listing=None, failure=None, unusable=unusable, heard_at=heard_at)

    def listed_as_before(self, why: str) -> Health:
        """After a list that did not come, or is not believed yet, while markets are scanned."""
        return replace(self, listing=why)

    def with_prices(self, now: float, at_ms: int) -> Health:
        """After good prices of that market time."""
        return replace(self, failure=None, no_prices=None, heard_at=now, last_data_ms=at_ms)

    def without_prices(self, failure: ExchangeFailure) -> Health:
        """After a failure in their place; one that concerns a market alone is forgotten with the next good data."""
        return replace(self, failure=failure, no_prices=failure if concerns_exchange(failure) else self.no_prices)

    def with_candles(self, now: float, at_ms: int) -> Health:
        """After candles, some at least, the newest asked for at that market time."""
        return replace(self, failure=None, no_candles=None, heard_at=now, last_data_ms=at_ms)

    def without_candles(self, failures: Iterable[ExchangeFailure]) -> Health:
        """After these failures and no candles; failures of single markets change nothing."""
        general = [failure for failure in failures if concerns_exchange(failure)]
        return replace(self, failure=general[-1], no_candles=general[-1]) if general else self


def concerns_exchange(failure: ExchangeFailure) -> bool:
    """Whether a failure says something about the whole exchange, not about one market or call."""
    return not isinstance(failure, (UnknownSymbol, Unsupported))


def _word(failure: ExchangeFailure) -> str:
    return next(word for kind, word in STATES if isinstance(failure, kind))
