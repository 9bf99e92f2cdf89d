from __future__ import annotations

import asyncio

import aiohttp
import ccxt.async_support as ccxt
import pytest

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
from scanner.gateway.failures import Answered, excerpt, own_errors, retry_after_s, to_own_error

OURS = {
    BadAnswer: """BaseError ExchangeError ArgumentsRequired BadRequest OperationRejected NoChange
        MarginModeAlreadySet MarketClosed ManualInteractionNeeded InsufficientFunds InvalidAddress AddressPending
        InvalidOrder OrderNotFound OrderNotCached OrderImmediatelyFillable OrderNotFillable DuplicateOrderId
        ContractUnavailable BadResponse NullResponse UnsubscribeError""",
    UnknownSymbol: "BadSymbol",
    Unsupported: "NotSupported AuthenticationError",
    RefusedRegion: "PermissionDenied AccountNotEnabled AccountSuspended RestrictedLocation",
    RateLimited: "DDoSProtection RateLimitExceeded",
    Unreachable: """OperationFailed NetworkError ExchangeNotAvailable OnMaintenance InvalidNonce ChecksumError
        RequestTimeout CancelPending InvalidProxySettings ExchangeClosedByUser""",
}
EXPECTED = {name: ours for ours, names in OURS.items() for name in names.split()}


def family(kind: type) -> list[type]:
    return [kind] + [each for child in kind.__subclasses__() for each in family(child)]


@pytest.mark.parametrize("foreign", family(ccxt.BaseError))
def test_every_error_of_ccxt_has_its_own_kind(foreign):
    with pytest.raises(ExchangeFailure) as caught, own_errors("binance"):
        raise foreign("what happened")
    assert type(caught.value) is EXPECTED[foreign.__name__]
    assert str(caught.value) == "binance: what happened"
    assert isinstance(caught.value.__cause__, foreign)


def test_no_error_is_expected_that_ccxt_does_not_have():
    assert set(EXPECTED) == {kind.__name__ for kind in family(ccxt.BaseError)}


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (TimeoutError(), Unreachable),
        (aiohttp.ServerDisconnectedError(), Unreachable),
        (ConnectionResetError(), Unreachable),
        (aiohttp.ClientPayloadError(), BadAnswer),
        (KeyError("symbol"), BadAnswer),
        (TypeError("str is no dict"), BadAnswer),
    ],
)
def test_errors_of_network_and_parsing_are_translated_too(foreign, ours):
    with pytest.raises(ours), own_errors("binance"):
        raise foreign


def test_cancellation_and_our_own_errors_pass():
    with pytest.raises(asyncio.CancelledError), own_errors("binance"):
        raise asyncio.CancelledError
    with pytest.raises(RefusedRegion, match="already said"), own_errors("binance"):
        raise RefusedRegion("already said")


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (451, RefusedRegion),
        (403, RefusedRegion),
        (418, Banned),
        (429, RateLimited),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_the_status_decides_before_the_class(status, ours):
    error = ccxt.ExchangeError("whatever ccxt thinks")
    error.answered = Answered(status, {"retry-after": "7"}, '{"msg": "no"}')
    failure = to_own_error("binance", error)
    assert type(failure) is ours
    assert f'HTTP {status}: {{"msg": "no"}}' in str(failure)
    if isinstance(failure, RateLimited):
        assert failure.retry_after_s == 7
        assert str(failure).endswith("asks to wait 7 s")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "9" * 30}, 3 * 86_400),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"gw-ratelimit-reset": "2500"}, 2.5),
    ],
)
def test_retry_after_in_all_its_spellings(headers, wait_s):
    assert retry_after_s(headers) == wait_s


def test_a_message_never_carries_a_page_or_a_flood():
    assert excerpt("<html>...") == "a web page instead of data"
    assert excerpt("") == "an empty answer"
    assert len(excerpt("x" * 10_000)) < 200
    assert "\n" not in excerpt("a\nb\x00")
