"""Sweeps for candles: as many of the requests as budget, deadline and the exchange's health allow, several at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from scanner.errors import ExchangeFailure, UnknownSymbol, Unsupported
from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep, Deferred
from scanner.gateway.backlog import Backlog
from scanner.gateway.budget import OverBudget
from scanner.gateway.candles import CandleReader
from scanner.gateway.contact import Contact
from scanner.gateway.docket import Docket
from scanner.gateway.failures import own_errors
from scanner.gateway.flight import OutOfTime, in_time
from scanner.gateway.listing import Listing
from scanner.gateway.membership import Members
from scanner.gateway.parts import Deliver, Parts

PATIENCE_S = 2.0  # nothing is begun with less time left; an exchange that was given less is not to blame


def patience_s(deadline_s: float) -> float:
    """What an exchange is given to answer, at least, by who has `deadline_s` in all."""
    return min(PATIENCE_S, deadline_s / 2)


class Sweeper:
    """Asks one exchange for candles; one sweep at a time, on the gateway's loop.

    Parameters
    ----------
    base_timeframe : str
        The shortest that will be asked for.
    at_once : int
        Requests in flight, at most.
    members : callable
        Who is scanned now.
    held : callable
        Answers to those of the requests that need not be asked for.
    """

    def __init__(
        self,
        contact: Contact,
        base_timeframe: str,
        at_once: int,
        members: Callable[[], Members],
        held: Callable[[Sequence[CandleRequest]], Mapping[CandleRequest, CandleAnswer]],
    ) -> None:
        self._contact, self._condition, self._steady = contact, contact.condition, contact.steady
        self._at_once, self._members, self._held = at_once, members, held
        weight, budget = contact.weights.candles, contact.asker.purse.budget
        self._reader = CandleReader(contact.clock, weight, contact.asker.candles)
        self._docket = Docket(budget, contact.clock, base_timeframe, weight)
        self._backlog = Backlog()

    def deferred(self) -> dict[str, Deferred]:
        """What the newest sweep put off, by purpose; any thread may ask."""
        return self._backlog.figures(self._steady())

    async def sweep(
        self, requests: Sequence[CandleRequest], deadline_s: float, deliver: Deliver | None = None
    ) -> CandleSweep:
        """Every request answered, deferred or failed; what can be told before the rest goes to `deliver`, in parts."""
        sweep = CandleSweep(self._contact.id, [], [], [])
        parts = Parts(sweep, deliver or (lambda part: sweep.answers.extend(part.answers)), self._steady)
        members = self._members()
        if not members.usable:
            sweep.deferred.extend(requests)
            return sweep
        until, least_s = self._steady() + deadline_s, patience_s(deadline_s)
        chosen = self._plan(requests, members, sweep, until - least_s)
        waiting = deque((request, members.usable[request.market]) for request in chosen)
        asker, weight = self._contact.asker, self._contact.weights.candles
        asker.until, asker.ahead = until - least_s, lambda: len(waiting) * weight
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._at_once, len(waiting))):
                group.create_task(self._work_off(waiting, sweep, parts, until, least_s))
        sweep.deferred.extend(request for request, _ in waiting)
        parts.end()
        began = [answer.began_ms for answer in sweep.answers if len(answer)]
        began += [] if parts.newest_ms is None else [parts.newest_ms]
        self._condition.swept(max(began, default=None), [failure for _, failure in sweep.failures])
        self._backlog.replace(sweep.deferred, self._steady())
        return sweep

    def _plan(
        self, requests: Sequence[CandleRequest], members: Members, sweep: CandleSweep, until: float
    ) -> list[CandleRequest]:
        """What to ask, in order; the rest is put where it belongs in `sweep`."""
        held, wanted = self._held(requests), []
        sweep.answers.extend(held.values())
        for request in held:
            self._docket.note(request, self._steady(), answered=True)
        for request in requests:
            if request in held:
                continue
            refusal = self._refusal(request, members)
            if refusal is None:
                wanted.append((request, self._reader.weight_of(request, members.usable[request.market])))
            else:
                sweep.failures.append((request, refusal))
        plan = self._docket.plan(wanted, members.usable.keys(), self._steady(), until)
        sweep.deferred.extend(want.request for want in plan.deferred)
        return [want.request for want in plan.chosen]

    def _refusal(self, request: CandleRequest, members: Members) -> ExchangeFailure | None:
        if request.market not in members.usable:
            return UnknownSymbol(f"{request.market}: {members.skipped.get(request.market.symbol, 'is not watched')}")
        if request.timeframe not in self._contact.exchange.timeframes:
            return Unsupported(f"{self._contact.id} has no {request.timeframe} candles")
        return None

    async def _work_off(
        self,
        waiting: deque[tuple[CandleRequest, Listing]],
        sweep: CandleSweep,
        parts: Parts,
        until: float,
        least_s: float,
    ) -> None:
        """Take requests until none is left, less time than `least_s` is, or the breaker opens."""
        clock, condition = self._contact.clock, self._condition
        while waiting and until - self._steady() > least_s and condition.admit():
            request, listing = waiting.popleft()
            believed_ms = clock.ahead_ms
            try:
                with own_errors(self._contact.id):
                    reading = self._reader.read(request, listing)
                    answer = await in_time(reading, until - self._steady(), least_s, self._steady)
            except (OverBudget, OutOfTime):
                sweep.deferred.append(request)
                condition.not_asked()
            except ExchangeFailure as failure:
                sweep.failures.append((request, failure))
                self._docket.note(request, self._steady(), answered=False)
                await condition.failed(failure)
            else:
                condition.answered()
                if clock.in_doubt or clock.ahead_ms != believed_ms:
                    sweep.deferred.append(request)  # what is closed and what is not cannot be told now
                    continue
                self._docket.note(request, self._steady(), answered=True)
                parts.add(answer)
