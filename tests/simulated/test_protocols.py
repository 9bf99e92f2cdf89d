"""ccxt's own classes against the loopback exchange: what they ask, what they get."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import ccxt.async_support as ccxt
import pytest

from scanner.clock import ScaledClock
from scanner.markets import DEFAULT_SYMBOLS
from scanner.timeframes import DAY_MS, LENGTH_MS, WEEK_MS
from tests.simulated.conftest import NOW_MS, ask
from tests.waiting import wait_for

FIVE, HOUR = LENGTH_MS["5m"], LENGTH_MS["1h"]
SAMPLES = Path(__file__).parents[3] / "shared/data/api_samples"


def get(exchange, path: str) -> tuple[int, object]:
    """Status and body of a plain request."""

    async def run():
        async with aiohttp.ClientSession() as session, session.get(exchange.url + path) as answer:
            return answer.status, await answer.json()

    return asyncio.run(run())


def test_binance_lists_spot_pairs_and_kucoin_swaps(exchange):
    async def job(binance, kucoin):
        return await binance.load_markets(), await kucoin.load_markets()

    spot, swaps = ask(exchange, job)
    assert set(DEFAULT_SYMBOLS) - set(spot) == {"MATIC/USDT"}
    assert all(market["spot"] and market["active"] for market in spot.values())
    assert spot["BTC/USDT"]["precision"]["price"] == 0.01
    assert {f"{symbol}:USDT" for symbol in spot} == set(swaps)
    assert all(market["swap"] and market["linear"] for market in swaps.values())
    assert (swaps["BTC/USDT:USDT"]["id"], swaps["BTC/USDT:USDT"]["contractSize"]) == ("XBTUSDTM", 0.001)
    assert swaps["DOGE/USDT:USDT"]["contractSize"] == 100


def test_server_time_is_market_time_on_both(exchange):
    async def job(binance, kucoin):
        return await binance.fetch_time(), await kucoin.fetch_time(), (await kucoin.fetch_status())["status"]

    assert ask(exchange, job) == (NOW_MS, NOW_MS, "ok")


@pytest.mark.parametrize(
    ("timeframe", "since", "limit", "rows"),
    [
        ("5m", None, 100, 100),
        ("5m", NOW_MS - 10 * FIVE, None, 10),
        ("1h", NOW_MS - 600 * HOUR, 50, 50),
        ("1d", 0, 3, 3),
    ],
)
def test_candles_come_from_since_on_or_up_to_now(exchange, timeframe, since, limit, rows):
    async def job(binance, kucoin):
        return await binance.fetch_ohlcv("ETH/USDT", timeframe, since, limit)

    candles = ask(exchange, job)
    opened = [candle[0] for candle in candles]
    assert len(candles) == rows
    assert all(later - earlier == LENGTH_MS[timeframe] for earlier, later in itertools.pairwise(opened))
    if since is None:
        assert opened[-1] == NOW_MS - NOW_MS % LENGTH_MS[timeframe]
    elif since > 0:
        assert since <= opened[0] < since + LENGTH_MS[timeframe]


def test_weeks_are_made_of_days_from_monday_on(exchange):
    async def job(binance, kucoin):
        since = NOW_MS - 20 * WEEK_MS
        days = await binance.fetch_ohlcv("ETH/USDT", "1d", since - WEEK_MS, 200)
        newest = await binance.fetch_ohlcv("ETH/USDT", "1w", None, 3)
        return (
            days,
            newest,
            await binance.fetch_ohlcv("ETH/USDT", "1w", since),
            await kucoin.fetch_ohlcv("ETH/USDT:USDT", "1w", since),
        )

    days, newest, weeks, swaps = ask(exchange, job)
    assert len(weeks) == 20
    assert newest == weeks[-3:]
    assert [week[:5] for week in swaps] == [week[:5] for week in weeks]
    for opened, first, high, low, last, volume in weeks:
        assert datetime.fromtimestamp(opened / 1000, UTC).weekday() == 0
        inside = [day for day in days if opened <= day[0] < opened + WEEK_MS]
        assert (first, last) == (inside[0][1], inside[-1][4])
        assert (high, low) == (max(day[2] for day in inside), min(day[3] for day in inside))
        assert volume == pytest.approx(sum(day[5] for day in inside))
    assert weeks[-1][0] <= NOW_MS < weeks[-1][0] + WEEK_MS


def test_an_answer_never_exceeds_a_thousand_candles(exchange):
    status, rows = get(exchange, "/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=5000")
    assert (status, len(rows)) == (200, 1000)


def test_the_forming_candle_grows_as_the_clock_turns(exchange, clock):
    async def job(binance, kucoin):
        seen = []
        for _ in range(4):
            seen.append((await binance.fetch_ohlcv("BTC/USDT", "1h", limit=1))[0])
            clock.advance(6 * 60_000)
        return seen

    seen = ask(exchange, job)
    for before, after in itertools.pairwise(seen):
        assert before[:2] == after[:2]
        assert before[2] <= after[2]
        assert before[3] >= after[3]
        assert before[5] < after[5]


def test_market_time_runs_at_any_speed(exchange_of):
    exchange = exchange_of(at=ScaledClock(NOW_MS, speed=6000))

    async def job(binance, kucoin):
        now = await binance.fetch_time()
        return now, (await binance.fetch_ohlcv("BTC/USDT", "5m", limit=1))[0][0]

    def is_a_candle_on() -> bool:
        now, newest = ask(exchange, job)
        assert newest >= now - now % FIVE
        return newest >= NOW_MS + FIVE

    wait_for(is_a_candle_on)


def test_kucoin_serves_lots_and_two_hundred_rows(exchange):
    async def job(binance, kucoin):
        since = NOW_MS - NOW_MS % FIVE - 500 * FIVE
        lots = await kucoin.fetch_ohlcv("DOGE/USDT:USDT", "5m", since, 1000)
        return lots, await binance.fetch_ohlcv("DOGE/USDT", "5m", since, 200)

    lots, coins = ask(exchange, job)
    assert len(lots) == 200
    assert [row[:5] for row in lots] == [row[:5] for row in coins]
    assert [row[5] for row in lots] == [pytest.approx(row[5] / 100, abs=0.51) for row in coins]


def test_kucoin_has_no_candle_where_nobody_traded(exchange):
    async def job(binance, kucoin):
        since = NOW_MS - 400 * FIVE
        parts = [await kucoin.fetch_ohlcv("VIDT/USDT:USDT", "5m", since + i * 200 * FIVE, 200) for i in range(2)]
        return parts[0] + parts[1], await binance.fetch_ohlcv("VIDT/USDT", "5m", since, 400)

    swap, spot = ask(exchange, job)
    silent = {row[0] for row in spot if row[5] == 0}
    assert silent
    assert {row[0] for row in swap} == {row[0] for row in spot} - silent


def test_both_serve_the_same_candles_on_all_four_timeframes(exchange):
    async def job(binance, kucoin):
        for timeframe in ("5m", "1h", "4h", "1d"):
            since = NOW_MS - 20 * LENGTH_MS[timeframe]
            yield_spot = await binance.fetch_ohlcv("BTC/USDT", timeframe, since, 20)
            swap = await kucoin.fetch_ohlcv("BTC/USDT:USDT", timeframe, since, 20)
            assert [row[:5] for row in yield_spot] == [row[:5] for row in swap]

    ask(exchange, job)


def test_tickers_of_some_and_of_all_symbols(exchange, market):
    async def job(binance, kucoin):
        some = await binance.fetch_tickers(["BTC/USDT", "SOL/USDT"])
        return some, await binance.fetch_tickers(), await kucoin.fetch_tickers()

    some, every, swaps = ask(exchange, job)
    assert set(some) == {"BTC/USDT", "SOL/USDT"}
    assert len(every) == len(swaps) == len(market.coins)
    ticker, day = some["BTC/USDT"], market.statistics_24h(NOW_MS)
    assert ticker["last"] == day.last[0] == swaps["BTC/USDT:USDT"]["last"]
    assert ticker["quoteVolume"] == pytest.approx(day.turnover[0])
    assert ticker["low"] <= ticker["bid"] < ticker["last"] < ticker["ask"]
    assert ticker["timestamp"] == NOW_MS


def test_last_prices_and_best_quotes_in_bulk(exchange):
    async def job(binance, kucoin):
        return await binance.fetch_last_prices(), await binance.fetch_bids_asks(), await kucoin.fetch_bids_asks()

    prices, spot, swaps = ask(exchange, job)
    for symbol, price in prices.items():
        assert spot[symbol]["bid"] < price["price"] < spot[symbol]["ask"]
        assert swaps[f"{symbol}:USDT"]["bid"] == spot[symbol]["bid"]
        assert swaps[f"{symbol}:USDT"]["timestamp"] == NOW_MS


def test_wrong_symbols_and_intervals_are_typed_by_ccxt(exchange):
    async def job(binance, kucoin):
        with pytest.raises(ccxt.BadSymbol):
            await binance.publicGetKlines({"symbol": "NOPEUSDT", "interval": "5m"})
        with pytest.raises(ccxt.BadRequest):
            await binance.fetch_ohlcv("BTC/USDT", "7m")
        with pytest.raises(ccxt.BadSymbol):
            await kucoin.futuresPublicGetKlineQuery({"symbol": "NOPEUSDTM", "granularity": 5})
        with pytest.raises(ccxt.ExchangeError):
            await kucoin.fetch_ohlcv("BTC/USDT:USDT", "3m")

    ask(exchange, job)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("klines?symbol=NOPE&interval=5m", -1121),
        ("klines?symbol=BTCUSDT&interval=7m", -1120),
        ("klines?interval=5m", -1102),
        ("klines?symbol=BTCUSDT", -1102),
        ("klines?symbol=BTCUSDT&interval=5m&limit=ten", -1100),
        ("klines?symbol=BTCUSDT&interval=5m&startTime=-5", -1100),
        ('ticker/price?symbols=["BTCUSDT","NOPE"]', -1121),
        ("ticker/24hr?symbols=BTCUSDT", -1100),
        ('ticker/24hr?symbol=BTCUSDT&symbols=["BTCUSDT"]', -1128),
    ],
)
def test_binance_refuses_with_its_own_codes(exchange, query, code):
    status, body = get(exchange, f"/api/v3/{query}")
    assert (status, body["code"]) == (400, code)


def test_an_unknown_path_is_404(exchange):
    assert get(exchange, "/api/v3/depth?symbol=BTCUSDT")[0] == 404


def test_fifty_requests_at_once(exchange, market):
    async def job(binance, kucoin):
        await binance.load_markets()
        jobs = [binance.fetch_ohlcv(f"{coin.base}/USDT", "5m", limit=100) for coin in market.coins]
        return await asyncio.gather(*(jobs + [binance.fetch_ticker("BTC/USDT") for _ in range(50 - len(jobs))]))

    assert len(ask(exchange, job)) == 50
    assert exchange.requests["/api/v3/klines"] == len(market.coins)


def test_a_day_of_statistics_is_a_day_long(exchange):
    _, body = get(exchange, "/api/v3/ticker/24hr?symbol=BTCUSDT")
    assert (body["openTime"], body["closeTime"]) == (NOW_MS - DAY_MS, NOW_MS)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded answers beside the checkout")
def test_answers_have_the_fields_of_recorded_ones_that_ccxt_reads(exchange):
    recorded = json.loads(gzip.decompress((SAMPLES / "kucoin_futures_markets_ccxt.json.gz").read_bytes()))
    rows = recorded if isinstance(recorded, list) else list(recorded.values())
    theirs = next(row["info"] for row in rows if row["symbol"] == "BTC/USDT:USDT")
    mine = next(row for row in get(exchange, "/api/v1/contracts/active")[1]["data"] if row["symbol"] == "XBTUSDTM")
    assert set(mine) <= set(theirs)
    for field in ("multiplier", "lotSize", "type", "rootSymbol", "baseCurrency", "isInverse", "status"):
        assert mine[field] == theirs[field]
    kinds = {field: (type(mine[field]), type(theirs[field])) for field in ("lastTradePrice", "volumeOf24h", "tickSize")}
    assert all(issubclass(a, (int, float)) and issubclass(b, (int, float)) for a, b in kinds.values())
