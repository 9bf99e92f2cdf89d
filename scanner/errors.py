"""Every error this package raises on purpose.

::

    ScannerError
    |-- InvalidInput            a value from outside is wrong          -> 400
    |-- NothingStored           no data were ever kept for a market    -> 404
    |-- FolderInUse             another process owns the data folder   -> 409
    |-- Busy                    too much was asked for at once         -> 429
    |-- NotRunning              nothing has been scanned yet           -> 503
    |-- StoreFailure            a file cannot be written or read     -> 503
    `-- ExchangeFailure         an exchange could not answer           -> 502, where somebody waits for it
        |-- Unreachable         no connection, time-out, 5xx           another try may help
        |-- RateLimited         429; knows when to come back           another try helps later
        |   `-- Banned          418; the same, for longer
        |-- RefusedRegion       451 or 403: this address is not served another try does not help
        |-- BadAnswer           an answer that is not what it should be
        |-- UnknownSymbol       the exchange does not list it
        |-- UnknownExchange     no such exchange id
        `-- Unsupported         the exchange has no such call
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ScannerError(Exception):
    """Root of all errors of this package."""


class InvalidInput(ScannerError, ValueError):
    """A value from outside is wrong.

    The message holds the field, the value and what would be right:
    ``min_score: 'abc' is not a number from 0 to 100``.
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field, self.value, self.expected = field, value, expected
        super().__init__(f"{field}: {shown(value)} {expected}")


def shown(value: object, limit: int = 80) -> str:
    """`value` as a message may show it: quoted, printable ASCII, cut at `limit` characters."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


class NothingStored(ScannerError):
    """No data were ever kept for what was asked."""


class FolderInUse(ScannerError):
    """Another living process owns the data folder."""


class Busy(ScannerError):
    """Too much was asked for at once; the same request works later."""


class NotRunning(ScannerError):
    """Nothing has been scanned in this process and nothing is on disk."""


class StoreFailure(ScannerError):
    """A file of the data folder cannot be written or read.

    `refused` says how many records of which market (a ``Market``) were lost by that.
    """

    def __init__(self, message: str, refused: Mapping[Any, int] | None = None) -> None:
        self.refused: dict[Any, int] = dict(refused or {})
        super().__init__(message)


class ExchangeFailure(ScannerError):
    """An exchange could not answer."""


class Unreachable(ExchangeFailure):
    """No connection, no answer in time, or the exchange is in trouble itself."""


class RateLimited(ExchangeFailure):
    """Too many requests; `retry_after_s` says when to come back, when the exchange said so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Banned(RateLimited):
    """The exchange has shut this address out for a while."""


class RefusedRegion(ExchangeFailure):
    """The exchange does not serve this address (451 or 403)."""


class BadAnswer(ExchangeFailure):
    """An answer that is not what it should be: broken JSON, HTML, missing fields."""


class UnknownSymbol(ExchangeFailure):
    """The exchange does not list this symbol."""


class UnknownExchange(ExchangeFailure):
    """There is no exchange of this id."""


class Unsupported(ExchangeFailure):
    """The exchange offers no such call."""
