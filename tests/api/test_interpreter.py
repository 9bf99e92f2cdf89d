"""A serving process does not walk its long-lived objects over and over."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from scanner.api.interpreter import SWITCH_S, collections_kept_short, share_interpreter


class Steps:
    """A clock on which every collection takes as long as told."""

    def __init__(self, each_s: float) -> None:
        self._now_s, self._each_s = 0.0, each_s

    def __call__(self) -> float:
        self._now_s += self._each_s
        return self._now_s


@pytest.fixture(autouse=True)
def no_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told to the C library cannot be taken back."""
    monkeypatch.setattr("scanner.api.interpreter.bound_heaps", lambda: None)


@pytest.fixture
def as_before() -> Iterator[None]:
    callbacks, interval = list(gc.callbacks), sys.getswitchinterval()
    yield
    gc.callbacks[:] = callbacks
    sys.setswitchinterval(interval)
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(("takes_s", "frozen"), [(0.019, False), (0.021, True)])
def test_what_survives_a_long_collection_is_not_walked_again(takes_s: float, frozen: bool) -> None:
    gc.callbacks.append(collections_kept_short(0.02, Steps(takes_s)))
    gc.collect()
    assert (gc.get_freeze_count() > 0) is frozen


@pytest.mark.usefixtures("as_before")
def test_collections_of_young_objects_are_left_alone() -> None:
    gc.callbacks.append(collections_kept_short(0.02, Steps(1.0)))
    gc.collect(0)
    gc.collect(1)
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("as_before")
def test_a_serving_process_switches_often() -> None:
    share_interpreter()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
