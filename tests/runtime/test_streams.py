"""The scheduler: cadence, no overlap, isolation, errors, a prompt end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from scanner.runtime.streams import Streams
from tests.waiting import wait_for


def nothing() -> None: ...


def misses_none(made: Streams, name: str, runs: int) -> bool:
    """Whether a stream gets to run so often without a miss; a machine that stands still has it begin anew."""
    began = made.figures()[name]

    def done() -> bool:
        nonlocal began
        now = made.figures()[name]
        if now["missed"] > began["missed"]:
            began = now
        return bool(now["runs"] >= began["runs"] + runs)

    return wait_for(done, what=f"{runs} runs of {name} in a row")


@pytest.fixture
def streams() -> Iterator[Callable[..., Streams]]:
    started: list[Streams] = []

    def begin(**jobs: tuple[float, Callable[[], None]]) -> Streams:
        made = Streams(jobs)
        started.append(made)
        made.start()
        return made

    yield begin
    for each in started:
        each.stop(30.0)


def test_every_stream_runs_at_once_and_again(streams: Callable[..., Streams]) -> None:
    made = streams(prices=(0.25, nothing), signals=(60, nothing))
    wait_for(lambda: made.figures()["prices"]["runs"] >= 3 and made.figures()["signals"]["runs"] >= 1)
    figures = made.figures()
    assert figures["signals"]["runs"] == 1
    assert figures["prices"]["last_error"] is None
    assert figures["prices"]["last_duration_s"] >= 0
    assert figures["prices"]["lag_s"] >= 0
    assert figures["prices"]["last_run"].endswith("+00:00")


def test_a_stream_may_say_itself_how_long_it_waits() -> None:
    made = Streams({"signals": (60, nothing)}, waits={"signals": lambda: 0.2})
    made.start()
    try:
        assert misses_none(made, "signals", 3)
    finally:
        assert made.stop(30.0) == []


def test_a_hung_stream_delays_no_other_and_never_overlaps_itself(streams: Callable[..., Streams]) -> None:
    release, entered = threading.Event(), []

    def hang() -> None:
        entered.append(1)
        release.wait(100)

    try:
        made = streams(hung=(0.25, hang), healthy=(0.25, nothing))
        wait_for(lambda: made.figures()["hung"]["missed"] >= 2)
        assert misses_none(made, "healthy", 4)
        assert len(entered) == 1
    finally:
        release.set()


def test_an_error_is_shown_logged_and_healed(streams: Callable[..., Streams], caplog: pytest.LogCaptureFixture) -> None:
    broken = threading.Event()
    broken.set()

    def job() -> None:
        if broken.is_set():
            raise ValueError("the cause")

    with caplog.at_level(logging.ERROR, logger="scanner.runtime.streams"):
        made = streams(signals=(0.25, job))
        wait_for(lambda: made.figures()["signals"]["last_error"] == "ValueError: the cause")
    assert "the cause" in caplog.text
    broken.clear()
    wait_for(lambda: made.figures()["signals"]["last_error"] is None)


def test_stop_leaves_no_thread_and_begins_nothing_new(streams: Callable[..., Streams]) -> None:
    before = set(threading.enumerate())
    made = streams(prices=(0.25, nothing), signals=(0.25, nothing))
    wait_for(lambda: made.figures()["signals"]["runs"] >= 1)
    assert made.stop(30.0) == []
    runs = made.figures()["prices"]["runs"]
    assert set(threading.enumerate()) <= before
    assert made.figures()["prices"]["runs"] == runs


def test_stop_names_the_stream_that_would_not_end(streams: Callable[..., Streams]) -> None:
    release = threading.Event()
    made = streams(hung=(60, lambda: release.wait(100)))
    wait_for(lambda: not made._idle["hung"].is_set())
    assert made.stop(0.1) == ["hung"]
    release.set()
    wait_for(lambda: not any(thread.name.startswith("stream-hung") for thread in threading.enumerate()))
