"""Starting and stopping: nothing stays behind, whatever the exchange does."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time

import pytest

from scanner.clock import ManualClock
from scanner.errors import NotRunning
from scanner.gateway import CandleRequest, Gateway
from scanner.gateway.loop import LoopThread
from scanner.markets import Market
from tests.gateway import double as ways
from tests.gateway.conftest import SYMBOLS, open_files
from tests.gateway.double import NOW_MS
from tests.gateway.test_faults import FOR_EVER_S
from tests.gateway.test_gateway import candles, prices
from tests.waiting import AT_ONCE_S, wait_for


@pytest.mark.parametrize("path", ["/api/v3/exchangeInfo", "/api/v3/ticker", "/api/v3/klines"])
def test_stop_is_quick_while_an_exchange_hangs(double, gateway_of, path, caplog):
    double.faults[path] = ways.hang
    gateway = gateway_of(double.binance, double.kucoin, timeout_s=FOR_EVER_S)
    request = CandleRequest(Market("binance", "BTC/USDT"), "5m", NOW_MS, 1)

    def ask() -> None:
        prices(gateway, FOR_EVER_S)
        candles(gateway, request, deadline_s=FOR_EVER_S)

    waiting = threading.Thread(target=ask)
    waiting.start()
    wait_for(lambda: any(called.startswith(path) for called, _ in double.calls))
    began = time.monotonic()
    gateway.stop(FOR_EVER_S)
    waiting.join(AT_ONCE_S)
    assert time.monotonic() - began < AT_ONCE_S
    assert not waiting.is_alive()
    gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and "hang" not in record.msg]


def test_stop_ends_an_iterator_in_use_at_once(double, gateway_of):
    gateway = gateway_of(double.binance, double.kucoin, timeout_s=FOR_EVER_S)
    wait_for(lambda: all(gateway.markets().values()))
    double.faults["/api/v3/"] = ways.hang
    answers = gateway.prices(FOR_EVER_S)
    assert next(answers).exchange == "kucoinfutures"
    began = time.monotonic()
    gateway.stop(FOR_EVER_S)
    assert list(answers) == []
    assert time.monotonic() - began < AT_ONCE_S


def test_a_stopped_gateway_answers_nothing_but_keeps_its_word(double, gateway_of):
    gateway = gateway_of(double.binance)
    prices(gateway)
    gateway.stop()
    gateway.stop()
    request = CandleRequest(Market("binance", "BTC/USDT"), "5m", NOW_MS, 1)
    assert prices(gateway) == {}
    assert candles(gateway, request) == {}
    assert gateway.markets()["binance"]
    assert gateway.states()["binance"].last_data_ms == NOW_MS


def test_a_gateway_that_never_ran_can_be_stopped(double):
    gateway = Gateway([double.binance], SYMBOLS, ManualClock(NOW_MS), timeframes=["5m"])
    gateway.stop()
    assert prices(gateway) == {}


def test_two_hundred_lives_leave_nothing(double, caplog):
    def live(count):
        for i in range(count):
            gateway = Gateway([double.binance, double.kucoin], SYMBOLS, ManualClock(NOW_MS), timeframes=["5m"])
            gateway.start()
            if i % 10 == 0:
                assert gateway.wait_ready(30)
                prices(gateway)
            gateway.stop(FOR_EVER_S)

    live(10)
    gc.collect()
    threads, files = threading.active_count(), open_files()
    live(190)
    gc.collect()
    wait_for(lambda: threading.active_count() <= threads and open_files() <= files)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_task_that_will_not_end_does_not_hold_up_stop():
    loop = LoopThread("stubborn")
    loop.start()
    began, go_on = threading.Event(), threading.Event()

    async def stubborn():
        began.set()
        go_on.wait()  # blocks the loop itself

    loop.submit(stubborn())
    assert began.wait(30)
    assert not loop.stop(0.2)
    go_on.set()


def test_work_for_a_stopped_loop_is_refused():
    async def work():
        return 1

    loop = LoopThread("short")
    loop.start()
    assert loop.submit(work()).result(30) == 1
    assert loop.stop(30)
    with pytest.raises(NotRunning):
        loop.submit(work())
    with pytest.raises(NotRunning):
        loop.start()


def test_a_deadline_cancels_the_work():
    import asyncio

    loop = LoopThread("deadline")
    loop.start()
    with pytest.raises(TimeoutError):
        loop.submit(asyncio.sleep(FOR_EVER_S), 0.05).result()
    assert loop.stop(30)


def test_a_task_that_has_just_been_made_begins_before_it_is_cancelled():
    """Such a task may hold a connection that was just accepted; cancelled before it begins it would not close it."""
    ended = []

    async def holding() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    async def farewell() -> None:
        tasks.append(asyncio.create_task(holding()))

    tasks: list[asyncio.Task[None]] = []
    thread = LoopThread("test")
    thread.start()
    assert thread.stop(30, farewell)
    assert ended == [True]
