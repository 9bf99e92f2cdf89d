"""``--replay``: recorded candles through the loopback exchange and ccxt, to the last one, with a summary."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanner.timeframes import DAY_MS
from tests.child import ROOT, SCANNER, running

STEP_MS = 300_000
START_MS = 1_700_006_400_000  # a midnight
COUNT, WARM_UP = 900, 225  # candles: a quarter of a short recording is history
SYMBOLS = ("AAA/USDT", "BBB/USDT", "CCC/USDT")
GAP = range(500, 520)  # candles of BBB/USDT that were never recorded
RECORDED = ROOT.parent / "shared" / "data"


def candles(symbol: str, seed: int) -> pd.DataFrame:
    """A random walk of 5m candles, one in twenty without volume or movement."""
    chance = np.random.default_rng(seed)
    silent = chance.random(COUNT) < 0.05
    close = 100 * np.exp(np.cumsum(np.where(silent, 0, chance.normal(0, 0.004, COUNT))))
    opened = np.concatenate([close[:1], close[:-1]])
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timestamp": START_MS + STEP_MS * np.arange(COUNT),
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": np.where(silent, 0.0, chance.lognormal(3, 1, COUNT)),
        }
    )


def finals(folder: Path) -> Counter[tuple[str, str, str]]:
    """How often each final signal is in the files: by symbol, timeframe and open time of its candle."""
    records = [record for path in (folder / "signals").iterdir() for record in json.loads(path.read_text())]
    return Counter((r["symbol"], r["timeframe"], r["candle_time"]) for r in records if r["candle_closed"])


def replay(folder: Path, *arguments: str) -> str:
    """The summary of a replay that ended by itself."""
    with running([*SCANNER, "--data-dir", "kept", *arguments], folder) as child:
        assert child.wait(100) == 0, child.err
        assert "Traceback" not in child.err
        return child.out


def covered(summary: str) -> float:
    """The share of closed candles that have a final signal, as the summary says."""
    found = re.search(r"replayed \S+ \S+ to \S+ \S+: (\d+) of (\d+) closed", summary)
    assert found, summary
    return int(found[1]) / int(found[2])


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the summary of one replay of a small recording."""
    folder = tmp_path_factory.mktemp("replay")
    frames = [candles(symbol, seed) for seed, symbol in enumerate(SYMBOLS)]
    frames[1] = frames[1].drop(index=list(GAP))
    pd.concat(frames).to_parquet(folder / "recorded.parquet", index=False)
    return folder, replay(folder, "--replay", "recorded.parquet", "--speed", "40000")


def test_every_candle_closed_after_the_start_has_exactly_one_final_signal(replayed: tuple[Path, str]) -> None:
    kept = finals(replayed[0] / "kept")
    assert set(kept.values()) == {1}
    last = START_MS + (COUNT - 1) * STEP_MS
    for symbol in SYMBOLS:
        opened = sorted(pd.Timestamp(key[2]).value // 10**6 for key in kept if key[:2] == (symbol, "5m"))
        assert opened == [*range(opened[0], last + 1, STEP_MS)]  # those nobody recorded were not traded, and count
        assert opened[0] >= START_MS + WARM_UP * STEP_MS


def test_the_summary_counts_what_is_in_the_files(replayed: tuple[Path, str]) -> None:
    folder, summary = replayed
    by_timeframe = Counter(timeframe for _, timeframe, _ in finals(folder / "kept"))
    assert f"final signals, one per closed candle: {by_timeframe.total()}\n" in summary
    closed = ", ".join(f"{timeframe} {by_timeframe[timeframe]}" for timeframe in ("5m", "1h", "4h", "1d"))
    assert f"candles closed: {closed}\n" in summary
    assert "replayed 2023-11-15 18:45 to 2023-11-18 03:00: " in summary
    assert f" {by_timeframe['5m']} of {3 * (COUNT - WARM_UP)} closed 5m candles have a final signal" in summary
    assert "exchange replay: live, 3 markets" in summary
    assert covered(summary) > 0.8


def test_candles_that_were_traded_are_kept_and_no_others(replayed: tuple[Path, str]) -> None:
    folder, _ = replayed
    kept = pd.read_parquet(folder / "kept" / "ohlcv" / "replay_BBBUSDT_5m.parquet")
    recorded = pd.read_parquet(folder / "recorded.parquet", filters=[("symbol", "==", "BBB/USDT")])
    opened = pd.to_datetime(recorded["timestamp"], unit="ms")
    assert len(kept) == COUNT - len(GAP)
    np.testing.assert_array_equal(kept["timestamp"].dt.tz_localize(None).to_numpy("M8[ms]"), opened.to_numpy("M8[ms]"))
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(kept[name], recorded[name], rtol=1e-9, atol=1e-8)  # eight decimals on the wire


def test_a_second_replay_into_the_same_folder_keeps_each_final_signal_once(
    replayed: tuple[Path, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(replayed[0], tmp_path / "again")
    before = finals(folder / "kept")
    summary = replay(folder, "--replay", "recorded.parquet", "--speed", "60000", "--symbols", "aaa-usdt,BBBUSDT")
    assert covered(summary) > 0.8
    after = finals(folder / "kept")
    assert set(after.values()) == {1}
    assert before.keys() <= after.keys()


# --- recorded markets ----------------------------------------------------------------------------------------------


def recorded(name: str) -> Path:
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"{path} is not there: recorded candles do not come with the program")
    return path


def test_recorded_5m_candles_with_gaps_give_signals_on_every_timeframe(tmp_path: Path) -> None:
    frame = pd.read_parquet(recorded("binance_spot_5m_2021-04-16_2021-04-26.parquet"))
    begun = frame[frame["timestamp"] < frame["timestamp"].min() + 6 * DAY_MS]  # the first gap is in the fifth day
    begun.to_parquet(tmp_path / "recorded.parquet", index=False)
    symbols = begun["symbol"].unique()[:3]
    summary = replay(tmp_path, "--replay", "recorded.parquet", "--speed", "40000", "--symbols", ",".join(symbols))
    assert covered(summary) > 0.8
    assert {timeframe for _, timeframe, _ in finals(tmp_path / "kept")} == {"5m", "1h", "4h", "1d"}
    assert "exchange replay: live, 3 markets" in summary
    assert re.search(r"freshness: final signals \d+\.\d s after the close", summary)


def test_recorded_1h_candles_leave_the_5m_style_out_and_warm_up_on_longer_ones(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    chosen = [("symbol", "in", ["BTC/USDT", "SOL/USDT"])]
    for timeframe, first in (("1h", "05-01"), ("4h", "01-01"), ("1d", "01-01")):
        frame = pd.read_parquet(recorded(f"binance_spot_{timeframe}_2024-{first}_2024-09-06.parquet"), filters=chosen)
        newest = frame.groupby("symbol").tail(200) if timeframe == "1h" else frame
        newest.to_parquet(folder / f"{timeframe}.parquet", index=False)
    summary = replay(tmp_path, "--replay", "recorded", "--speed", "100000")
    assert "skipped scalp 5m: a recording of 1h candles cannot serve it" in summary
    assert covered(summary) > 0.8
    assert {timeframe for _, timeframe, _ in finals(tmp_path / "kept")} == {"1h", "4h", "1d"}
