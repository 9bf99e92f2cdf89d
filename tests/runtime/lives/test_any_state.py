"""A scan, a backfill and an answer bear whatever state an earlier life has left a data folder in.

The same few lives each time. To look for others take out `derandomize` and raise `max_examples`: one takes a second.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from scanner.config import StreamConfig
from scanner.markets import Market
from scanner.store.names import LOCK
from scanner.timeframes import DAY_MS, HOUR_MS, MINUTE_MS
from tests.runtime.lives.exchange import BEGIN_MS, MODES, WHOLE
from tests.runtime.lives.life import Life

SYMBOLS = ("BTC/USDT", "ETH/USDT", "NEW/USDT")
TIMEFRAMES = (
    ("5m",),
    ("5m", "1h"),
    ("5m", "15m", "2h"),
    ("15m", "8h"),
    ("1h", "4h"),
    ("2h",),
    ("5m", "4h", "1h", "1d"),
    ("30m", "1d"),
)
EVERYTHING = ("5m", "15m", "30m", "1h", "2h", "4h", "8h", "1d")

configs = st.builds(
    lambda timeframes, most, record, scoring: StreamConfig(
        timeframes={f"style{i}": timeframe for i, timeframe in enumerate(timeframes)},
        max_candles_per_timeframe=most,
        live_record=record,
        scoring=scoring,
    ),
    st.sampled_from(TIMEFRAMES),
    st.sampled_from((500, 100, 900)),
    st.sampled_from(("changes", "none", "all")),
    st.sampled_from(("absolute", "calibrated")),
)
times = st.sampled_from((30_000, MINUTE_MS, 5 * MINUTE_MS, 17 * MINUTE_MS, 3 * HOUR_MS, 26 * HOUR_MS))
downs = st.sampled_from((0, 20_000, 7 * MINUTE_MS, 2 * HOUR_MS, 30 * HOUR_MS, 3 * DAY_MS, 9 * DAY_MS, 30 * DAY_MS))


class Fate:
    """What happens to a life, as drawn."""

    def __init__(self, data: st.DataObject, life: Life) -> None:
        self._data, self._life, self._seed = data, life, 10
        for seed, (symbol, silent) in enumerate(zip(SYMBOLS, (0.0, 0.02, 0.5), strict=True)):
            since = (
                BEGIN_MS
                if symbol != "NEW/USDT"
                else life.clock.now_ms()
                - self.draw(st.sampled_from((HOUR_MS, 0, 2 * DAY_MS, 50 * DAY_MS)), "NEW listed for")
            )
            life.exchange.list(symbol, seed, silent, since)

    def draw(self, strategy: st.SearchStrategy[Any], label: str) -> Any:
        return self._data.draw(strategy, label)

    def markets(self) -> list[Market]:
        chosen = self.draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True), "markets")
        return [Market("binance", symbol) for symbol in chosen]

    def backfill(self) -> None:
        self._life.backfill(self.markets(), self.draw(configs, "config"), self.draw(st.sampled_from((1, 2, 4)), "days"))

    def scan(self) -> None:
        life, config = self._life, self.draw(configs, "config")
        ahead = self.draw(st.sampled_from((0, 0, 0, 40_000, -40_000, 10 * MINUTE_MS, -10 * MINUTE_MS)), "ahead")
        life.begin(self.markets(), config, ahead)
        for _ in range(self.draw(st.integers(0, 6), "cycles")):
            if self.draw(st.integers(0, 4), "change") == 0:
                life.line.listing(self.markets())
            if self.draw(st.integers(0, 3), "revise") == 0:
                self.revise()
            life.cycle(self.draw(st.sampled_from((WHOLE, WHOLE, *MODES)), "mode"))
            life.clock.advance(self.draw(times, "time"))
        if self.draw(st.booleans(), "in peace"):
            life.cycle()
            for _ in range(2):
                life.clock.advance(45_000)
                life.cycle()
            life.everybody_is_fresh()
            life.all_candles_are_kept()
            life.full_scan()
        (life.kill if self.draw(st.booleans(), "kill") else life.stop)()
        life.look(config)
        life.signals_are_those_of_the_exchange(config)

    def revise(self) -> None:
        market = Market("binance", self.draw(st.sampled_from(SYMBOLS), "revised"))
        back = self.draw(st.lists(st.integers(0, 6), min_size=1, unique=True), "back")
        now_ms = self._life.clock.now_ms() + (self._life.line.ahead_ms if self._life.run is not None else 0)
        self._life.exchange.revise(market, now_ms, back, 1.01)

    def relist(self) -> None:
        """Another coin under the same symbol."""
        self._seed += 1
        since = self._life.clock.now_ms() - self.draw(st.sampled_from((0, 3 * HOUR_MS, 40 * DAY_MS)), "listed for")
        self._life.exchange.list(self.draw(st.sampled_from(SYMBOLS), "symbol"), self._seed, 0.1, since)

    def wait(self) -> None:
        self._life.clock.advance(self.draw(downs, "down"))

    def lose(self) -> None:
        """Files are gone or damaged."""
        folder = self._life.folder
        harms = self.draw(st.permutations(("gone", "cut", "empty", "garbage")), "harms")
        files = sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != LOCK
        )
        places = self.draw(st.lists(st.integers(0, 999), min_size=1, max_size=4), "files")
        for name in sorted({files[place % len(files)] for place in places if files}):
            path, harm = folder / name, harms[len(name) % len(harms)]
            if harm == "gone":
                path.unlink()
            elif harm == "cut":
                path.write_bytes(path.read_bytes()[: -max(path.stat().st_size // 3, 1)])
            else:
                path.write_bytes(b"" if harm == "empty" else b"\x00garbage" * 20)
            self._life.harmed(path)

    def lose_timeframe(self) -> None:
        for path in self._life.folder.glob(f"ohlcv/*_{self.draw(st.sampled_from(EVERYTHING), 'timeframe')}*.parquet"):
            path.unlink()

    def lose_folder(self) -> None:
        name = self.draw(st.sampled_from(("journal", "gaps", "signals", "ohlcv", "clustering", "late")), "folder")
        shutil.rmtree(self._life.folder / name, ignore_errors=True)
        self._life.harmed(self._life.folder / name)


@settings(max_examples=8, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_folder_in_any_state_is_borne(data: st.DataObject) -> None:
    base = Path(tempfile.mkdtemp(prefix="lives-"))
    life = Life(base, BEGIN_MS + 60 * DAY_MS + data.draw(st.integers(0, DAY_MS), "time of day"))
    try:
        fate = Fate(data, life)
        steps: tuple[Callable[[], None], ...] = (
            fate.scan,
            fate.backfill,
            fate.wait,
            fate.lose,
            fate.lose_timeframe,
            fate.lose_folder,
            fate.relist,
            fate.revise,
        )
        chances = (0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7)
        for number in data.draw(st.lists(st.sampled_from(chances), min_size=2, max_size=7), "steps"):
            note(f"--- {steps[number].__name__}")
            steps[number]()
        fate.scan()
    finally:
        life.end()
        shutil.rmtree(base)
