"""What every test owes: nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.waiting import wait_for


@pytest.fixture(autouse=True, scope="module")
def no_thread_is_left_behind() -> Iterator[None]:
    """Fails the module whose tests leave a thread; fixtures of a module may keep some until its end."""
    before = set(threading.enumerate())
    yield

    def gone() -> bool:
        return not [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]

    wait_for(gone, 10, f"threads left behind: {[t.name for t in threading.enumerate() if t not in before]}")
