"""Errors of ccxt and of the network, translated to ours in one place.

ccxt calls a refused region, a firewall and a missing page all "not available", a kind that invites retrying. So the
HTTP status decides first; it is attached to the error where the answer is seen (`connection.py`), which stays right
however many requests are in flight. Then comes the class, most specific first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
import ccxt.async_support as ccxt

from scanner.errors import (
    BadAnswer,
    Banned,
    ExchangeFailure,
    RateLimited,
    RefusedRegion,
    UnknownSymbol,
    Unreachable,
    Unsupported,
)

LONGEST_WAIT_S = 3 * 86_400.0  # the longest ban an exchange is known to give
SHOWN = 160  # characters of a foreign message that ours may carry

BY_STATUS: dict[int, type[ExchangeFailure]] = {
    403: RefusedRegion,
    451: RefusedRegion,
    418: Banned,
    429: RateLimited,
}

# What ccxt's parsers raise on JSON of a shape they do not expect.
SHAPE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

BY_CLASS: tuple[tuple[type[BaseException], type[ExchangeFailure]], ...] = (
    (ccxt.BadSymbol, UnknownSymbol),
    (ccxt.NotSupported, Unsupported),
    (ccxt.RestrictedLocation, RefusedRegion),
    (ccxt.PermissionDenied, RefusedRegion),
    (ccxt.AccountSuspended, RefusedRegion),
    (ccxt.AuthenticationError, Unsupported),  # public data behind an account
    (ccxt.RateLimitExceeded, RateLimited),
    (ccxt.DDoSProtection, RateLimited),
    (ccxt.ExchangeClosedByUser, Unreachable),
    (ccxt.InvalidProxySettings, Unreachable),
    (ccxt.BadResponse, BadAnswer),
    (ccxt.OperationFailed, Unreachable),
    (ccxt.BaseError, BadAnswer),
    (aiohttp.ClientPayloadError, BadAnswer),
    (aiohttp.ClientError, Unreachable),
    (OSError, Unreachable),  # TimeoutError is one
    *((kind, BadAnswer) for kind in SHAPE),
)
FOREIGN = tuple(foreign for foreign, _ in BY_CLASS)


@dataclass(frozen=True)
class Answered:
    """The HTTP answer that an error came from; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


@contextmanager
def own_errors(exchange: str) -> Iterator[None]:
    """Inside, whatever ccxt or the network raises leaves as an ExchangeFailure with its cause."""
    try:
        yield
    except FOREIGN as error:
        raise to_own_error(exchange, error) from error


def to_own_error(exchange: str, error: BaseException) -> ExchangeFailure:
    """The failure that `error` means, its message naming `exchange` and what happened."""
    answered: Answered | None = getattr(error, "answered", None)
    kind = own_class(error, answered)
    message = f"{exchange}: {_what_happened(error, answered)}"
    if issubclass(kind, RateLimited):
        wait_s = retry_after_s(answered.headers) if answered else None
        return kind(message if wait_s is None else f"{message}; asks to wait {wait_s:.0f} s", wait_s)
    return kind(message)


def own_class(error: BaseException, answered: Answered | None = None) -> type[ExchangeFailure]:
    """Which of our failures `error` is."""
    if answered is not None:
        if answered.status in BY_STATUS:
            return BY_STATUS[answered.status]
        if answered.status >= 500:
            return Unreachable
    if isinstance(error.__cause__, aiohttp.ClientPayloadError):
        return BadAnswer
    return next(own for foreign, own in BY_CLASS if isinstance(error, foreign))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds the exchange asks us to stay away, or None when it does not say.

    `Retry-After` holds seconds or an HTTP date (measured against the answer's own Date); KuCoin says
    `gw-ratelimit-reset` in milliseconds.
    """
    written = headers.get("retry-after", "").strip()
    if written.isascii() and written.isdigit():
        return min(float(written), LONGEST_WAIT_S)
    if written:
        return _seconds_until(written, headers.get("date", ""))
    reset_ms = headers.get("gw-ratelimit-reset", "").strip()
    return min(float(reset_ms) / 1000, LONGEST_WAIT_S) if reset_ms.isascii() and reset_ms.isdigit() else None


def _seconds_until(date: str, now: str) -> float | None:
    try:
        wait_s = (parsedate_to_datetime(date) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def _what_happened(error: BaseException, answered: Answered | None) -> str:
    if answered is not None:
        return f"HTTP {answered.status}: {excerpt(answered.body)}"
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        return "no answer in time"
    reason = error.__cause__ if isinstance(error.__cause__, FOREIGN) else error
    if isinstance(reason, aiohttp.ClientConnectorDNSError):
        return f"the name {reason.host} does not resolve"
    if isinstance(reason, ccxt.BaseError):
        return excerpt(str(reason))
    named = f"{type(reason).__name__}: {excerpt(str(reason))}"
    return f"an answer of another form than expected ({named})" if isinstance(reason, SHAPE) else named


def excerpt(text: str) -> str:
    """`text` on one line, printable ASCII, cut; a web page is only called one."""
    if text.lstrip()[:1] == "<":
        return "a web page instead of data"
    line = " ".join(ascii(text)[1:-1].replace("\\n", " ").split())
    return (line if len(line) <= SHOWN else f"{line[:SHOWN]}...") or "an empty answer"
