"""What was being scanned is scanned again by the next process, unless somebody stopped it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.config import StreamConfig
from scanner.errors import FolderInUse
from scanner.runtime.service import ScannerService
from scanner.settings import Settings

CONFIG = StreamConfig(scoring="calibrated", timeframes={"scalp": "5m", "swing": "1h"})
Opener = Callable[..., ScannerService]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Opener]:
    """Services on one data folder, as one process after another has them; each is ended."""
    made: list[ScannerService] = []

    def make(**settings: Any) -> ScannerService:
        defaults = {"simulated": True, "resume": True, "data_dir": str(tmp_path)}
        made.append(ScannerService(Settings(**{**defaults, **settings})))
        return made[-1]

    yield make
    for service in made:
        service.close()


def test_the_next_process_scans_the_same_in_the_same_way(process: Opener) -> None:
    first = process()
    first.start(first.order(["BTC/USDT", "eth-usdt"], ["simulatedfutures"], CONFIG))
    since = first.status()["wish_since"]
    assert (first.status()["resumed"], bool(since)) == (False, True)
    first.close()
    second = process()
    run = second.resume()
    assert run is not None
    assert first.run is not None
    assert run.order == first.run.order
    assert (second.status()["resumed"], second.status()["wish_since"]) == (True, since)
    second.close()
    assert process().resume() is not None


def test_a_stop_ends_the_wish(process: Opener) -> None:
    first = process()
    first.start(first.order(["BTC/USDT"]))
    first.stop()
    assert first.status()["wish_since"] is None
    assert process().resume() is None


def test_a_start_after_a_resumed_scan_is_a_wish_of_its_own(process: Opener) -> None:
    first = process()
    first.start(first.order(["BTC/USDT"]))
    first.close()
    second = process()
    second.resume()
    second.stop()
    second.start(second.order(["ETH/USDT"]))
    assert second.status()["resumed"] is False
    second.close()
    run = process().resume()
    assert run is not None
    assert run.order.symbols == ("ETH/USDT",)


def test_without_the_setting_wishes_are_neither_kept_nor_fulfilled(process: Opener, tmp_path: Path) -> None:
    first = process(resume=False)
    first.start(first.order(["BTC/USDT"]))
    first.close()
    assert not (tmp_path / "wish.json").exists()
    second = process()
    second.start(second.order(["BTC/USDT"]))
    second.close()
    assert process(resume=False).resume() is None
    assert process().resume() is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbols": []}, "symbols: [] is not a list"),
        ({"exchanges": ["replay"]}, "asks for a replay"),
        ({"exchanges": ["simulated", "binance"]}, "mixes real, simulated"),
        ({"config": {"momentum_bias": 2}}, "config.momentum_bias: 2 is not a number from 0 to 1"),
        ({"config": {"gone_since": 1}}, "config.gone_since: 1 is unknown"),
        ({"more": 1}, "is not an object of symbols or universe, exchanges, config"),
    ],
)
def test_an_order_that_is_no_longer_valid_is_told_and_starts_nothing(
    process: Opener, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    first = process()
    first.start(first.order(["BTC/USDT"]))
    first.close()
    wish = json.loads((tmp_path / "wish.json").read_text())
    wish["order"].update(change)
    (tmp_path / "wish.json").write_text(json.dumps(wish))
    second = process()
    assert second.resume() is None
    assert not second.running
    message = second.status()["message"]
    assert "What was being scanned cannot be resumed: " in message
    assert reason in message
    second.stop()
    assert not (tmp_path / "wish.json").exists()
    assert "cannot be resumed" not in second.status()["message"]


def test_a_damaged_wish_is_told_and_the_next_start_replaces_it(process: Opener, tmp_path: Path) -> None:
    (tmp_path / "wish.json").write_text("{")
    service = process()
    assert service.resume() is None
    assert "wish.json: is damaged" in service.status()["message"]
    service.start(service.order(["BTC/USDT"]))
    service.close()
    assert process().resume() is not None
    assert (tmp_path / "wish.json.corrupt-1").read_text() == "{"


def test_a_wish_is_left_alone_while_another_process_scans(process: Opener, tmp_path: Path) -> None:
    first = process()
    first.start(first.order(["BTC/USDT"]))
    second = process()
    with pytest.raises(FolderInUse):
        second.resume()
    second.stop()
    assert (tmp_path / "wish.json").exists()
