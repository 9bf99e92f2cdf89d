"""Lists the markets of one exchange, again and again, and keeps who of them is scanned.

Which list is believed, and when the next look is due; who is chosen from a list is decided in `membership`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from scanner.errors import BadAnswer, ExchangeFailure, RateLimited, RefusedRegion, Unsupported
from scanner.gateway.breaker import pause_s
from scanner.gateway.budget import OverBudget
from scanner.gateway.contact import Contact
from scanner.gateway.failures import own_errors
from scanner.gateway.fitness import shortcoming
from scanner.gateway.membership import Members, Wish, members_of
from scanner.gateway.relisting import RELIST_SOON_S, Relisting
from scanner.gateway.snapshots import UniverseSnapshot
from scanner.gateway.symbols import Listed
from scanner.gateway.turnover import read_volumes
from scanner.order import Capacity

log = logging.getLogger(__name__)

MOST_SNAPSHOTS = 100  # a universe's, kept for whoever comes to take them


class Lister:
    """Runs as a task on the gateway's loop.

    Parameters
    ----------
    base_timeframe : str
        An exchange without candles of it cannot be scanned.
    relist_s : float
        Seconds between two looks at the list; sooner where a list is to be doubted.
    longest_pause_s : float
        Seconds, at most, between two tries to get a first list.
    remembered : frozenset of str
        Who was in by the same universe in the run before.
    capacity : callable
        How many markets there is room for.
    on_listed : callable
        Told when `members` come from a fresh list.

    Attributes
    ----------
    members : Members
        Who is scanned; replaced whole, so any thread may read it.
    snapshots : deque of UniverseSnapshot
        Those that nobody has taken yet.
    """

    def __init__(
        self,
        contact: Contact,
        wish: Wish,
        base_timeframe: str,
        *,
        relist_s: float,
        longest_pause_s: float,
        remembered: frozenset[str],
        capacity: Callable[[], Capacity | None],
        on_listed: Callable[[], None],
    ) -> None:
        self._contact, self._condition, self._wish, self._base = contact, contact.condition, wish, base_timeframe
        self._relist_s, self._longest_pause_s = relist_s, longest_pause_s
        self._capacity, self._on_listed = capacity, on_listed
        self._relisting = Relisting()
        self._doubted = False  # whether the newest choice waits for a second look
        self.members = Members(remembered=remembered)
        self.snapshots: deque[UniverseSnapshot] = deque(maxlen=MOST_SNAPSHOTS)

    async def run(self) -> None:
        """List the markets, again until it works, then regularly; never ends but for an exchange of no use."""
        if not self._is_fit():
            return
        failed = 0
        await self._condition.hear()
        while True:
            await asyncio.sleep(self._condition.wait_s())
            if await self._list_markets():
                failed = 0
                await self._until_next_look()
            else:
                longest_s = RELIST_SOON_S if self.members.usable else self._longest_pause_s
                await asyncio.sleep(pause_s(failed, longest_s, random.random()))
                failed += 1

    def _is_fit(self) -> bool:
        """Whether this exchange can be scanned at all; says so where not."""
        missing = shortcoming(self._contact.exchange, self._base, self._wish.universe)
        if missing is not None:
            failure = Unsupported(f"{self._contact.id} {missing}")
            self.members = Members(refused={symbol: str(failure) for symbol in self._wish.symbols})
            self._condition.failing(failure)
        return missing is None

    async def _until_next_look(self) -> None:
        """Wait; not so long where a market has gone, the choice is doubted, or the exchange denies a market."""
        denied, soon_s = self._condition.denied, min(RELIST_SOON_S, self._relist_s)
        denied.clear()
        due_s = self._relisting.pause_s(self.members.delisted, self._relist_s, soon_s)
        await asyncio.sleep(soon_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(denied.wait(), 0.0 if self._doubted else due_s - soon_s)

    async def _list_markets(self) -> bool:
        """Choose the markets from a fresh list; False when there is none to be had now."""
        if not self._condition.admit():
            return False
        try:
            listed, volumes = await self._read_list()
        except OverBudget:
            self._condition.not_asked()
            return False
        except ExchangeFailure as failure:
            await self._not_listed(failure)
            return False
        self._condition.answered()
        self._take_list(listed, volumes)
        return True

    async def _read_list(self) -> tuple[Listed, Mapping[str, float]]:
        """The markets, and their volumes of 24 h in dollars where the universe needs them."""
        name, exchange = self._contact.id, self._contact.exchange
        with own_errors(name):
            listed = await self._contact.asker.lists(self._contact.weights.markets, "load_markets", True)
        if not listed:
            raise BadAnswer(f"{name}: lists no markets")
        return listed, await read_volumes(name, exchange, self._wish.universe, listed, self._ask_all_tickers)

    async def _ask_all_tickers(self, kind: str) -> Any:
        weight = self._contact.weights.all_tickers
        return await self._contact.asker.lists(weight, "fetch_tickers", None, {"type": kind})

    async def _not_listed(self, failure: ExchangeFailure) -> None:
        """A list that does not come while markets are scanned is told beside the state: their data may well come."""
        if self.members.usable and not isinstance(failure, (RateLimited, RefusedRegion)):
            self._condition.not_asked()
            self._condition.listed_as_before(f"the list of markets is as it was: {failure}")
        else:
            await self._condition.failed(failure)
            self._condition.failing(failure)

    def _take_list(self, listed: Listed, volumes: Mapping[str, float]) -> None:
        name, now_ms = self._contact.id, self._contact.clock.now_ms()
        chosen = members_of(
            name, self._contact.exchange, self._wish, listed, volumes, self.members, now_ms, self._capacity()
        )
        self._doubted = not self._doubted and self.members.loses_many(chosen)
        if self._doubted:
            stay = f"{len(self.members.usable)} markets, of which the newest list leaves {len(chosen.usable)}"
            self._condition.listed_as_before(f"{name}: a second look is to confirm the end of most of {stay}")
            return
        self.members = chosen
        self._condition.listed(chosen.unusable)
        log.info("%s lists %d markets, %d are scanned", name, len(listed), len(chosen.usable))
        if chosen.snapshot is not None and chosen.unusable is None:
            self.snapshots.append(chosen.snapshot)
        self._on_listed()
