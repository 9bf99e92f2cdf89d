"""The markets that share one connection: their pulses, what was pushed of them, and how the connection is healed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from scanner.clock import Clock
from scanner.gateway.answers import CandleAnswer
from scanner.gateway.breaker import pause_s
from scanner.gateway.push.kept import KeptCandles, KeptPrice
from scanner.gateway.push.limits import Dials
from scanner.gateway.push.watchdog import Cause, Pulse, Verdict, judge
from scanner.gateway.push.wire import Wire

Stream = tuple[Literal["prices", "candles"], str]  # which, and the listed symbol
Remedy = Literal["reconnect", "resubscribe"]

LONGEST_PAUSE = 4.0  # intervals between two tries to connect
WELL_AFTER = 2.0  # intervals without a fault until the next one counts as the first


class Lane:
    """One connection at a time, and everything known of its markets.

    Attributes
    ----------
    symbols : list of str
        Listed symbols watched here.
    as_of_ms : int
        Market time of the newest thing heard; what is fresh is known up to then.
    """

    def __init__(
        self, new_wire: Callable[[], Wire], dials: Dials, interval_s: float, steady: Callable[[], float], clock: Clock
    ) -> None:
        self._new_wire, self._dials = new_wire, dials
        self.interval_s, self.steady, self.clock = interval_s, steady, clock
        self.symbols: list[str] = []
        self.kept_prices: dict[str, KeptPrice] = {}
        self.kept_candles: dict[str, KeptCandles] = {}
        self.as_of_ms = 0
        self.detail = ""
        self._pulses: dict[Stream, Pulse] = {}
        self._due_at = float("inf")  # no pulse wants a look before
        self._wire: Wire | None = None
        self._busy = asyncio.Lock()  # one thing at a time is done to the connection
        self._is_down = False  # while it is connected anew
        self._is_healing = False  # while anything is done about a fault
        self._muted: set[Stream] = set()  # being subscribed to anew: what ccxt holds of them is old
        self._reference: dict[Stream, float] = {}  # REST's price at the first look, where nothing was pushed yet
        self._attempts = 0
        self._healed_at = self._denied_at = float("-inf")

    # What is known

    @property
    def is_open(self) -> bool:
        return self._wire is not None and self._wire.broken is None and not self._is_down

    @property
    def is_first_fault(self) -> bool:
        """Whether it has been well for a while."""
        return self._attempts == 0

    def is_fresh(self, stream: Stream, now: float) -> bool:
        """Whether what this stream brought may be used instead of asking REST."""
        pulse = self._pulses.get(stream)
        return self.is_open and pulse is not None and stream not in self._muted and pulse.is_fresh(now)

    def is_unwell(self, symbol: str) -> bool:
        """Whether this market waits for its connection, or for a stream that is dead or has not spoken yet."""
        streams: tuple[Stream, ...] = (("prices", symbol), ("candles", symbol))
        pulses = [self._pulses[stream] for stream in streams if stream in self._pulses]
        return not self.is_open or any(not pulse.is_known or pulse.denied_at is not None for pulse in pulses)

    def read(self) -> None:
        """Take what has come since the last time."""
        if self._wire is None or self._is_down:
            return
        now, now_ms = self.steady(), self.clock.now_ms()
        for symbol, ticker in self._wire.tickers(self.symbols):
            if ("prices", symbol) not in self._muted and self.kept_prices[symbol].take(ticker):
                self._beat(("prices", symbol), now, now_ms)
        for symbol, rows in self._wire.candles(self.kept_candles):
            if ("candles", symbol) not in self._muted and self.kept_candles[symbol].take(rows, now_ms):
                self._beat(("candles", symbol), now, now_ms)

    def judge(self, now: float) -> Verdict[Stream]:
        """What is to be done about this connection now; nothing while something is being done."""
        if self._is_down or self._is_healing or self._wire is None:
            return Verdict()
        if self._wire.broken is None and now - max(self._healed_at, self._denied_at) > WELL_AFTER * self.interval_s:
            self._attempts = 0
        if now <= self._due_at and self._wire.broken is None:
            return Verdict()
        self._ask_siblings(now)
        self._due_at = min((pulse.due_at for pulse in self._pulses.values()), default=float("inf"))
        verdict = judge(self._pulses, now, self.interval_s, heard_at=self._wire.heard_at, broken=self._wire.broken)
        self.detail = self._wire.detail
        return verdict

    def compare(self, symbol: str, ticker: Mapping[str, Any], now: float) -> None:
        """Hold what is known of a market against its price by REST."""
        if symbol not in self.kept_prices or not self.is_open:
            return
        if math.isnan(self.kept_prices[symbol].price):
            self.kept_prices[symbol].take(ticker)
            return
        for stream, known in self._known_prices(symbol):
            reference = self._reference.setdefault(stream, ticker["last"]) if math.isnan(known) else known
            if reference != ticker["last"]:
                self._hold(stream, False, now)
            elif symbol not in self.kept_candles or not self._is_lively(stream):
                self._hold(stream, True, now)

    def seed(self, symbol: str, answer: CandleAnswer, now: float) -> None:
        """Take candles of REST, and hold what is known of a market against them."""
        stream: Stream = ("candles", symbol)
        if not self.is_open or symbol not in self.kept_candles or stream in self._muted or not len(answer):
            return
        kept = self.kept_candles[symbol]
        behind, compared = kept.is_behind(answer), not math.isnan(kept.price)
        if compared:
            self._hold(stream, not behind, now)
            self._hold(("prices", symbol), not behind, now)
        if not (behind and self._pulses[stream].denied_at is not None):
            kept.seed(answer)

    def doubtful(self, now: float) -> list[str]:
        """Markets whose silence only their candles can explain: lively ones with an unchanged price."""
        return [
            symbol
            for symbol in self.kept_candles
            if any(
                self._pulses[stream].is_overdue(now)
                and self._pulses[stream].denied_at is None
                and self._is_lively(stream)
                for stream, _ in self._known_prices(symbol)
            )
        ]

    def _ask_siblings(self, now: float) -> None:
        """An overdue stream is held against the same market's other one, when that is fresh: no need of REST."""
        for symbol in self.kept_candles:
            (prices, price), (candles, close) = self._known_prices(symbol)
            if self._pulses[candles].is_overdue(now) and self.is_fresh(prices, now) and price != close:
                self._hold(candles, False, now)
            elif self._pulses[prices].is_overdue(now) and self.is_fresh(candles, now):
                lag_s = self._pulses[candles].advanced_at - self._pulses[prices].advanced_at
                self._hold(prices, price == close and lag_s <= self._pulses[prices].patience_s, now)

    def _known_prices(self, symbol: str) -> list[tuple[Stream, float]]:
        """The streams of a market, each with the price it brought last; NaN before any."""
        found: list[tuple[Stream, float]] = [(("prices", symbol), self.kept_prices[symbol].price)]
        if symbol in self.kept_candles:
            found.append((("candles", symbol), self.kept_candles[symbol].price))
        return found

    def _is_lively(self, stream: Stream) -> bool:
        return self._pulses[stream].is_lively(self.interval_s)

    def _beat(self, stream: Stream, now: float, now_ms: int) -> None:
        self._put(stream, self._pulses[stream].advanced(now, self.interval_s))
        self.as_of_ms = now_ms

    def _hold(self, stream: Stream, agrees: bool, now: float) -> None:
        """Whether something else tells the same as a stream; matters only while the stream is silent."""
        pulse = self._pulses[stream]
        if pulse.is_known and not pulse.is_overdue(now):
            return
        if agrees:
            self._put(stream, pulse.agreed(now, self.interval_s))
            self.as_of_ms = self.clock.now_ms()
        else:
            self._put(stream, pulse.denied(now))
            self._denied_at = now

    def _put(self, stream: Stream, pulse: Pulse) -> None:
        self._pulses[stream] = pulse
        self._due_at = min(self._due_at, pulse.due_at)

    # What is done

    def remedy(self, cause: Cause) -> Remedy:
        """How a fault is healed: dead streams are subscribed to anew, once; everything else takes a new connection."""
        return "resubscribe" if cause == Cause.HALF_DEAD and self.is_first_fault else "reconnect"

    async def join(self, symbols: Sequence[str], candles: Sequence[str], jitter: float) -> None:
        """Watch some markets more."""
        self.symbols += symbols
        self.kept_prices |= {symbol: KeptPrice() for symbol in symbols}
        self.kept_candles |= {symbol: KeptCandles() for symbol in candles}
        self._begin(symbols, candles)
        async with self._busy:
            if self._wire is None:
                await self._reconnect(jitter)
            else:
                await self._subscribe(symbols, candles)

    async def leave(self, symbols: Iterable[str]) -> None:
        """Watch some markets no more; an exchange that cannot end a stream goes on telling nobody."""
        gone = set(symbols)
        candles = [symbol for symbol in gone if symbol in self.kept_candles]
        self.symbols = [symbol for symbol in self.symbols if symbol not in gone]
        for symbol in gone:
            self.kept_prices.pop(symbol, None)
            self.kept_candles.pop(symbol, None)
        self._pulses = {stream: pulse for stream, pulse in self._pulses.items() if stream[1] not in gone}
        async with self._busy:
            if self._wire is not None and self.is_open:
                await self._wire.unsubscribe(sorted(gone), candles)

    async def heal(self, remedy: Remedy, dead: Sequence[Stream], jitter: float) -> None:
        """Bring dead streams back; REST serves their markets meanwhile."""
        self._is_healing = True
        self._is_down |= remedy == "reconnect"
        try:
            async with self._busy:
                if not (remedy == "resubscribe" and await self._resubscribe(dead)):
                    await self._reconnect(jitter)
        finally:
            self._is_healing = False
        self._attempts += 1
        self._healed_at = self.steady()

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.close()

    async def _resubscribe(self, dead: Sequence[Stream]) -> bool:
        """Only these streams; False when the exchange does not do as it is asked."""
        assert self._wire is not None
        prices, candles = ([symbol for kind, symbol in dead if kind == each] for each in ("prices", "candles"))
        self._muted |= {*dead}
        self._begin(prices, candles)
        try:
            if not await self._wire.unsubscribe(prices, candles):
                return False
        finally:
            self._muted -= {*dead}
        await self._subscribe(prices, candles)
        return True

    async def _reconnect(self, jitter: float) -> None:
        """A new connection for all markets: at once the first time, then after growing pauses."""
        self._is_down = True
        try:
            if self._wire is not None:
                await self._wire.close()
            if self._attempts:
                await asyncio.sleep(pause_s(self._attempts - 1, LONGEST_PAUSE * self.interval_s, jitter))
            while not self._dials.try_dial(self.steady()):
                await asyncio.sleep(self.interval_s)
            self._wire = self._new_wire()
            await self._subscribe(self.symbols, [*self.kept_candles])
        finally:
            self._is_down = False

    async def _subscribe(self, prices: Sequence[str], candles: Sequence[str]) -> None:
        """Ask for streams; their silence counts from when all were asked for."""
        assert self._wire is not None
        self._begin(prices, candles)
        await self._wire.subscribe(prices, candles)
        self._begin(prices, candles)

    def _begin(self, prices: Iterable[str], candles: Iterable[str]) -> None:
        """Nothing is known of these streams any more: after a break nobody knows what was missed."""
        begun = Pulse.begun(self.steady(), self.interval_s)
        for symbol in prices:
            if symbol in self.kept_prices:
                self.kept_prices[symbol] = KeptPrice()
                self._put(("prices", symbol), begun)
        for symbol in candles:
            if symbol in self.kept_candles:
                self.kept_candles[symbol].clear()
                self._put(("candles", symbol), begun)
        self._reference = {}
