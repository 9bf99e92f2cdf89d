"""Gateways that share an account: none overspends, a ban is everybody's, and a bad file stops nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from scanner.errors import Banned
from scanner.gateway.account import Account
from scanner.gateway.budget import Budget, OverBudget
from scanner.gateway.purse import Purse
from tests.gateway import double as ways
from tests.gateway.test_gateway import prices
from tests.waiting import wait_for

IMPATIENCE_S = 0.3


@pytest.fixture
def shared(double, tmp_path):
    return replace(double.binance, state_dir=tmp_path / "state")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A disk that is only slow for a while is waited for."""
    monkeypatch.setattr("scanner.gateway.purse.PATIENCE_S", 60.0)


@pytest.fixture
def impatient(monkeypatch, patient):
    monkeypatch.setattr("scanner.gateway.purse.PATIENCE_S", IMPATIENCE_S)


def purse(tmp_path, limit: int = 100, kept: int = 0) -> Purse:
    return Purse(Budget(limit, 60, 1.0, kept), Account(tmp_path, "binance", 60), time.monotonic)


def test_a_running_process_hears_of_a_ban_without_asking(double, shared, gateway_of):
    one, other = gateway_of(shared), gateway_of(shared)
    assert "binance" in prices(one)
    assert "binance" in prices(other)
    double.faults["/api/v3/"] = ways.status(418, retry_after="600")
    assert prices(one) == {}
    asked = len(double.calls)
    assert prices(other) == {}
    assert other.states()["binance"].state == "banned"
    assert "HTTP 418" in other.states()["binance"].cause
    assert len(double.calls) == asked


def test_a_ban_outlives_the_process(double, shared, gateway_of):
    double.faults["/api/v3/"] = ways.status(418, retry_after="600")
    gateway = gateway_of(shared, ready=False)
    wait_for(lambda: gateway.states()["binance"].state == "banned")
    gateway.stop()
    double.faults.clear()
    asked = len(double.calls)
    later = gateway_of(shared, ready=False)
    wait_for(lambda: later.states()["binance"].state == "banned")
    assert not later.wait_ready(0.2)
    assert len(double.calls) == asked


def test_status_tells_that_weight_is_shared_and_with_how_many(shared, gateway_of):
    one = gateway_of(shared)
    prices(one)
    assert one.states()["binance"].weight.shared
    other = gateway_of(shared)
    prices(other)
    prices(one)
    weight = one.states()["binance"].weight
    assert (weight.processes, weight.cause, weight.allowance, weight.limit) == (2, None, 4200, 6000)
    assert weight.used >= 2 * 20


@pytest.mark.parametrize("content", ["[1, 2]", '{"format": "of another program"}'])
def test_a_foreign_file_stops_nothing_and_is_told(shared, gateway_of, content):
    shared.state_dir.mkdir()
    path = shared.state_dir / f"{shared.account.replace(':', '_')}.json"
    path.write_text(content)
    gateway = gateway_of(shared)
    assert "binance" in prices(gateway)
    assert not gateway.states()["binance"].weight.shared
    assert path.name in gateway.states()["binance"].weight.cause
    assert path.read_text() == content


def test_a_folder_that_is_none_stops_nothing_and_is_told(shared, gateway_of):
    shared.state_dir.write_text("a file")
    gateway = gateway_of(shared)
    assert "binance" in prices(gateway)
    assert "state" in gateway.states()["binance"].weight.cause


def test_purses_share_one_allowance(tmp_path):
    async def spend() -> int:
        purses = [purse(tmp_path) for _ in range(3)]
        spent = 0
        for _ in range(40):
            for each in purses:
                try:
                    await each.pay(3, time.monotonic() + 0.1, ahead=9)
                except OverBudget:
                    continue
                each.budget.settle(3, answered=True)
                spent += 3
        return spent

    assert 90 <= asyncio.run(spend()) <= 100


def test_what_is_kept_for_the_prices_of_one_is_not_spent_on_candles_of_another(tmp_path):
    async def spend() -> None:
        one, other = purse(tmp_path, kept=30), purse(tmp_path)
        await one.sync()
        await other.pay(70, time.monotonic())
        with pytest.raises(OverBudget):
            await other.pay(1, time.monotonic())
        await one.pay_now(30, kept=True)

    asyncio.run(spend())


def test_prices_find_their_weight_however_greedy_the_others_are(tmp_path):
    """What prices have spent comes back to prices, even when it does so unnoticed."""

    async def spend() -> None:
        now = time.monotonic()
        one = Purse(Budget(100, 60, 1.0, 30), Account(tmp_path, "binance", 60), lambda: now)
        other = purse(tmp_path)
        await one.pay_now(30, kept=True)
        for _ in range(7):
            await other.pay(10, time.monotonic() + 20)
        now += 61
        with pytest.raises(OverBudget):
            await other.pay(1, time.monotonic())
        await one.pay_now(30, kept=True)

    asyncio.run(spend())


class StuckAccount(Account):
    """A disk that does not answer until it is told to."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.begun, self.freed, self.asked = threading.Event(), threading.Event(), 0

    def exchange(self, said):
        self.asked += 1
        self.begun.set()
        self.freed.wait(60)
        return super().exchange(said)


@pytest.mark.usefixtures("impatient")
def test_a_disk_that_hangs_holds_up_one_request_for_a_moment(tmp_path):
    stuck = StuckAccount(tmp_path, "binance", 60)

    async def spend() -> Purse:
        own = Purse(Budget(100, 60, 1.0), stuck, time.monotonic)
        began = time.monotonic()
        others = asyncio.create_task(asyncio.sleep(0.01))
        await own.pay(1, began + 30)
        assert others.done()  # the loop was not held up
        assert time.monotonic() - began >= IMPATIENCE_S
        await own.pay(1, began + 30)
        assert stuck.asked == 1
        stuck.freed.set()
        return own

    state = asyncio.run(spend()).state()
    assert (state.shared, state.used) == (False, 2)
    assert "disk" in state.cause


async def _given_up(own: Purse, stuck: StuckAccount) -> None:
    """Begin a payment, and give it up while the disk is busy with it."""
    paying = asyncio.create_task(own.pay(1, time.monotonic() + 30))
    await asyncio.to_thread(stuck.begun.wait, 30)
    paying.cancel()
    await asyncio.gather(paying, return_exceptions=True)


def test_a_ban_is_told_although_an_earlier_write_still_runs(tmp_path):
    stuck = StuckAccount(tmp_path, "binance", 60)

    async def live() -> Purse:
        own = Purse(Budget(100, 60, 1.0), stuck, time.monotonic)
        await _given_up(own, stuck)
        asyncio.get_running_loop().call_later(0.1, stuck.freed.set)
        await own.tell(Banned("banned", 600.0), 600.0)
        return own

    own = asyncio.run(live())
    assert own.state().shared
    assert own.budget.granted(time.monotonic()) == 0  # nothing is spent that is not reserved
    other = purse(tmp_path)
    asyncio.run(other.sync())
    assert isinstance(other.shut_out("binance"), Banned)


@pytest.mark.usefixtures("impatient")
def test_state_says_that_weight_is_not_shared_while_an_earlier_write_hangs(tmp_path):
    stuck = StuckAccount(tmp_path, "binance", 60)

    async def live() -> Purse:
        own = Purse(Budget(100, 60, 1.0), stuck, time.monotonic)
        await _given_up(own, stuck)
        await own.sync()
        stuck.freed.set()
        return own

    state = asyncio.run(live()).state()
    assert (state.shared, state.cause) == (False, "no answer from the disk in 1 s")
