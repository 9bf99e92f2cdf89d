"""What answers and failures come to, without any exchange: time is turned by hand."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from scanner.errors import BadAnswer, Banned, RateLimited, UnknownSymbol, Unreachable
from scanner.gateway.budget import Budget
from scanner.gateway.condition import Condition
from scanner.gateway.purse import Purse, purse_of
from scanner.gateway.specs import ExchangeSpec

DOWN = Unreachable("x: no answer")
INTERVAL_S = 5.0


class Bench:
    """A condition on a purse of its own, and the hand on its clock."""

    def __init__(self, state_dir: Path | None = None) -> None:
        self.now = 1000.0
        spec = ExchangeSpec("x", "binance", state_dir=state_dir)
        self.purse: Purse = purse_of(Budget(100, 60.0), spec, lambda: self.now)
        self.condition = Condition("x", self.purse, INTERVAL_S, lambda: self.now)

    def fail(self, *failures):
        for failure in failures:
            asyncio.run(self.condition.failed(failure))

    @property
    def word(self):
        return self.condition.state()[0]


@pytest.fixture
def bench():
    return Bench()


def test_it_is_live_once_it_is_listed_and_has_data(bench):
    assert bench.word == "connecting"
    bench.condition.listed(None)
    assert bench.word == "connecting"
    bench.condition.has_prices(7)
    assert (bench.word, bench.condition.health.last_data_ms) == ("live", 7)


def test_after_three_failures_nobody_is_admitted_until_one_probe_is(bench):
    bench.fail(DOWN, BadAnswer("x: half an answer"), DOWN)
    assert not bench.condition.admit()
    bench.now += bench.condition.wait_s()
    assert [bench.condition.admit(), bench.condition.admit()] == [True, False]
    bench.condition.not_asked()
    assert bench.condition.admit()
    bench.condition.answered()
    assert [bench.condition.admit(), bench.condition.admit()] == [True, True]


def test_a_denied_symbol_is_an_answer_and_asks_for_a_new_list(bench):
    bench.fail(DOWN, DOWN, UnknownSymbol("x: no such symbol"), DOWN, DOWN)
    assert bench.condition.admit()
    assert bench.condition.denied.is_set()


def test_data_that_were_on_their_way_do_not_hide_that_it_asks_to_wait(bench):
    bench.condition.listed(None)
    bench.fail(RateLimited("x: HTTP 429", 30.0))
    bench.condition.has_no_prices(RateLimited("x: HTTP 429", 30.0))
    bench.condition.has_prices(7)
    bench.condition.swept(8, [])
    assert (bench.word, bench.condition.health.last_data_ms) == ("limited", None)
    assert not bench.condition.is_welcome()
    bench.now += 33.1  # 30 s, and up to a tenth more
    assert bench.condition.is_welcome()


def test_one_answer_with_candles_is_enough_whatever_else_failed(bench):
    bench.condition.listed(None)
    bench.condition.swept(None, [DOWN])
    assert bench.condition.state() == ("down", "x: no answer")
    bench.condition.swept(7, [DOWN, DOWN])
    assert bench.word == "live"


def test_a_change_of_state_is_logged_once(bench, caplog):
    caplog.set_level(logging.INFO, "scanner.gateway.condition")
    bench.condition.listed(None)
    bench.condition.has_prices(7)
    bench.condition.has_prices(8)
    bench.now += 3 * INTERVAL_S + 0.1
    bench.condition.look()
    bench.condition.look()
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [("INFO", "x is live: ok"), ("WARNING", "x is late: no data for 15 s")]


def test_what_one_process_was_told_the_next_hears_before_it_asks(tmp_path):
    first, second = Bench(tmp_path), Bench(tmp_path)
    first.fail(Banned("x: HTTP 418", 60.0))
    assert second.condition.admit()
    asyncio.run(second.condition.hear())
    assert not second.condition.admit()
    assert second.condition.state() == ("banned", "x: HTTP 418")
    assert second.condition.wait_s() > 55
