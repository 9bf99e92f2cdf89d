"""How long is waited before another try, and what is never tried again."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from scanner.errors import Banned, RateLimited, RefusedRegion, UnknownSymbol, Unreachable, Unsupported
from scanner.gateway.budget import Budget
from scanner.gateway.patience import Patience, PatientAsker, Rest
from scanner.gateway.purse import Purse

PATIENCE = Patience(delay_s=2.0, limited=3, pause_s=60)
GONE = Unreachable("gone")


def test_pauses_grow_with_the_tries():
    assert [Rest().after(GONE, attempt, PATIENCE, 100.0) for attempt in (1, 2)] == [(Rest(), 2.0), (Rest(), 4.0)]


def test_an_exchange_that_says_how_long_to_wait_is_believed():
    assert [Rest().after(RateLimited("slow", wait_s), 2, PATIENCE, 100.0)[1] for wait_s in (7.0, 1.0, None)] == [
        7,
        4,
        4,
    ]


def test_too_many_refusals_make_everybody_pause():
    rest, pauses = Rest(), []
    for now in (100.0, 101.0, 102.0):
        assert rest.until == 0.0
        rest, pause_s = rest.after(RateLimited("slow down", 7.0), 1, PATIENCE, now)
        pauses.append(pause_s)
    assert pauses == [7.0] * 3
    assert rest == Rest(limited=3, until=162.0)
    assert rest.after(GONE, 2, PATIENCE, 103.0) == (rest, 4.0)


def asker(attempts=3, **client):
    budget = Budget(10, 60.0)
    patience = Patience(timeout_s=0.05, attempts=attempts, delay_s=0.0)
    return PatientAsker("x", SimpleNamespace(**client), Purse(budget, None, time.monotonic), patience)


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (GONE, 3),
        (RateLimited("x: 429"), 3),
        (Banned("x: 418"), 1),
        (RefusedRegion("x: 451"), 1),
        (UnknownSymbol("x: no such symbol"), 1),
        (Unsupported("x: no such call"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_another_try_may_help_is_tried_again(failure, tries):
    made = []

    async def ask():
        made.append(1)
        raise failure

    with pytest.raises(type(failure)):
        asyncio.run(asker().persistently(ask))
    assert len(made) == tries


def test_an_answer_that_does_not_come_in_time_is_a_failure_and_its_weight_is_counted():
    async def fetch_time():
        await asyncio.Event().wait()

    patient = asker(fetch_time=fetch_time)
    with pytest.raises(Unreachable, match="x: no answer in time"):
        asyncio.run(patient.once(4, "fetch_time"))
    assert patient.purse.budget.used(time.monotonic()) == 4
