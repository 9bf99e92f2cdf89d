"""Candles of an exchange that has holes, caps and bad days, into a real folder."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scanner.errors import BadAnswer, ExchangeFailure, StoreFailure
from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep, WeightState
from scanner.markets import Market
from scanner.runtime.backfill.fetching import TRIES, Fetching
from scanner.runtime.backfill.progress import Meter
from scanner.runtime.backfill.reach import Reach
from scanner.store.candle_file import CandleFile
from scanner.store.gaps import NO_TRADE
from scanner.store.ohlcv import Rows
from scanner.store.store import TrainingStore
from scanner.timeframes import MINUTE_MS

FIVE = 5 * MINUTE_MS
DAWN = 1_761_264_000_000
NEW, OLD = Market("binance", "NEW/USDT"), Market("binance", "OLD/USDT")
LAST = 2999
REACH = {"5m": Reach("5m", DAWN, DAWN + 600 * FIVE, DAWN + LAST * FIVE)}


class Exchange:
    """Stands for the gateway: holds some candles of each market, by their slot since `DAWN`."""

    def __init__(self, **held: Iterable[int]) -> None:
        self.held = {Market("binance", f"{base}/USDT"): np.array(sorted(slots)) for base, slots in held.items()}
        self.asked: list[CandleRequest] = []
        self.deferring, self.goes_on = 0, False  # goes on behind holes until there are as many candles as asked for
        self.failing: dict[Market, ExchangeFailure] = {}

    def candles(self, requests: Sequence[CandleRequest], deadline_s: float) -> Iterator[CandleSweep]:
        sweep = CandleSweep("binance", [], [], [])
        for request in requests:
            if self.deferring:
                self.deferring -= 1
                sweep.deferred.append(request)
                continue
            self.asked.append(request)
            if request.market in self.failing:
                sweep.failures.append((request, self.failing[request.market]))
            else:
                sweep.answers.append(self._answer(request))
        yield sweep

    def _answer(self, request: CandleRequest) -> CandleAnswer:
        first = (request.since_ms - DAWN) // FIVE
        slots = self.held[request.market]
        slots = slots[slots >= first][: request.limit]
        slots = slots if self.goes_on else slots[slots < first + request.limit]
        price = 100.0 + slots
        return CandleAnswer(request, DAWN + slots * FIVE, price, price, price, price, price, DAWN + (LAST + 2) * FIVE)

    def states(self) -> dict[str, SimpleNamespace]:
        return {"binance": SimpleNamespace(state="live", cause=None, weight=WeightState(7, 4200, 6000, 60.0))}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrainingStore]:
    with TrainingStore(tmp_path) as opened:
        yield opened


def fetched(exchange: Exchange, store: TrainingStore, stopping: threading.Event | None = None) -> Fetching:
    exchange.asked.clear()
    markets = list(exchange.held)
    work = Fetching("binance", markets, REACH, exchange, store, Meter(), stopping or threading.Event())  # type: ignore[arg-type]
    work()
    return work


def refusing(read: Callable[..., Rows], which: Market) -> Callable[..., Rows]:
    """As `read`, but for the file of one market."""

    def candles(market: Market, timeframe: str, since_ms: int = 0) -> Rows:
        if market == which:
            raise StoreFailure("ohlcv/new: cannot be read: Permission denied")
        return read(market, timeframe, since_ms)

    return candles


def slots(store: TrainingStore, market: Market) -> list[int]:
    return ((store.candles(market, "5m").open_time - DAWN) // FIVE).tolist()


def test_all_of_a_history_is_fetched_once(store: TrainingStore) -> None:
    exchange = Exchange(OLD=range(LAST + 1))
    work = fetched(exchange, store)
    assert slots(store, OLD) == list(range(LAST + 1))
    assert (work.report.candles["5m"], work.report.requests, work.incomplete) == (LAST + 1, 3, {})
    assert work.report.weight == {"binance": (7, 4200, 60.0)}
    again = fetched(exchange, store)
    assert (exchange.asked, again.report.held["5m"]) == ([], LAST + 1)


def test_only_what_is_missing_is_asked_for(store: TrainingStore) -> None:
    held = np.array([slot for slot in range(LAST + 1) if slot not in {40, 41, 2500}])
    store.append_candles(OLD, "5m", DAWN + held * FIVE, *(np.ones((5, len(held)))))
    exchange = Exchange(OLD=range(LAST + 1))
    fetched(exchange, store)
    assert [((ask.since_ms - DAWN) // FIVE, ask.limit) for ask in exchange.asked] == [(40, 2), (2500, 1)]
    assert slots(store, OLD) == list(range(LAST + 1))


def test_holes_of_the_exchange_are_no_trade_and_not_asked_for_again(store: TrainingStore) -> None:
    holes = {100, 101, 1700}
    exchange = Exchange(OLD=set(range(LAST + 1)) - holes)
    fetched(exchange, store)
    found = [(hole.cause, (hole.from_ms - DAWN) // FIVE) for hole in store.holes(OLD, "5m")]
    assert found == [(NO_TRADE, 100), (NO_TRADE, 1700)]
    fetched(exchange, store)
    assert exchange.asked == []


def test_candles_of_an_exchange_that_goes_on_behind_holes_are_counted_once(store: TrainingStore) -> None:
    exchange = Exchange(OLD=[*range(300), *range(1500, LAST + 1)])
    exchange.goes_on = True
    work = fetched(exchange, store)
    assert work.report.candles["5m"] == len(slots(store, OLD)) == len(exchange.held[OLD])


def test_the_time_before_a_listing_is_told_and_not_asked_for_again(store: TrainingStore) -> None:
    exchange = Exchange(NEW=range(1234, LAST + 1), OLD=range(LAST + 1))
    work = fetched(exchange, store)
    assert work.report.begins_ms == {"binance:NEW/USDT 5m": DAWN + 1234 * FIVE}
    fetched(exchange, store)
    assert exchange.asked == []


def test_silence_at_the_end_is_no_trade_where_others_trade(store: TrainingStore) -> None:
    exchange = Exchange(NEW=range(2900), OLD=range(LAST + 1))
    fetched(exchange, store)
    (gap,) = store.gaps.read()
    assert (gap.symbol, gap.cause, gap.from_ms, gap.to_ms) == (
        "NEW/USDT",
        NO_TRADE,
        DAWN + 2900 * FIVE,
        DAWN + 3000 * FIVE,
    )


def test_what_did_not_fit_into_the_budget_is_asked_for_again(store: TrainingStore) -> None:
    exchange = Exchange(OLD=range(LAST + 1))
    exchange.deferring = 2
    assert fetched(exchange, store).incomplete == {}
    assert slots(store, OLD) == list(range(LAST + 1))


def test_a_market_that_fails_is_its_own_and_is_told(store: TrainingStore) -> None:
    exchange = Exchange(NEW=[], OLD=range(LAST + 1))
    exchange.failing[NEW] = BadAnswer("binance:NEW/USDT: nonsense")
    work = fetched(exchange, store)
    assert work.incomplete == {(NEW, "5m"): "binance:NEW/USDT: nonsense"}
    assert sum(ask.market == NEW for ask in exchange.asked) == 3 * TRIES
    assert slots(store, OLD) == list(range(LAST + 1))
    assert store.gaps.read() == []


def test_a_file_that_cannot_be_read_costs_its_market_alone(
    store: TrainingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = Exchange(NEW=range(LAST + 1), OLD=range(LAST + 1))
    with monkeypatch.context() as broken:
        broken.setattr(store, "candles", refusing(store.candles, NEW))
        work = fetched(exchange, store)
        assert work.incomplete == {(NEW, "5m"): "ohlcv/new: cannot be read: Permission denied"}
    assert {ask.market for ask in exchange.asked} == {OLD}
    assert slots(store, OLD) == list(range(LAST + 1))
    assert fetched(exchange, store).incomplete == {}
    assert {ask.market for ask in exchange.asked} == {NEW}


def test_a_file_that_cannot_be_written_costs_its_market_alone(store: TrainingStore) -> None:
    exchange = Exchange(NEW=range(LAST + 1), OLD=range(LAST + 1))
    path = store.ohlcv_path / "binance_NEWUSDT_5m.parquet"
    path.mkdir()
    told = {(NEW, "5m"): f"ohlcv/{path.name} cannot be written: {path.name} is a folder"}
    assert fetched(exchange, store).incomplete == told
    assert slots(store, OLD) == slots(store, NEW) == list(range(LAST + 1))
    assert fetched(exchange, store).incomplete == told
    assert exchange.asked == []
    path.rmdir()
    assert fetched(exchange, store).incomplete == {}
    assert exchange.asked == []
    assert path.is_file()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EMFILE])
def test_a_folder_that_cannot_be_written_to_ends_it(
    code: int, store: TrainingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    exchange = Exchange(**{f"M{number}": range(LAST + 1) for number in range(40)})
    monkeypatch.setattr(CandleFile, "write", refuse)
    with pytest.raises(StoreFailure, match=os.strerror(code)):
        fetched(exchange, store)
    assert len(exchange.asked) < 40


def test_nothing_is_asked_for_after_a_stop(store: TrainingStore) -> None:
    stopping, exchange = threading.Event(), Exchange(OLD=range(LAST + 1))
    stopping.set()
    fetched(exchange, store, stopping)
    assert exchange.asked == []
