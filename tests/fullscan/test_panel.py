"""The full scan on candles that are held, without a run around it."""

from __future__ import annotations

import numpy as np
import pytest

from scanner.core.candles import Candles
from scanner.fullscan import panel
from scanner.fullscan.frames import windows_of
from scanner.fullscan.panel import PanelScanner
from scanner.fullscan.scan import scan_frames
from scanner.markets import Market
from tests.fullscan.making import HOUR_MS, NOW_MS
from tests.fullscan.test_scan import ORDER, varied


class Held:
    """Markets as a run holds them, 500 candles each."""

    exchange, timeframe, simulated = "binance", "1h", False

    def __init__(self, frames):
        self.markets = [Market("binance", symbol) for symbol in frames]
        self.windows = windows_of(frames)
        self.asked = []

    def window(self, rows, length):
        self.asked.append((len(rows), length))
        times = NOW_MS - HOUR_MS * np.arange(length, 0, -1)
        return times, Candles(*(column.copy() for column in self.windows.rows(rows).last(length).columns()))


@pytest.fixture(scope="module")
def frames():
    return varied(80, rows=500)


def test_the_best_are_found_without_a_close_look_at_any_other(frames, monkeypatch):
    monkeypatch.setattr(panel, "SHORTLIST", 1)
    every = [row["symbol"] for row in scan_frames(frames, ORDER).rows]
    found = PanelScanner(top_n=4)([Held(frames)], NOW_MS, deadline_s=60)
    assert [row["symbol"] for row in found] == every[:4]


def test_many_markets_are_estimated_part_by_part_and_those_without_trade_not_at_all(frames, monkeypatch):
    monkeypatch.setattr(panel, "AT_ONCE", 30)
    held, still = Held(frames), [3, 40, 79]
    held.windows.volume[still] = 0.0
    found = PanelScanner(top_n=30)([held], NOW_MS, deadline_s=60)
    assert held.asked == [(30, 500), (30, 500), (20, 500), (77, 500)]
    assert not {held.markets[row].symbol for row in still} & {row["symbol"] for row in found}
    assert len(found) == 30


def test_nothing_held_finds_nothing(frames):
    silent = Held(frames)
    silent.windows.volume[:] = 0.0
    nobody = Held(dict(list(frames.items())[:1]))
    nobody.markets = []
    assert PanelScanner()([silent, nobody], NOW_MS, deadline_s=60) == []
