"""Paying for requests: the budget of this process, and through the account of the host that of all of them together.

Weight is reserved in slices, so that not every request takes the lock; the file is read and written by a thread of
its own, so that a slow disk delays no answer. Where the account cannot be used each process counts for itself, which
`state` says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

import filelock

from scanner.errors import Banned, RateLimited
from scanner.gateway.account import Account, Heard, Said
from scanner.gateway.answers import WeightState
from scanner.gateway.budget import Budget, OverBudget
from scanner.gateway.ledger import Closed
from scanner.gateway.specs import ExchangeSpec

log = logging.getLogger(__name__)

HELD_S = 2.0  # a slice that is not spent within is given back
SLICE_S = 1.0  # it holds what the exchange allows in this time
POLL_S = 0.2  # between two looks whether weight has come free
PATIENCE_S = 1.0  # with the disk
AGAIN_S = 30.0  # until an account that failed is tried again
NO_ANSWER = f"no answer from the disk in {PATIENCE_S:g} s"
NO_FOLDER = "there is no folder for the account"


class Purse:
    """Pays for the requests of one exchange. Everything is for the loop."""

    def __init__(self, budget: Budget, account: Account | None, steady: Callable[[], float]) -> None:
        self.budget, self.steady = budget, steady
        self._processes, self._cause = 1, None if account else NO_FOLDER
        self.closed: Closed | None = None  # as the account says
        self._account = account
        self._news: Closed | None = None  # what the account does not know yet
        self._again_at = float("-inf")
        self._slice = max(1, int(budget.limit / budget.window_s * SLICE_S))
        if account is not None:
            budget.grant(0)
        self._turn, self._at_file = asyncio.Lock(), asyncio.Lock()
        self._writing: asyncio.Future[Heard | str | None] | None = None

    async def pay(self, weight: int, until: float, ahead: int = 0) -> None:
        """Pay for candles, in turn, as soon as there is weight; `ahead` is what will be asked for after it.

        Raises
        ------
        OverBudget
            There will be none before steady time `until`.
        """
        async with self._turn:
            while not await self._paid(weight, weight + min(ahead, self._slice), all_of_it=False):
                now = self.steady()
                if now + POLL_S >= until or weight > self.budget.free_at(until):
                    raise OverBudget
                await asyncio.sleep(POLL_S)

    async def pay_now(self, weight: int, *, kept: bool) -> None:
        """Pay from all there is, raising OverBudget when that is not enough; `kept` for prices, for which some is."""
        if not await self._paid(weight, weight, all_of_it=True, kept=kept):
            raise OverBudget

    def state(self) -> WeightState:
        """What is used and what may be, and who is counted."""
        budget = self.budget
        return WeightState(
            used=budget.used(self.steady()),
            allowance=budget.allowance,
            limit=budget.limit,
            window_s=budget.window_s,
            shared=self._cause is None,
            processes=self._processes,
            cause=self._cause,
        )

    async def tell(self, failure: RateLimited, wait_s: float) -> None:
        """The exchange has shut us out for so long: the others hear of it now."""
        if self._account is not None:
            kind = "banned" if isinstance(failure, Banned) else "limited"
            self._news = Closed(self._wall() + wait_s, kind, str(failure))
            await self.sync()

    def shut_out(self, exchange: str) -> RateLimited | None:
        """The failure by which the exchange has shut out this host, as remembered; None when it has not."""
        wait_s = 0.0 if self.closed is None else self.closed.until - self._wall()
        if self.closed is None or wait_s <= 0:
            return None
        kind = Banned if self.closed.kind == "banned" else RateLimited
        told = self.closed.cause
        return kind(told if told.startswith(f"{exchange}: ") else f"{exchange}: {told}", wait_s)

    async def sync(self) -> None:
        """Tell the others what was spent, and hear from them."""
        async with self._at_file:
            await self._talk(0, 0, all_of_it=True)

    async def leave(self) -> None:
        """Give back what is reserved."""
        account = self._account
        if account is not None and self._is_usable() and await self._has_written():
            said = replace(self._said(0, 0, all_of_it=True), kept=0)
            await self._off_the_loop(lambda: account.leave(said))

    async def _paid(self, weight: int, want: int, *, all_of_it: bool, kept: bool = False) -> bool:
        is_kept = kept and weight <= self.budget.kept_back(self.steady())
        if self._must_talk(weight, is_kept):
            async with self._at_file:
                if self._must_talk(weight, is_kept):
                    want, least = (0, 0) if is_kept else (min(want, self.budget.allowance), weight)
                    await self._talk(want, least, all_of_it=all_of_it)
        return self.budget.try_spend(weight, self.steady(), all_of_it=all_of_it, kept=kept)

    def _must_talk(self, weight: int, is_kept: bool) -> bool:
        """Whether too little is reserved, or it is time to try again what failed; before prices always, for news."""
        if self._account is None or not self._is_usable():
            return False
        return is_kept or self._cause is not None or self.budget.granted(self.steady()) < weight

    async def _talk(self, want: int, least: int, *, all_of_it: bool) -> None:
        if self._account is None or not self._is_usable():
            self.budget.grant(None)
            return
        if not await self._has_written():
            return
        self.budget.grant(0)  # what is spent while the file is written would not be in it
        account, said = self._account, self._said(want, least, all_of_it=all_of_it)
        heard = await self._off_the_loop(lambda: account.exchange(said))
        if heard is not None:
            self._news = None if self._news is said.closed else self._news
            self._take(heard)

    def _is_usable(self) -> bool:
        return self.steady() >= self._again_at

    async def _has_written(self) -> bool:
        """Wait for an earlier write that nobody waits for any more; where it takes too long each counts for itself."""
        writing = self._writing
        if writing is not None and not writing.done():
            await asyncio.wait({writing}, timeout=PATIENCE_S)
            if not writing.done():
                self._degrade(NO_ANSWER)
                return False
        return True

    def _said(self, want: int, least: int, *, all_of_it: bool) -> Said:
        now, budget = self.steady(), self.budget
        ahead_s = self._wall() - now
        spent = _by_second((at + ahead_s, weight) for at, weight in budget.spendings(now))
        room = budget.allowance - sum(weight for _, weight in spent) - (0 if all_of_it else budget.kept)
        return Said(spent, budget.kept, want, least, room, HELD_S, self._news)

    async def _off_the_loop(self, work: Callable[[], Heard | None]) -> Heard | None:
        """What `work` returns; None when it fails or takes too long, and then each process counts for itself."""
        self._writing = writing = asyncio.ensure_future(asyncio.to_thread(_outcome, work))
        done, _ = await asyncio.wait({writing}, timeout=PATIENCE_S)
        outcome = writing.result() if done else NO_ANSWER
        if isinstance(outcome, str):
            self._degrade(outcome)
            return None
        return outcome

    def _degrade(self, cause: str) -> None:
        if self._cause != cause:
            log.warning("request weight is not shared with other processes: %s", cause)
        self._processes, self._cause = 1, cause
        self._again_at = self.steady() + AGAIN_S
        self.budget.grant(None)
        self.budget.hear((), 0)

    def _take(self, heard: Heard) -> None:
        behind_s = self.steady() - self._wall()
        self.budget.hear(((at + behind_s, weight) for at, weight in heard.others), heard.kept)
        self.budget.grant(heard.granted, heard.until + behind_s)
        self._processes, self._cause = heard.processes, None
        self.closed = heard.closed

    def _wall(self) -> float:
        assert self._account is not None
        return self._account.wall()


def _outcome(work: Callable[[], Heard | None]) -> Heard | str | None:
    """What `work` returns, or in words why it cannot."""
    try:
        return work()
    except filelock.Timeout as error:
        return f"{error.lock_file} is held by another process"
    except (OSError, ValueError) as error:
        return str(error)


def _by_second(spent: Iterable[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    """Summed by seconds, each at its end: fewer numbers, and never forgotten too early."""
    sums: dict[float, int] = {}
    for at, weight in spent:
        second = float(int(at) + 1)
        sums[second] = sums.get(second, 0) + weight
    return tuple(sums.items())


def purse_of(budget: Budget, spec: ExchangeSpec | None, steady: Callable[[], float]) -> Purse:
    """The purse of an exchange, joined to the account that its spec names."""
    if spec is None or spec.state_dir is None:
        return Purse(budget, None, steady)
    return Purse(budget, Account(spec.state_dir, spec.account, budget.window_s), steady)
