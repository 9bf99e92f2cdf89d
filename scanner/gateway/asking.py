"""Asking one exchange: every call is paid for before it is made, and its answer tells what others have spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from scanner.gateway.budget import OverBudget, used_weight
from scanner.gateway.purse import Purse


class Asker:
    """Calls a ccxt client.

    Attributes
    ----------
    until : float
        Steady time until which a call for candles may wait for weight.
    ahead : callable
        Weight of the calls for candles that are to follow.
    """

    def __init__(self, exchange: Any, purse: Purse, steady: Callable[[], float] = time.monotonic) -> None:
        self.exchange, self.purse, self.steady = exchange, purse, steady
        self.until = float("inf")
        self.ahead: Callable[[], int] = lambda: 0
        self.may_go_on: Callable[[], bool] = lambda: True  # asked after a wait for weight

    async def candles(self, weight: int, method: str, *arguments: Any) -> Any:
        """What ccxt answers, as soon as there is weight; raises OverBudget instead of asking too much."""
        await self.purse.pay(weight, self.until, self.ahead())
        return await self._call(weight, method, *arguments)

    async def prices(self, weight: int, method: str, *arguments: Any) -> Any:
        """The same at once or not at all, from the weight that is kept for prices."""
        await self.purse.pay_now(weight, kept=True)
        return await self._call(weight, method, *arguments)

    async def lists(self, weight: int, method: str, *arguments: Any) -> Any:
        """The same at once or not at all."""
        await self.purse.pay_now(weight, kept=False)
        return await self._call(weight, method, *arguments)

    def seen(self, headers: Mapping[str, str]) -> None:
        """Headers of an answer, names in lower case."""
        used = used_weight(headers)
        if used is not None:
            self.purse.budget.observe(used, self.steady())

    async def _call(self, weight: int, method: str, *arguments: Any) -> Any:
        budget, answered = self.purse.budget, False
        try:
            if not self.may_go_on():
                raise OverBudget("the exchange asked to wait")
            answer = await getattr(self.exchange, method)(*arguments)
            answered = True
            return answer
        finally:
            budget.settle(weight, answered=answered)
