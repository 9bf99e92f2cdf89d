"""One job after another: order, joining, bounds, failures, an end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from scanner.errors import Busy, NotRunning
from scanner.runtime.base.jobs import JobQueue
from tests.waiting import wait_for


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    queue = JobQueue("jobs", most=2)
    yield queue
    assert queue.close(30)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Shut until a test, or its end, opens it."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_jobs_run_in_order_never_together(queue: JobQueue) -> None:
    seen: list[tuple[int, int]] = []
    tickets = [queue.submit(i, lambda i=i: seen.append((i, threading.active_count()))) for i in range(2)]
    for ticket in tickets:
        ticket.outcome.result(30)
    assert [i for i, _ in seen] == [0, 1]


def test_the_same_job_is_joined_while_it_runs_and_while_it_waits(queue: JobQueue, gate: threading.Event) -> None:
    first = queue.submit("a", gate.wait)
    waiting = queue.submit("b", lambda: "b")
    assert queue.submit("a", lambda: "another a") == (first.outcome, 0, True)
    assert queue.submit("b", lambda: "another b") == (waiting.outcome, 1, True)
    assert (first.ahead, waiting.ahead, queue.waiting) == (0, 1, 1)
    gate.set()
    assert waiting.outcome.result(30) == "b"
    wait_for(lambda: not queue.is_busy)
    assert queue.submit("a", lambda: "once more").outcome.result(30) == "once more"


def test_only_so_many_may_wait(queue: JobQueue, gate: threading.Event) -> None:
    for name in "abc":
        queue.submit(name, gate.wait)
    with pytest.raises(Busy):
        queue.submit("d", gate.wait)
    assert queue.submit("c", gate.wait).joined


def test_a_failure_is_its_own_and_the_next_job_runs(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    failing = queue.submit("bad", lambda: 1 / 0)
    good = queue.submit("good", lambda: 7)
    with pytest.raises(ZeroDivisionError):
        failing.outcome.result(30)
    assert good.outcome.result(30) == 7
    assert "a job failed" in caplog.text


def test_the_thread_ends_when_there_is_nothing_to_do(queue: JobQueue) -> None:
    queue.submit("a", lambda: None).outcome.result(30)
    wait_for(lambda: "jobs" not in {thread.name for thread in threading.enumerate()})


def test_dropping_cancels_what_waits_and_spares_what_runs(queue: JobQueue, gate: threading.Event) -> None:
    running, waiting = queue.submit("a", gate.wait), queue.submit("b", gate.wait)
    queue.drop_waiting()
    with pytest.raises(CancelledError):
        waiting.outcome.result(30)
    gate.set()
    assert running.outcome.result(30) is True


def test_closing_waits_for_a_deadline_and_takes_no_more(gate: threading.Event) -> None:
    queue = JobQueue("jobs", most=2)
    queue.submit("a", gate.wait)
    assert queue.close(0.05) is False
    with pytest.raises(NotRunning):
        queue.submit("b", gate.wait)
    gate.set()
    assert queue.close(30) is True
