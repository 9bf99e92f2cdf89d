"""Recorded candles, replayed: one coherent set, nothing shown too early, gaps kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanner.clock import ManualClock
from scanner.errors import InvalidInput
from scanner.simulated import recorded
from scanner.simulated.source import aggregate
from scanner.timeframes import DAY_MS, LENGTH_MS
from tests.simulated.conftest import ask

DATA = Path(__file__).parents[3] / "shared/data"
FIVE, HOUR = LENGTH_MS["5m"], LENGTH_MS["1h"]
START = 1_700_006_400_000  # 2023-11-15 00:00 UTC
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no recorded candles beside the checkout")


def frame(symbol: str, length: int, count: int, start: int = START, seed: int = 1) -> pd.DataFrame:
    """A random walk as recorded candles, prices with two decimals, every 25th candle untraded."""
    rng = np.random.default_rng(seed)
    edge = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.003, count + 1))), 2)
    silent = np.arange(count) % 25 == 24
    edge[1:][silent] = edge[:-1][silent]
    body = np.stack([edge[:-1], edge[1:]])
    high = np.round(body.max(axis=0) + ~silent * rng.exponential(0.2, count), 2)
    low = np.round(body.min(axis=0) - ~silent * rng.exponential(0.2, count), 2)
    volume = np.where(silent, 0.0, np.round(rng.lognormal(3, 1, count), 3))
    times = start + np.arange(count) * length
    columns = {"timestamp": times, "open": body[0], "high": high, "low": low, "close": body[1], "volume": volume}
    return pd.DataFrame({"symbol": symbol, **columns})


def write(path: Path, *frames: pd.DataFrame) -> Path:
    pd.concat(frames).to_parquet(path, index=False)
    return path


@pytest.fixture
def five_minutes(tmp_path) -> Path:
    return write(tmp_path / "candles.parquet", frame("BTC/USDT", FIVE, 600), frame("ETH/USDT", FIVE, 600, seed=2))


def test_a_file_tells_its_symbols_timeframe_and_span(five_minutes):
    recording = recorded(five_minutes)
    assert (recording.symbols, recording.resolution) == (("BTC/USDT", "ETH/USDT"), "5m")
    assert (recording.start_ms, recording.end_ms) == (START, START + 600 * FIVE)
    assert recording.timeframes_servable[:3] == ("5m", "15m", "30m")
    assert recording.notes == ()
    assert recording.listings()[0].decimals == 2


def test_times_may_be_dates(tmp_path):
    candles = frame("BTC/USDT", FIVE, 20)
    candles["timestamp"] = pd.to_datetime(candles["timestamp"], unit="ms", utc=True)
    assert recorded(write(tmp_path / "dates.parquet", candles)).start_ms == START


def test_closed_candles_are_the_recorded_ones(five_minutes):
    now, wanted = START + 400 * FIVE, frame("BTC/USDT", FIVE, 600)
    candles = recorded(five_minutes).candles("BTC/USDT", "5m", START, now - 1, now)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(candles, name), wanted[name][:400])


def test_a_bigger_candle_skips_the_untraded(five_minutes):
    recording, now = recorded(five_minutes), START + 600 * FIVE
    small = recording.candles("BTC/USDT", "5m", START, now, now)
    made = aggregate(small, HOUR)
    hours = recording.candles("BTC/USDT", "1h", START, now, now)
    assert all(np.array_equal(a, b) for a, b in zip(hours.columns(), made.columns(), strict=True))


@pytest.mark.parametrize("timeframe", ["5m", "1h"])
def test_nothing_of_a_candle_is_shown_before_it_happened(five_minutes, timeframe):
    recording, length = recorded(five_minutes), LENGTH_MS[timeframe]
    opened = START + 20 * HOUR
    final = recording.candles("BTC/USDT", timeframe, opened, opened, opened + length)
    shown = [
        recording.candles("BTC/USDT", timeframe, opened, opened, opened + int(length * share))
        for share in (0.0, 0.2, 0.45, 0.7, 0.95)
    ]
    assert (shown[0].high[0], shown[0].low[0], shown[0].volume[0]) == (final.open[0], final.open[0], 0)
    for before, after in zip(shown, [*shown[1:], final], strict=True):
        assert before.open[0] == after.open[0]
        assert before.high[0] <= after.high[0]
        assert before.low[0] >= after.low[0]
        assert before.volume[0] <= after.volume[0]


def test_the_price_follows_the_forming_candle_and_stays_after_the_end(five_minutes):
    recording, now = recorded(five_minutes), START + 100 * FIVE + 123_456
    forming = recording.candles("ETH/USDT", "5m", now - now % FIVE, now, now)
    assert recording.last_prices(now)[1] == forming.close[-1]
    end = recording.end_ms + DAY_MS * 3
    last = frame("ETH/USDT", FIVE, 600, seed=2)["close"].iloc[-1]
    assert recording.last_prices(end)[1] == last
    assert len(recording.candles("ETH/USDT", "5m", recording.end_ms, end, end)) == 0
    assert recording.statistics_24h(end).volume[1] == 0


def test_gaps_stay_gaps(tmp_path):
    candles = frame("BTC/USDT", FIVE, 100).drop(index=range(40, 60))
    recording = recorded(write(tmp_path / "gappy.parquet", candles))
    found = recording.candles("BTC/USDT", "5m", START, START + 100 * FIVE, START + 100 * FIVE)
    assert len(found) == 80
    during = START + 50 * FIVE + 1
    assert len(recording.candles("BTC/USDT", "5m", during - FIVE, during, during)) == 0
    assert recording.last_prices(during)[0] == candles["close"].iloc[39]


def test_coarser_files_are_warm_up_and_end_where_the_finest_begins(tmp_path):
    write(tmp_path / "a_1h.parquet", frame("BTC/USDT", HOUR, 300, START - 200 * HOUR, seed=5))
    write(tmp_path / "b_5m.parquet", frame("BTC/USDT", FIVE, 600))
    recording, now = recorded(tmp_path), START + 30 * HOUR
    hours = recording.candles("BTC/USDT", "1h", 0, now - 1, now)
    older = frame("BTC/USDT", HOUR, 300, START - 200 * HOUR, seed=5)
    assert recording.resolution == "5m"
    assert len(hours) == 230
    assert np.array_equal(hours.close[:200], older["close"][:200])
    fresh = aggregate(recording.candles("BTC/USDT", "5m", START, now - 1, now), HOUR)
    assert np.array_equal(hours.close[200:], fresh.close)
    assert len(recording.candles("BTC/USDT", "5m", 0, START - 1, now)) == 0
    days = recording.candles("BTC/USDT", "1d", 0, now, now)
    assert len(days) == 9 + 2  # 200 hours before are 8 days and a third; then two of the replay


def test_files_of_one_timeframe_follow_one_another_or_the_first_wins(tmp_path):
    write(tmp_path / "a.parquet", frame("BTC/USDT", FIVE, 100))
    write(tmp_path / "b.parquet", frame("BTC/USDT", FIVE, 100, START + 100 * FIVE, seed=2))
    write(tmp_path / "c.parquet", frame("BTC/USDT", FIVE, 150, seed=3), frame("ETH/USDT", FIVE, 10))
    recording = recorded(tmp_path)
    now = START + 200 * FIVE
    assert len(recording.candles("BTC/USDT", "5m", START, now - 1, now)) == 200
    assert recording.symbols == ("BTC/USDT", "ETH/USDT")
    assert any("c.parquet is not used for BTC/USDT" in note for note in recording.notes)


def test_files_of_another_time_are_left_out_and_noted(tmp_path):
    write(tmp_path / "a.parquet", frame("BTC/USDT", FIVE, 100, START - 400 * DAY_MS))
    write(tmp_path / "b.parquet", frame("BTC/USDT", FIVE, 200))
    recording = recorded(tmp_path)
    assert recording.start_ms == START
    assert any(note.startswith("a.parquet is left out") for note in recording.notes)


def test_an_unusable_file_of_a_folder_is_noted(tmp_path):
    write(tmp_path / "good.parquet", frame("BTC/USDT", FIVE, 100))
    (tmp_path / "bad.parquet").write_bytes(b"not parquet at all")
    assert any(note.startswith("bad.parquet is left out") for note in recorded(tmp_path).notes)


def test_impossible_candles_are_left_out_and_noted(tmp_path):
    candles = frame("BTC/USDT", FIVE, 100)
    candles.loc[3, "high"] = 1.0
    candles.loc[5, "close"] = np.nan
    recording = recorded(write(tmp_path / "odd.parquet", candles))
    assert len(recording.candles("BTC/USDT", "5m", START, recording.end_ms - 1, recording.end_ms)) == 98
    assert recording.notes == ("odd.parquet: 2 impossible candles are left out",)


def nothing(path: Path) -> Path:
    return path / "nowhere"


def empty_folder(path: Path) -> Path:
    return path


def no_parquet(path: Path) -> Path:
    (path / "x.parquet").write_bytes(b"PAR1 but not really")
    return path / "x.parquet"


def no_volume(path: Path) -> Path:
    return write(path / "x.parquet", frame("BTC/USDT", FIVE, 10).drop(columns=["volume", "close"]))


def text_time(path: Path) -> Path:
    return write(path / "x.parquet", frame("BTC/USDT", FIVE, 10).assign(timestamp="yesterday"))


def seconds(path: Path) -> Path:
    candles = frame("BTC/USDT", FIVE, 10)
    return write(path / "x.parquet", candles.assign(timestamp=candles["timestamp"] // 1000))


def text_price(path: Path) -> Path:
    return write(path / "x.parquet", frame("BTC/USDT", FIVE, 10).assign(close="much"))


def one_candle(path: Path) -> Path:
    return write(path / "x.parquet", frame("BTC/USDT", FIVE, 1))


def odd_step(path: Path) -> Path:
    return write(path / "x.parquet", frame("BTC/USDT", 7 * 60_000, 10))


def odd_symbol(path: Path) -> Path:
    return write(path / "x.parquet", frame("../../etc", FIVE, 10))


def no_rows(path: Path) -> Path:
    return write(path / "x.parquet", frame("BTC/USDT", FIVE, 10).iloc[:0])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (nothing, "does not exist"),
        (empty_folder, "has no *.parquet file"),
        (no_parquet, "cannot be read as Parquet"),
        (no_volume, "has no column close, volume"),
        (text_time, "needs whole ms or a date"),
        (seconds, "needs milliseconds"),
        (text_price, "column close that is not numbers"),
        (one_candle, "single candle"),
        (odd_step, "420000 ms apart"),
        (odd_symbol, "needs the form BTC/USDT"),
        (no_rows, "has no candles"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_reason(tmp_path, made, words):
    with pytest.raises(InvalidInput) as refused:
        recorded(made(tmp_path))
    assert words in str(refused.value)
    assert refused.value.field == "replay"


def test_symbols_can_be_chosen_and_must_be_there(five_minutes):
    assert recorded(five_minutes, ["ETH/USDT"]).symbols == ("ETH/USDT",)
    with pytest.raises(InvalidInput, match="DOGE/USDT"):
        recorded(five_minutes, ["ETH/USDT", "DOGE/USDT"])


def test_swaps_are_replayed_in_lots_without_the_untraded(tmp_path, exchange_of):
    path = write(tmp_path / "x.parquet", frame("BTC/USDT:USDT", FIVE, 300), frame("ETH/USDT", FIVE, 300, seed=2))
    exchange = exchange_of(recorded(path), ManualClock(START + 250 * FIVE + 1000))

    async def job(binance, kucoin):
        spot, swaps = await binance.load_markets(), await kucoin.load_markets()
        return (
            (list(spot), list(swaps), swaps["BTC/USDT:USDT"]["contractSize"]),
            await kucoin.fetch_ohlcv("BTC/USDT:USDT", "5m", START, 100),
            await binance.fetch_ohlcv("ETH/USDT", "5m", START, 100),
        )

    (spot, swaps, size), lots, coins = ask(exchange, job)
    assert (spot, swaps, size) == (["ETH/USDT"], ["BTC/USDT:USDT"], 0.001)
    wanted = frame("BTC/USDT:USDT", FIVE, 300)[:101]  # the last moment asked for is included
    traded = wanted[wanted["volume"] > 0]
    assert [row[0] for row in lots] == traded["timestamp"].tolist()
    assert [row[5] for row in lots] == pytest.approx((traded["volume"] / 0.001).tolist(), abs=0.51)
    assert len(coins) == 100
    assert any(row[5] == 0 for row in coins)


@needs_data
def test_a_folder_of_many_recordings_gives_one_coherent_set(exchange_of):
    recording = recorded(DATA)
    assert recording.resolution == "1m"
    assert recording.end_ms - recording.start_ms <= 11 * DAY_MS
    exchange = exchange_of(recording, ManualClock(recording.start_ms + 2 * DAY_MS))

    async def job(binance, kucoin):
        assert not await kucoin.load_markets()
        return await binance.fetch_ohlcv("BTC/USDT", "1h", limit=40), await binance.fetch_tickers()

    hours, tickers = ask(exchange, job)
    assert len(hours) == 40
    assert set(tickers) == set(recording.symbols)


@needs_data
def test_recorded_five_minutes_make_the_exchanges_own_hours():
    recording = recorded(DATA / "binance_spot_5m_2024-07-01_2024-09-06.parquet", ["BTC/USDT", "REQ/USDT"])
    hours = pd.read_parquet(DATA / "binance_spot_1h_2024-05-01_2024-09-06.parquet")
    now = recording.end_ms
    for symbol in recording.symbols:
        made = recording.candles(symbol, "1h", recording.start_ms, now, now)
        theirs = hours[(hours["symbol"] == symbol) & (hours["timestamp"] >= recording.start_ms)]
        assert np.array_equal(made.open_time, theirs["timestamp"])
        for name in ("open", "high", "low", "close"):
            assert np.array_equal(getattr(made, name), theirs[name])
        np.testing.assert_allclose(made.volume, theirs["volume"], rtol=1e-9)


@needs_data
def test_recorded_swaps_run_through_kucoin(exchange_of):
    recording = recorded(DATA / "binance_usdm_5m_2025-09-24_2025-11-01.parquet")
    crash = 1_760_131_200_000  # 2025-10-10 21:20 UTC
    exchange = exchange_of(recording, ManualClock(crash + 2 * FIVE))

    async def job(binance, kucoin):
        await kucoin.load_markets()
        found = await kucoin.fetch_ohlcv("BTC/USDT:USDT", "5m", crash - 6 * FIVE, 8)
        return found, await kucoin.fetch_tickers()

    candles, tickers = ask(exchange, job)
    assert min(row[3] for row in candles) == 101_516.5
    assert "RIVER/USDT:USDT" in recording.symbols
    assert tickers["RIVER/USDT:USDT"]["last"] is None  # listed a week later
    assert tickers["BTC/USDT:USDT"]["low"] == 101_516.5
