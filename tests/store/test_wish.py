"""The wish to run: kept whole or not at all, and never taken for something else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scanner.errors import StoreFailure
from scanner.store.store import TrainingStore
from scanner.store.wish import NAME, Wish, WishFile
from tests.store.making import BTC, NOON, listing, signal

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
WISH = Wish({"symbols": ["BTC/USDT"], "exchanges": ["binance"]}, SINCE)


def test_a_wish_is_read_as_it_was_kept_and_gone_once_cleared(tmp_path: Path) -> None:
    wish = WishFile(tmp_path)
    assert wish.read() is None
    wish.keep(WISH)
    assert WishFile(tmp_path).read() == WISH
    assert json.loads((tmp_path / NAME).read_text())["since"] == "2026-03-01T12:00:00+00:00"
    wish.clear()
    wish.clear()
    assert wish.read() is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"since": "2026-03-01T12:00:00+00:00"}',
        '{"since": "2026-03-01T12:00:00", "order": {}}',
        '{"since": 5, "order": {}}',
        '{"since": "soon", "order": {}}',
        '{"since": "2026-03-01T12:00:00+00:00", "order": []}',
        '{"since": "2026-03-01T12:00:00+00:00", "order": {}}' + " " * 1_000_000,
        "\x00\x01PAR1",
    ],
)
def test_what_is_no_wish_is_refused_and_set_aside_by_the_next_one(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    wish = WishFile(tmp_path)
    with pytest.raises(StoreFailure, match=r"wish\.json: is damaged or not the scanner's"):
        wish.read()
    wish.keep(WISH)
    assert wish.read() == WISH
    assert (tmp_path / f"{NAME}.corrupt-1").read_text() == content


def test_a_wish_that_cannot_be_kept_shows_in_the_health_and_is_kept_as_soon_as_it_can_be(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        (tmp_path / NAME).mkdir()
        store.wish.keep(WISH)
        assert "wish.json cannot be written" in store.health()["cause"]
        (tmp_path / NAME).rmdir()
        store.append_signals({BTC: [signal()]}, NOON)
        assert (store.health()["state"], store.wish.read()) == ("ok", WISH)


def test_a_wish_that_was_given_up_is_not_kept_later(tmp_path: Path) -> None:
    with TrainingStore(tmp_path) as store:
        (tmp_path / NAME).mkdir()
        store.wish.keep(WISH)
        store.wish.clear()
        assert store.health()["state"] == "degraded"
        (tmp_path / NAME).rmdir()
        store.wish.clear()
        store.wish.retry()
        assert (store.health()["state"], store.wish.read()) == ("ok", None)


def test_a_folder_that_is_not_ours_gets_no_wish(tmp_path: Path) -> None:
    TrainingStore(tmp_path).wish.keep(WISH)
    assert listing(tmp_path) == []


def test_a_killed_writer_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.tmp").write_text("{")
    with TrainingStore(tmp_path):
        assert f".{NAME}.tmp" not in listing(tmp_path)
