"""A signal cycle: what it tells when, of answers that come in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.clock import ManualClock
from scanner.gateway.answers import CandleRequest, CandleSweep, ExchangeState, Purpose, WeightState
from scanner.markets import Market
from scanner.runtime.book.books import Books
from scanner.runtime.cycles.signals import SignalCycle
from scanner.runtime.freshness import Intervals
from scanner.runtime.holding import Holdings
from scanner.runtime.recorder import Recorder
from scanner.runtime.state import State
from scanner.runtime.watch import GapWatch
from scanner.store.store import TrainingStore
from tests.runtime.book.test_book import BTC, CONFIG, ETH, NOW, STEP, Exchange


class Parted:
    """A gateway whose closes come in parts, the last market's apart; `shown` is what is known after each."""

    def __init__(self, state: State, clock: ManualClock) -> None:
        self.exchange, self.state, self.clock = Exchange(NOW + 40 * STEP), state, clock
        self.shown: list[set[tuple[Market, bool]]] = []
        self.asked: list[CandleRequest] = []
        self.unreachable_and_behind_ms = 0

    def markets(self) -> dict[str, tuple[Market, ...]]:
        return {"binance": (BTC, ETH)}

    def states(self) -> dict[str, ExchangeState]:
        weight = WeightState(0, 4200, 6000, 60.0)
        return {"binance": ExchangeState("binance", "live", None, 2, self.now_ms("binance"), weight, {})}

    def now_ms(self, exchange: str) -> int:
        return self.clock.now_ms() - self.unreachable_and_behind_ms

    def new_universes(self) -> list[Any]:
        return []

    def wait_ready(self, deadline_s: float) -> bool:
        return True

    def candles(self, requests: Iterable[CandleRequest], deadline_s: float) -> Iterator[CandleSweep]:
        self.asked = list(requests)
        if self.unreachable_and_behind_ms:
            yield CandleSweep("binance", [], self.asked, [])
            return
        answers = [self.exchange.answer(request, self.clock.now_ms()) for request in self.asked]
        parts = [answer for answer in answers if answer.request.purpose is Purpose.CLOSE][:-1]
        for part in parts:
            yield CandleSweep("binance", [part], [], [], is_last=False)
            self.shown.append(self.newest())
        yield CandleSweep("binance", [answer for answer in answers if answer not in parts], [], [])
        self.shown.append(self.newest())

    def newest(self) -> set[tuple[Market, bool]]:
        batches = self.state.current().newest.get(("binance", "5m"), ())
        return {(market, batch.closed) for batch in batches for market in batch.markets}


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[tuple[SignalCycle, Parted, ManualClock]]:
    clock, state, store = ManualClock(NOW), State(CONFIG.max_signals_per_market), TrainingStore(str(tmp_path))
    store.open()
    gateway = Parted(state, clock)
    cycle = SignalCycle(
        gateway,  # type: ignore[arg-type]
        Books(CONFIG, NOW, {}, store),
        state,
        Recorder(store, CONFIG),
        GapWatch(store.gaps),
        clock,
        20.0,
        evaluate=lambda: None,
        holdings=Holdings(state, Intervals(5_000, 30_000, 15_000)),
    )
    cycle()
    yield cycle, gateway, clock
    store.close(within_s=1)


def test_final_signals_of_a_part_are_told_before_the_rest_has_come(
    scan: tuple[SignalCycle, Parted, ManualClock],
) -> None:
    cycle, gateway, clock = scan
    gateway.shown.clear()
    clock.advance(STEP)
    cycle()
    assert gateway.shown == [{(BTC, True), (ETH, False)}, {(BTC, True), (ETH, True)}]
    kept = gateway.state.current().newest["binance", "5m"]
    assert len({int(batch.candle_time[0]) for batch in kept}) == 1


def test_what_an_earlier_run_has_told_is_not_told_again_by_one_whose_clock_was_behind(
    scan: tuple[SignalCycle, Parted, ManualClock],
) -> None:
    """Until it has heard the exchange's clock it takes candles for news that closed long before it began."""
    cycle, gateway, clock = scan
    for _ in range(3):
        clock.advance(STEP)
        cycle()
    told = finals_of(gateway.state)
    assert len(told) == 3 * len({BTC, ETH})
    state, after = begun_again(cycle, clock, simulated=False)
    after()
    assert not told & finals_of(state)
    clock.advance(STEP)
    after()
    assert len(finals_of(state) - told) >= len({BTC, ETH})


def test_a_first_look_that_nobody_answers_is_none(scan: tuple[SignalCycle, Parted, ManualClock]) -> None:
    """The clock of such a run is put right only later: until then it knows nothing of how far an earlier one came."""
    cycle, gateway, clock = scan
    for _ in range(3):
        clock.advance(STEP)
        cycle()
    state, after = begun_again(cycle, clock, simulated=False)
    assert isinstance(after._gateway, Parted)
    after._gateway.unreachable_and_behind_ms = 2 * STEP
    after()
    after._gateway.unreachable_and_behind_ms = 0
    after()
    assert not finals_of(gateway.state) & finals_of(state)


def test_what_an_earlier_run_has_told_of_a_simulation_is_told_again(
    scan: tuple[SignalCycle, Parted, ManualClock],
) -> None:
    """A recording that is replayed into the same folder once more has its signals shown and counted once more."""
    cycle, gateway, clock = scan
    clock.advance(STEP)
    cycle()
    told = finals_of(gateway.state)
    state, after = begun_again(cycle, clock, simulated=True)
    after()
    assert told
    assert told <= finals_of(state)


def test_the_disk_is_not_asked_about_candles_that_closed_after_the_first_look(
    scan: tuple[SignalCycle, Parted, ManualClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else can have told of them, and with thousands of markets it takes long."""
    cycle, gateway, clock = scan
    monkeypatch.setattr(TrainingStore, "has_final", lambda *args: pytest.fail("it was asked"))
    clock.advance(STEP)
    cycle()
    assert len(finals_of(gateway.state)) == len({BTC, ETH})


def begun_again(cycle: SignalCycle, clock: ManualClock, *, simulated: bool) -> tuple[State, SignalCycle]:
    """The cycle of a later run on the same folder that takes what closed long before it for news."""
    state, store = State(CONFIG.max_signals_per_market), cycle._recorder._store
    return state, SignalCycle(
        Parted(state, clock),  # type: ignore[arg-type]
        Books(CONFIG, clock.now_ms() - 20 * STEP, {"binance": simulated}, store),
        state,
        Recorder(store, CONFIG),
        GapWatch(store.gaps),
        clock,
        20.0,
        evaluate=lambda: None,
        holdings=Holdings(state, Intervals(5_000, 30_000, 15_000)),
    )


def finals_of(state: State) -> set[tuple[str, str]]:
    """Symbol and candle of every final 5m signal that was shown."""
    records = [record for each in state.history().values() for record in each if record["timeframe"] == "5m"]
    return {(record["symbol"], str(record["candle_time"])) for record in records if record["candle_closed"]}


def test_a_market_told_in_a_part_gets_its_live_signals_in_the_next_cycle(
    scan: tuple[SignalCycle, Parted, ManualClock],
) -> None:
    cycle, gateway, clock = scan
    clock.advance(STEP)
    cycle()
    clock.advance(30_000)
    cycle()
    assert gateway.shown[-1] == {(BTC, False), (ETH, False)}
