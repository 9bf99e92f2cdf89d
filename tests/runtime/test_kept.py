"""What can be read of a data folder before any run, and when that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.errors import InvalidInput, NotRunning
from scanner.renames import KNOWN
from scanner.runtime.kept import Kept
from scanner.runtime.latest import Latest
from scanner.store.reader import StoreReader


def kept(folder: Path) -> Kept:
    return Kept(StoreReader(folder), Latest, KNOWN)


def test_where_nothing_was_ever_scanned_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="POST a start first"):
        kept(tmp_path).newest_signals()
    assert kept(tmp_path).gaps() == []


def test_features_of_the_future_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^as_of: .* has not come yet"):
        kept(tmp_path).features("BTC/USDT", as_of_ms=4_000_000_000_000)


@pytest.mark.parametrize("style", ["5 m", "hourly"])
def test_a_timeframe_is_one_or_a_style(tmp_path: Path, style: str) -> None:
    with pytest.raises(InvalidInput, match=r"^timeframe: "):
        kept(tmp_path).training_data("BTC/USDT", timeframe=style)
