"""Trying an exchange: does it list its markets?"""

from __future__ import annotations

import asyncio

from scanner.errors import Unreachable
from scanner.gateway.adopted import opened
from scanner.gateway.specs import ExchangeSpec

QUOTE = "USDT"


def try_exchange(spec: ExchangeSpec, deadline_s: float) -> None:
    """Return as soon as the exchange has listed its markets.

    Raises
    ------
    ExchangeFailure
        It cannot be scanned, or has not answered within `deadline_s`.
    """

    async def look() -> None:
        async with opened(spec) as reader, asyncio.timeout(deadline_s):
            await reader.listings(QUOTE)

    try:
        asyncio.run(look())
    except TimeoutError:
        raise Unreachable(f"{spec.id}: has not listed its markets within {deadline_s:g} s") from None
