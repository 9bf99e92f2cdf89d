"""Plain candle rows are read as ccxt reads them, and all others by ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt.async_support as ccxt
import pytest

from scanner.gateway.connection import connect
from scanner.gateway.plain_rows import IN_ORDER, plain_rows
from scanner.gateway.specs import real_exchange

ROW = [1_700_000_000_000, "10.5", "11", "9.75", "1e1", "0.00000001", 1_700_000_299_999, "5", 3, "1", "2", "0"]
LATER, EARLIER = [1_700_000_300_000, *ROW[1:]], [1_699_999_700_000, *ROW[1:]]
ODD: list[Any] = [
    [ROW[0], None, *ROW[2:]],
    [ROW[0], "", *ROW[2:]],
    [ROW[0], "abc", *ROW[2:]],
    [ROW[0], True, *ROW[2:]],
    [str(ROW[0]), *ROW[1:]],
    [None, *ROW[1:]],
    [0, *ROW[1:]],
    ROW[:5],
    [],
    {"openTime": ROW[0], "open": "1", "high": "2", "low": "1", "close": "2", "volume": "3"},
]


@pytest.fixture(params=sorted(IN_ORDER), scope="module")
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """Our class of an exchange and ccxt's."""
    ours = connect(real_exchange(request.param), 1.0, lambda headers: None)
    theirs = getattr(ccxt, request.param)()
    yield ours, theirs
    asyncio.run(ours.close())
    asyncio.run(theirs.close())


@pytest.mark.parametrize("odd", [None, *ODD])
@pytest.mark.parametrize("bounds", [(None, None), (None, 2), (ROW[0], None), (EARLIER[0], 2), (ROW[0], 1)])
def test_rows_are_read_as_ccxt_reads_them(both: tuple[Any, Any], odd: Any, bounds: tuple[Any, Any]) -> None:
    rows = [LATER, *([] if odd is None else [odd]), EARLIER, ROW, LATER]
    said = []
    for exchange in both:
        try:
            said.append(repr(exchange.parse_ohlcvs(rows, None, "5m", *bounds)))
        except (TypeError, ValueError, LookupError, ccxt.BaseError) as error:
            said.append(type(error).__name__)
    assert said[0] == said[1]


def test_inverse_contracts_have_their_volume_elsewhere(both: tuple[Any, Any]) -> None:
    ours, theirs = (exchange.parse_ohlcvs([ROW], {"inverse": True}, "5m") for exchange in both)
    assert ours == theirs


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_row_leaves_all_to_ccxt(odd: Any) -> None:
    assert plain_rows([ROW, ROW]) is not None
    assert plain_rows([ROW, odd]) is None
