"""Start and stop leave nothing behind."""

from __future__ import annotations

import os
import threading

from scanner.simulated import SimulatedExchange
from tests.simulated.conftest import ask
from tests.waiting import wait_for


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


async def ping(binance, kucoin):
    return await binance.publicGetPing(), (await kucoin.fetch_status())["status"]


def test_stop_leaves_no_thread_and_no_socket(market, clock):
    ask_once = SimulatedExchange(market, clock).start()
    ask(ask_once, ping)
    assert ask_once.stop(60)
    threads, files = threading.active_count(), open_files()
    for _ in range(20):
        with SimulatedExchange(market, clock) as exchange:
            assert ask(exchange, ping) == ({}, "ok")
        wait_for(lambda: not exchange.is_running)
    wait_for(lambda: threading.active_count() <= threads)
    wait_for(lambda: open_files() <= files)


def test_stop_may_be_called_twice_and_before_start(market, clock):
    exchange = SimulatedExchange(market, clock)
    assert exchange.stop()
    with exchange:
        assert exchange.is_running
    assert exchange.stop(60)


def test_an_exchange_can_be_started_again(market, clock):
    exchange = SimulatedExchange(market, clock)
    for _ in range(2):
        with exchange:
            assert ask(exchange, ping)[1] == "ok"


def test_two_exchanges_run_side_by_side(exchange_of):
    first, second = exchange_of(), exchange_of()
    assert first.url != second.url
    assert ask(first, ping) == ask(second, ping)
    assert first.requests == second.requests
