"""The generated market: a function of seed, symbol and time, and believable as a market."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.markets import DEFAULT_SYMBOLS
from scanner.simulated import generated
from scanner.simulated.market import BASE_MS, COINS
from scanner.simulated.source import Series, aggregate
from scanner.timeframes import DAY_MS, LENGTH_MS
from tests.simulated.conftest import NOW_MS

HOUR = LENGTH_MS["1h"]
symbols = st.sampled_from([f"{coin.base}/USDT" for coin in COINS])


def same(one: Series, other: Series) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.columns(), other.columns(), strict=True))


def test_the_default_symbols_are_listed_but_for_the_renamed_one(market):
    listed = {listing.symbol for listing in market.listings()}
    assert [symbol for symbol in DEFAULT_SYMBOLS if symbol not in listed] == ["MATIC/USDT"]
    assert {"POL/USDT", "BTC/USDT:USDT"} <= listed


@settings(max_examples=25)
@given(symbols, st.integers(0, 1500), st.sampled_from(["5m", "1h", "4h", "1d", "15m", "1m", "3m"]))
def test_two_sources_agree_wherever_they_are_asked_first(market, symbol, days_ago, timeframe):
    now = NOW_MS - days_ago * DAY_MS
    start = now - 40 * LENGTH_MS[timeframe]
    other = generated(seed=1)
    other.candles(symbol, "5m", now - 7 * HOUR, now - 5 * HOUR, now)
    assert same(other.candles(symbol, timeframe, start, now, now), market.candles(symbol, timeframe, start, now, now))


def test_another_seed_is_another_market(market):
    mine = market.candles("BTC/USDT", "5m", NOW_MS - HOUR, NOW_MS, NOW_MS)
    other = generated(seed=2).candles("BTC/USDT", "5m", NOW_MS - HOUR, NOW_MS, NOW_MS)
    assert not np.array_equal(mine.close, other.close)


@settings(max_examples=30)
@given(symbols, st.integers(0, 2000 * DAY_MS), st.sampled_from(list(LENGTH_MS)))
def test_candles_are_sound_at_any_time(market, symbol, ago, timeframe):
    now, length = NOW_MS - ago, LENGTH_MS[timeframe]
    candles = market.candles(symbol, timeframe, now - 60 * length, now, now)
    assert len(candles) in (60, 61)
    assert (np.diff(candles.open_time) == length).all()
    assert (candles.open_time % length == 0).all()
    assert candles.open_time[-1] <= now
    assert (candles.low > 0).all()
    assert (candles.high >= np.maximum(candles.open, candles.close)).all()
    assert (candles.low <= np.minimum(candles.open, candles.close)).all()
    assert (candles.volume >= 0).all()
    assert np.isfinite(np.concatenate(candles.columns()[1:])).all()


@pytest.mark.parametrize("timeframe", ["15m", "1h", "4h", "1d"])
@pytest.mark.parametrize("symbol", ["BTC/USDT", "JUV/USDT"])
def test_a_bigger_candle_is_made_of_the_smaller_ones(market, symbol, timeframe):
    length = LENGTH_MS[timeframe]
    start = NOW_MS - NOW_MS % length - 9 * length
    smaller = market.candles(symbol, "5m", start, NOW_MS, NOW_MS)
    bigger = market.candles(symbol, timeframe, start, NOW_MS, NOW_MS)
    made = aggregate(smaller, length)
    for column, given_ in zip(bigger.columns(), made.columns(), strict=True):
        np.testing.assert_allclose(column, given_, rtol=1e-12)


def test_minutes_make_the_five_minute_candle(market):
    start = NOW_MS - NOW_MS % BASE_MS - 6 * BASE_MS
    minutes = market.candles("ETH/USDT", "1m", start, NOW_MS, NOW_MS)
    made, five = aggregate(minutes, BASE_MS), market.candles("ETH/USDT", "5m", start, NOW_MS, NOW_MS)
    for column, given_ in zip(made.columns(), five.columns(), strict=True):
        np.testing.assert_allclose(column, given_, rtol=1e-12)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d"])
def test_a_forming_candle_grows_into_the_closed_one(market, timeframe):
    length = LENGTH_MS[timeframe]
    opened = NOW_MS - NOW_MS % length
    steps = [opened + int(length * share) for share in (0.1, 0.35, 0.6, 0.85, 0.999)]
    seen = [market.candles("SOL/USDT", timeframe, opened, opened, now) for now in steps]
    closed = market.candles("SOL/USDT", timeframe, opened, opened, opened + length)
    for before, after in zip(seen, [*seen[1:], closed], strict=True):
        assert before.open[0] == after.open[0]
        assert before.high[0] <= after.high[0]
        assert before.low[0] >= after.low[0]
        assert before.volume[0] < after.volume[0]


def test_the_last_price_is_the_forming_candles_close(market):
    prices = market.last_prices(NOW_MS)
    for row, listing in enumerate(market.listings()):
        candle = market.candles(listing.symbol, "5m", NOW_MS - BASE_MS, NOW_MS, NOW_MS)
        assert prices[row] == candle.close[-1]


def test_the_last_day_is_what_its_candles_say(market):
    day = market.statistics_24h(NOW_MS)
    first = NOW_MS - NOW_MS % BASE_MS - DAY_MS
    for row in (0, 5, 18):
        candles = market.candles(market.listings()[row].symbol, "5m", first, NOW_MS, NOW_MS)
        assert day.open[row] == candles.open[0]
        assert day.high[row] == candles.high.max()
        assert day.low[row] == candles.low.min()
        assert day.last[row] == candles.close[-1]
        assert day.volume[row] == pytest.approx(candles.volume.sum(), rel=1e-9)


def test_thin_coins_have_candles_nobody_traded_flat_at_the_close_before(market):
    candles = market.candles("QNT/USDT", "5m", NOW_MS - 3 * DAY_MS, NOW_MS, NOW_MS)
    silent = np.flatnonzero(candles.volume == 0)
    assert len(silent) > 10
    assert (candles.high[silent] == candles.low[silent]).all()
    assert (candles.close[silent] == candles.close[silent - 1]).all()


def test_prices_stay_on_the_tick_grid(market):
    for listing in market.listings()[:22]:
        close = market.candles(listing.symbol, "5m", NOW_MS - DAY_MS, NOW_MS, NOW_MS).close
        assert np.array_equal(np.round(close, listing.decimals), close)


def test_markets_move_together_and_volume_goes_with_the_move(market):
    frames = {
        s: market.candles(s, "5m", NOW_MS - 20 * DAY_MS, NOW_MS - BASE_MS, NOW_MS) for s in ("SYS/USDT", "QNT/USDT")
    }
    moves = {symbol: np.diff(np.log(candles.close)) for symbol, candles in frames.items()}
    assert np.corrcoef(*moves.values())[0, 1] > 0.15
    for symbol, candles in frames.items():
        traded = candles.volume[1:] > 0
        assert np.corrcoef(np.abs(moves[symbol][traded]), candles.volume[1:][traded])[0, 1] > 0.2


def test_many_synthetic_markets_for_load():
    many = generated(markets=2000)
    assert len(many.listings()) == 4000
    assert np.isfinite(many.last_prices(NOW_MS)).all()
    candles = many.candles("S1978/USDT", "5m", NOW_MS - DAY_MS, NOW_MS, NOW_MS)
    assert (candles.low > 0).all()
    assert len(candles) == 288


def test_an_unlisted_symbol_is_a_key_error(market):
    with pytest.raises(KeyError):
        market.candles("MATIC/USDT", "5m", 0, NOW_MS, NOW_MS)
