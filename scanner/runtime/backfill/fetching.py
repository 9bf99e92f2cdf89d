"""The candles of one exchange that are missing: asked for within its budget, kept as they come, explained at the end.

What is missing is found from the store and its gap ledger, so that a backfill that was killed goes on where it was.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from scanner.core.candles import Int
from scanner.errors import ExchangeFailure, StoreFailure, UnknownSymbol, Unsupported
from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep
from scanner.gateway.gateway import Gateway
from scanner.markets import Market
from scanner.runtime.backfill.progress import Meter, Report
from scanner.runtime.backfill.reach import Reach, missing, no_earlier, requests, runs, untraded
from scanner.store.gaps import NO_TRADE, Gap
from scanner.store.intervals import Span, common, union
from scanner.store.ohlcv import rows
from scanner.store.store import TrainingStore
from scanner.timeframes import length_ms

AT_ONCE = 32  # requests handed to the gateway together: what they answer waits in memory
SWEEP_S = 10.0  # longest wait for them
PATIENCE_S = 120.0  # without a single answer, after which an exchange is given up
PAUSE_S = 0.5  # before it is asked again when it could not be asked at all
TRIES = 4  # of one request that fails

Part = tuple[Market, str]  # a market and a timeframe


class Fetching:
    """Brings the candles of `markets`, all of one exchange, into the store; called once, on a thread of its own.

    Attributes
    ----------
    incomplete : dict
        Market and timeframe -> why candles are still missing.
    report : Report
        What was fetched.
    """

    def __init__(
        self,
        exchange: str,
        markets: Sequence[Market],
        reaches: Mapping[str, Reach],
        gateway: Gateway,
        store: TrainingStore,
        meter: Meter,
        stopping: threading.Event,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange, self._markets, self._reaches = exchange, markets, reaches
        self._gateway, self._store, self._meter = gateway, store, meter
        self._stopping, self._steady = stopping, steady
        self.report = Report()
        self._open: dict[Part, set[CandleRequest]] = {}  # still to be answered
        self._began_ms: int | None = None  # the newest answer, market time
        self._asked: dict[Part, list[Span]] = {}
        self._failed: dict[CandleRequest, int] = {}
        self.incomplete: dict[Part, str] = {}

    def __call__(self) -> None:
        waiting = deque(self._plan())
        heard_at = self._steady()
        while waiting and not self._stopping.is_set():
            batch = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
            again, answered = self._ask(batch)
            waiting.extendleft(reversed(again))
            if answered:
                heard_at = self._steady()
            elif self._steady() - heard_at > PATIENCE_S:
                self._give_up(f"no answer for {PATIENCE_S:.0f} s: {self._cause()}")
                return
            elif again:
                self._stopping.wait(PAUSE_S)
        if not self._stopping.is_set():
            self._explain_ends()

    def _plan(self) -> list[CandleRequest]:
        """What is missing, market by market, and how much that is."""
        ledger, found = self._store.gaps.read(exchange=self._exchange), []
        for market in self._markets:
            for timeframe, reach in self._reaches.items():
                held = self._found(market, timeframe)
                if held is None:
                    continue
                explained = untraded(ledger, market, timeframe)
                asks = requests(market, timeframe, missing(reach, held, explained))
                self.report.held[timeframe] += len(held)
                if asks:
                    self._open[market, timeframe] = set(asks)
                    self._asked[market, timeframe] = union(map(_span, asks))
                found += asks
        self._meter.expect(sum(ask.limit for ask in found))
        return found

    def _found(self, market: Market, timeframe: str) -> Int | None:
        """What is held, and is in its file now whatever run it is from; None where that file cannot be read."""
        held = None
        with self._costing((market, timeframe)):
            held = self._held(market, timeframe)
            self._store.write_candles(market, timeframe)
        return held

    @contextmanager
    def _costing(self, part: Part) -> Iterator[None]:
        """Where the file of one market and timeframe fails, that costs no more than these."""
        try:
            yield
        except StoreFailure as failure:
            self._store.require_writable()
            self.incomplete.setdefault(part, str(failure))

    def _held(self, market: Market, timeframe: str) -> Int:
        """int64[n]: open times of the candles in the store that are wanted."""
        reach = self._reaches[timeframe]
        kept = self._store.candles(market, timeframe, reach.since_ms).open_time
        return kept[kept <= reach.last_ms]

    def _ask(self, batch: Sequence[CandleRequest]) -> tuple[list[CandleRequest], bool]:
        """Ask for a batch; what has to be asked again, and whether anything was answered."""
        answered: set[CandleRequest] = set()
        for sweep in self._gateway.candles(batch, SWEEP_S):
            for answer in sweep.answers:
                answered.add(answer.request)
                self._take(answer)
            answered |= self._refused(sweep)
        self._weigh()
        return [request for request in batch if request not in answered], bool(answered)

    def _weigh(self) -> None:
        """Remember the most weight that has been in use."""
        weight = self._gateway.states()[self._exchange].weight
        used = max(weight.used, self.report.weight.get(self._exchange, (0, 0, 0.0))[0])
        self.report.weight[self._exchange] = used, weight.allowance, weight.window_s

    def _refused(self, sweep: CandleSweep) -> set[CandleRequest]:
        """The requests that will not be made again."""
        given_up = set()
        for request, failure in sweep.failures:
            self._failed[request] = self._failed.get(request, 0) + 1
            if isinstance(failure, (UnknownSymbol, Unsupported)) or self._failed[request] >= TRIES:
                given_up.add(request)
                self._lack(request, failure)
        return given_up

    def _lack(self, request: CandleRequest, failure: ExchangeFailure) -> None:
        self.incomplete[request.market, request.timeframe] = str(failure)
        self._meter.add(request.limit)

    def _take(self, answer: CandleAnswer) -> None:
        """Keep the final candles of an answer; explain the holes of a timeframe that is all there."""
        request, self._began_ms = answer.request, answer.began_ms
        part, reach = (request.market, request.timeframe), self._reaches[request.timeframe]
        final = (answer.open_time >= reach.since_ms) & (answer.open_time <= reach.last_ms)
        columns = (answer.open, answer.high, answer.low, answer.close, answer.volume)
        kept = rows(answer.open_time[final], [column[final] for column in columns])
        if len(kept):
            with self._costing(part):  # the candles wait in the journal
                self._store.append_closed([(*part, kept)], answer.began_ms)
        since_ms, end_ms = _span(request)  # some exchanges go on behind holes, with candles that are asked for as well
        self.report.candles[request.timeframe] += len(kept.since(since_ms).before(end_ms))
        self.report.requests += 1
        self._meter.add(request.limit)
        self._open[part].discard(request)
        if not self._open[part] and part not in self.incomplete:
            with self._costing(part):
                self._store.write_candles(*part)
                self._explain(part)

    def _explain(self, part: Part) -> None:
        """Note what nobody traded, up to the newest candle of a market and timeframe."""
        held, reach = self._held(*part), self._reaches[part[1]]
        if not len(held):
            return
        first, last = int(held[0]), int(held[-1])
        if first > reach.since_ms:
            self.report.begins_ms[f"{part[0]} {part[1]}"] = first
            self._note(part, [(reach.since_ms, first)], no_earlier(part[1]))
        wanted = reach.open_times((first, last))
        self._note(part, runs(wanted[~np.isin(wanted, held)], reach.step_ms), None)

    def _explain_ends(self) -> None:
        """Note what nobody traded after the newest candle of a market, up to where the exchange has shown life."""
        newest: dict[Part, int] = {}
        for part in self._asked:
            with self._costing(part):
                if len(held := self._held(*part)):
                    newest[part] = int(held[-1])
        for (market, timeframe), last in newest.items():
            step = length_ms(timeframe)
            alive = max(other for (_, same), other in newest.items() if same == timeframe)
            if (market, timeframe) not in self.incomplete and alive > last:
                self._note((market, timeframe), [(last + step, alive + step)], None)

    def _note(self, part: Part, spans: Iterable[Span], detail: str | None) -> None:
        """Enter in the ledger what of some untraded spans the exchange has been asked about now."""
        market, asked = part[0], self._asked.get(part, [])
        said = [each for span in spans for each in common(span, asked)]
        found = [Gap(market.exchange, market.symbol, NO_TRADE, *span, detail) for span in said]
        self._store.gaps.append(found, self._began_ms)

    def _give_up(self, cause: str) -> None:
        for part, left in self._open.items():
            if left:
                self.incomplete.setdefault(part, cause)

    def _cause(self) -> str:
        state = self._gateway.states()[self._exchange]
        return f"{state.state}, {state.cause or 'no weight left for this process'}"


def _span(request: CandleRequest) -> Span:
    return request.since_ms, request.since_ms + request.limit * length_ms(request.timeframe)
