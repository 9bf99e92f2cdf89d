"""Asking one exchange until it answers: what a full scan does, which has one chance and time to wait.

How long to wait after which failure is decided by `Rest`, a value; `PatientAsker` waits, pays and asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from scanner.errors import Banned, ExchangeFailure, RateLimited, RefusedRegion, UnknownSymbol, Unsupported
from scanner.gateway.budget import OverBudget
from scanner.gateway.failures import own_errors
from scanner.gateway.purse import Purse

Ask = Callable[[], Awaitable[Any]]

BUDGET_PAUSE_S = 0.2
HOPELESS = (RefusedRegion, Banned)  # concern every market: there is nothing to gain by asking on
FINAL = (*HOPELESS, UnknownSymbol, Unsupported)  # another try does not help


@dataclass(frozen=True)
class Patience:
    """How long and how often to ask."""

    timeout_s: float = 15.0  # for one answer
    attempts: int = 3
    delay_s: float = 2.0  # before another try, times the number of the try
    at_once: int = 16  # requests in flight
    limited: int = 10  # refusals for asking too much that make everything pause
    pause_s: float = 60.0


@dataclass(frozen=True)
class Rest:
    """How often the exchange has refused for being asked too much, and until when (steady s) nothing is asked."""

    limited: int = 0
    until: float = 0.0

    def after(self, failure: ExchangeFailure, attempt: int, patience: Patience, now: float) -> tuple[Rest, float]:
        """What holds after try number `attempt` has failed, and seconds until the next; too many refusals stop all."""
        pause_s = patience.delay_s * attempt
        if not isinstance(failure, RateLimited):
            return self, pause_s
        limited = self.limited + 1
        until = now + patience.pause_s if limited % patience.limited == 0 else self.until
        return replace(self, limited=limited, until=until), max(pause_s, failure.retry_after_s or 0.0)


class PatientAsker:
    """Calls a ccxt client and pays for it; several may ask at once, on one loop."""

    def __init__(self, exchange_id: str, exchange: Any, purse: Purse, patience: Patience) -> None:
        self.id, self.exchange, self.purse, self.patience = exchange_id, exchange, purse, patience
        self._rest = Rest()

    async def persistently(self, ask: Ask) -> Any:
        """What `ask` answers; transient failures are tried again, with growing pauses."""
        for attempt in range(1, self.patience.attempts + 1):
            await asyncio.sleep(max(self._rest.until - time.monotonic(), 0.0))
            try:
                return await ask()
            except FINAL:
                raise
            except ExchangeFailure as failure:
                if attempt == self.patience.attempts:
                    raise
                self._rest, pause_s = self._rest.after(failure, attempt, self.patience, time.monotonic())
                await asyncio.sleep(pause_s)
        raise AssertionError("attempts: at least one")

    async def once(self, weight: int, method: str, *arguments: Any) -> Any:
        """What the client answers, once there is weight to spend; only the answer's own time is limited."""
        budget = self.purse.budget
        weight = min(weight, budget.allowance)
        await self._pay(weight)
        answered = False
        try:
            with own_errors(self.id):
                async with asyncio.timeout(self.patience.timeout_s):
                    answer = await getattr(self.exchange, method)(*arguments)
            answered = True
            return answer
        except RateLimited as failure:
            await self.purse.tell(failure, failure.retry_after_s or self.patience.pause_s)
            raise
        finally:
            budget.settle(weight, answered=answered)

    async def _pay(self, weight: int) -> None:
        """Wait for weight, however long; raises RateLimited while the exchange has shut this host out."""
        paid = False
        while not paid:
            with suppress(OverBudget):
                await self.purse.pay(weight, float("inf"))
                paid = True
            if (shut := self.purse.shut_out(self.id)) is not None:
                if paid:
                    self.purse.budget.settle(weight, answered=True)
                raise shut
            await asyncio.sleep(0 if paid else BUDGET_PAUSE_S)
