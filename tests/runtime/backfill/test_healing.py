"""A gap is backfilled once every market it concerns has its candles."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scanner.markets import Market
from scanner.runtime.backfill.healing import heal
from scanner.store import candle_file
from scanner.store.gaps import DOWN, NO_TRADE, Gap
from scanner.store.ohlcv import Rows
from scanner.store.store import TrainingStore
from scanner.timeframes import MINUTE_MS

FIVE = 5 * MINUTE_MS
DAWN = 1_761_264_000_000
BTC, ETH = Market("binance", "BTC/USDT"), Market("binance", "ETH/USDT")
ALL_DOWN = Gap("binance", None, DOWN, DAWN + 10 * FIVE, DAWN + 20 * FIVE, "the scan had ended")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TrainingStore]:
    with TrainingStore(tmp_path) as opened:
        opened.gaps.append([ALL_DOWN])
        yield opened


def keep(store: TrainingStore, market: Market, *slots: range) -> None:
    moments = DAWN + FIVE * np.concatenate([np.array(part) for part in slots])
    store.append_candles(market, "5m", moments, *np.ones((5, len(moments))))


def healed(store: TrainingStore) -> bool | None:
    heal(store, "binance", "5m")
    return next(gap.backfilled for gap in store.gaps.read() if gap.cause == DOWN)


def test_all_markets_have_it(store: TrainingStore) -> None:
    keep(store, BTC, range(30))
    keep(store, ETH, range(30))
    assert healed(store) is True


def test_one_market_still_lacks_it(store: TrainingStore) -> None:
    keep(store, BTC, range(30))
    keep(store, ETH, range(12), range(20, 30))
    assert healed(store) is False


def test_the_file_of_one_market_cannot_be_read(store: TrainingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, BTC, range(30))
    keep(store, ETH, range(30))
    store.flush()
    read = candle_file.read

    def refuse(path: Path, since_ms: int | None = None) -> Rows:
        if "ETHUSDT" in path.name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read(path, since_ms)

    monkeypatch.setattr(candle_file, "read", refuse)
    assert healed(store) is False


def test_one_market_ends_within_it(store: TrainingStore) -> None:
    keep(store, BTC, range(30))
    keep(store, ETH, range(15))
    assert healed(store) is False


def test_what_nobody_traded_is_not_lacking(store: TrainingStore) -> None:
    keep(store, BTC, range(12), range(13, 30))
    store.gaps.append([Gap("binance", "BTC/USDT", NO_TRADE, DAWN + 12 * FIVE, DAWN + 13 * FIVE)])
    assert healed(store) is True
