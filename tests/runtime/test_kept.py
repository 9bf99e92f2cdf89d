"""What can be read of a data folder before any run, and when that is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from scanner.clock import ManualClock
from scanner.config import StreamConfig
from scanner.errors import InvalidInput, NothingStored, NotRunning
from scanner.renames import KNOWN
from scanner.runtime.kept import Kept
from scanner.runtime.latest import Latest
from scanner.store.reader import StoreReader

NOON = 1_761_307_200_000  # 2025-10-24T12:00:00Z


class Running(Latest):
    """A run of the usual styles."""

    styles = StreamConfig().styles


def kept(folder: Path) -> Kept:
    return Kept(StoreReader(folder), Latest, KNOWN)


def test_where_nothing_was_ever_scanned_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="POST a start first"):
        kept(tmp_path).newest_signals()
    assert kept(tmp_path).gaps() == []


def test_features_of_the_future_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^as_of: .* has not come yet"):
        kept(tmp_path).features("BTC/USDT", as_of_ms=4_000_000_000_000)


def test_what_has_not_passed_on_an_exchange_is_the_future_too(tmp_path: Path) -> None:
    """Signals are stamped by the exchange's clock: one that is behind ours still adds to the moments before ours."""
    store, venue = StoreReader(tmp_path), SimpleNamespace(clock=ManualClock(NOON))
    run = SimpleNamespace(venue=venue, store=store, now_ms=lambda: NOON - 60_000)
    reading = Kept(store, lambda: Running(run, is_running=True), KNOWN)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="has not come yet, it is 2025-10-24T11:59:00"):
        reading.features("BTC/USDT", as_of_ms=NOON - 59_999)
    with pytest.raises(NothingStored):
        reading.features("BTC/USDT", as_of_ms=NOON - 60_000)


@pytest.mark.parametrize("style", ["5 m", "hourly"])
def test_a_timeframe_is_one_or_a_style(tmp_path: Path, style: str) -> None:
    with pytest.raises(InvalidInput, match=r"^timeframe: "):
        kept(tmp_path).training_data("BTC/USDT", timeframe=style)
