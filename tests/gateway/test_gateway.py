"""ccxt's real classes against an exchange on loopback."""

from __future__ import annotations

import numpy as np
import pytest

from scanner.errors import InvalidInput, UnknownSymbol, Unsupported
from scanner.gateway import CandleRequest, CandleSweep, ExchangeSpec, Gateway, PriceAnswer, Purpose
from scanner.markets import Market
from tests.gateway.double import COINS, NOW_MS, candle, hang
from tests.waiting import wait_for

BTC, ETH = Market("binance", "BTC/USDT"), Market("binance", "ETH/USDT")
FIVE = 300_000


def prices(gateway: Gateway, deadline_s: float = 30.0) -> dict[str, PriceAnswer]:
    return {answer.exchange: answer for answer in gateway.prices(deadline_s)}


def candles(gateway: Gateway, *requests: CandleRequest, deadline_s: float = 30.0) -> dict[str, CandleSweep]:
    return {sweep.exchange: sweep for sweep in gateway.candles(requests, deadline_s)}


def test_markets_keep_the_symbol_that_was_asked_for(double, gateway_of):
    gateway = gateway_of(double.binance, double.kucoin)
    wait_for(lambda: all(gateway.markets().values()))
    swap = Market("kucoinfutures", "BTC/USDT")
    assert gateway.markets()["binance"] == (BTC, ETH)
    assert gateway.markets()["kucoinfutures"][0] == swap


def test_long_histories_are_handed_over_before_the_last_one_has_come(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.parts.MOST_CANDLES", 3)
    gateway, since = gateway_of(double.binance), NOW_MS // FIVE * FIVE - 19 * FIVE
    requests = [
        CandleRequest(market, "5m", since + shift * FIVE, 20, Purpose.BACKFILL)
        for market in (BTC, ETH)
        for shift in range(4)
    ]
    *parts, last = gateway.candles(requests, 30.0)
    answered = [answer.request for sweep in (*parts, last) for answer in sweep.answers]
    assert parts
    assert all(not part.is_last and not part.deferred and not part.failures for part in parts)
    assert last.is_last
    assert sorted(answered, key=requests.index) == requests
    assert gateway.states()["binance"].state == "live"


def test_start_does_not_wait_for_the_exchange(double, gateway_of):
    gateway = gateway_of(double.binance, ready=False)
    assert gateway.states()["binance"].state == "connecting"
    assert gateway.wait_ready(30)


def test_few_binance_markets_are_asked_for_by_name_with_all_their_statistics(double, gateway_of):
    answer = prices(gateway_of(double.binance))["binance"]
    assert answer.markets == (BTC, ETH)
    assert answer.at_ms == NOW_MS
    np.testing.assert_array_equal(answer.price, [100.5, 200.5])
    np.testing.assert_array_equal(answer.bid, [100.4, 200.4])
    np.testing.assert_array_equal(answer.ask, [100.6, 200.6])
    np.testing.assert_array_equal(answer.quote_volume, [5000, 5000])
    assert double.calls[-1] == ("/api/v3/ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'})


def test_many_binance_markets_are_asked_for_last_prices_and_statistics_once_a_minute(double, gateway_of):
    double.status |= {f"C{i}": "TRADING" for i in range(30)}
    gateway = gateway_of(double.binance, symbols=("BTC/USDT", *(f"C{i}/USDT" for i in range(30))))
    first, second = prices(gateway)["binance"], prices(gateway)["binance"]
    assert double.paths()[1:] == ["price", "24hr", "price"]
    assert first.markets == second.markets == (BTC,)
    assert first.quote_volume[0] == second.quote_volume[0] == 5000


def test_kucoin_prices_come_with_turnover_and_once_a_minute_with_bid_and_ask(double, gateway_of):
    gateway = gateway_of(double.kucoin)
    prices(gateway)
    answer = prices(gateway)["kucoinfutures"]
    np.testing.assert_array_equal(answer.price, [100.5, 201])
    np.testing.assert_array_equal(answer.quote_volume, [9000, 9000])
    np.testing.assert_array_equal(answer.bid, [100.4, 100.4])
    assert double.paths()[1:] == ["active", "allTickers", "active"]


@pytest.mark.parametrize("unusable", ["0", "-3", "nan", "inf", "", None])
def test_a_ticker_without_a_usable_price_is_dropped(double, gateway_of, unusable):
    gateway = gateway_of(double.binance)
    double.edit = lambda path, answer: [answer[0] | {"lastPrice": unusable}, *answer[1:]]
    answer = prices(gateway)["binance"]
    assert answer.markets == (ETH,)


def test_candles_of_a_close_come_in_parts_before_the_rest(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.parts.PART_S", 0.0)
    close = [CandleRequest(market, "5m", NOW_MS - FIVE, 3, Purpose.CLOSE) for market in (BTC, ETH)]
    forming = CandleRequest(Market("binance", "SOL/USDT"), "5m", NOW_MS, 2)
    gateway = gateway_of(double.binance, symbols=("BTC/USDT", "ETH/USDT", "SOL/USDT"))
    *parts, rest = gateway.candles([*close, forming], 30.0)
    assert [part.is_last for part in (*parts, rest)] == [False, False, True]
    assert {part.answers[0].request.market for part in parts} == {BTC, ETH}
    assert [answer.request for answer in rest.answers] == [forming]
    assert gateway.states()["binance"].state == "live"


def test_an_exchange_whose_candles_have_all_come_in_parts_is_well(double, gateway_of, monkeypatch):
    monkeypatch.setattr("scanner.gateway.parts.PART_S", 0.0)
    gateway = gateway_of(double.binance)
    part, rest = gateway.candles([CandleRequest(BTC, "5m", NOW_MS - FIVE, 3, Purpose.CLOSE)], 30.0)
    assert (len(part.answers), rest.answers) == (1, [])
    assert gateway.states()["binance"].state == "live"


def test_candles_come_oldest_first_with_the_forming_one_last(double, gateway_of):
    request = CandleRequest(BTC, "5m", NOW_MS - 9 * FIVE, 20)
    sweep = candles(gateway_of(double.binance), request)["binance"]
    (answer,) = sweep.answers
    assert answer.request == request
    assert answer.began_ms == NOW_MS
    np.testing.assert_array_equal(answer.open_time, NOW_MS + FIVE * np.arange(-9, 1))
    np.testing.assert_array_equal(answer.close[-1], candle("BTC", NOW_MS, FIVE)[4])
    np.testing.assert_array_equal(answer.volume, np.full(10, 7.0))
    assert not sweep.deferred
    assert not sweep.failed


def test_kucoin_lots_become_base_currency(double, gateway_of):
    """7 BTC are reported as 7,000 lots of 0.001."""
    gateway = gateway_of(double.kucoin)
    request = CandleRequest(Market("kucoinfutures", "BTC/USDT"), "1h", NOW_MS - 5 * 3_600_000, 10)
    (answer,) = candles(gateway, request)["kucoinfutures"].answers
    assert len(answer) == 5
    np.testing.assert_allclose(answer.volume, 7.0)


@pytest.mark.parametrize(("exchange", "pages"), [("binance", 2), ("kucoinfutures", 6)])
def test_long_requests_are_paged(double, gateway_of, exchange, pages):
    gateway = gateway_of(double.binance if exchange == "binance" else double.kucoin)
    first = NOW_MS - 1199 * FIVE
    (answer,) = candles(gateway, CandleRequest(Market(exchange, "BTC/USDT"), "5m", first, 1200))[exchange].answers
    np.testing.assert_array_equal(answer.open_time, first + FIVE * np.arange(1200))
    assert len([path for path in double.paths() if path in ("klines", "query")]) == pages


def test_a_page_that_ends_early_is_taken_up_where_it_ended(double, gateway_of):
    double.edit = lambda path, answer: answer[:60] if path.endswith("klines") else answer
    gateway = gateway_of(double.binance)
    (answer,) = candles(gateway, CandleRequest(BTC, "5m", NOW_MS - 99 * FIVE, 100))["binance"].answers
    assert len(answer) == 100


def test_unsound_rows_are_dropped_and_counted(double, gateway_of):
    def spoil(path, answer):
        if not path.endswith("klines"):
            return answer
        answer[0][1] = None
        answer[1][4] = "0"
        answer[2][0] += 1000
        answer[3][5] = "-1"
        return [*answer[::-1], answer[5]]  # the wrong way round, one twice

    double.edit = spoil
    request = CandleRequest(BTC, "5m", NOW_MS - 9 * FIVE, 20)
    (answer,) = candles(gateway_of(double.binance), request)["binance"].answers
    assert answer.dropped == 4
    np.testing.assert_array_equal(answer.open_time, NOW_MS + FIVE * np.arange(-5, 1))


def test_one_market_that_fails_does_not_spoil_the_batch(double, gateway_of):
    gateway = gateway_of(double.binance)
    double.edit = lambda path, answer: {"code": -1121, "msg": "Invalid symbol."} if _asks_btc(double) else answer
    since = NOW_MS - 3 * FIVE
    sweep = candles(gateway, CandleRequest(BTC, "5m", since, 4))["binance"]
    assert isinstance(sweep.failed[BTC], UnknownSymbol)
    sweep = candles(gateway, CandleRequest(ETH, "5m", since, 4))["binance"]
    assert [answer.request.market for answer in sweep.answers] == [ETH]
    assert gateway.states()["binance"].state == "live"


def _asks_btc(double):
    return double.calls[-1][1].get("symbol") == "BTCUSDT"


def test_what_cannot_be_asked_fails_by_itself(double, gateway_of):
    gateway = gateway_of(double.binance)
    requests = [
        CandleRequest(BTC, "5m", NOW_MS, 1),
        CandleRequest(BTC, "1h", NOW_MS - NOW_MS % 3_600_000, 1),
        CandleRequest(Market("binance", "XYZ/USDT"), "5m", NOW_MS, 1),
    ]
    sweep = candles(gateway, *requests)["binance"]
    assert len(sweep.answers) == 2
    assert isinstance(sweep.failed[Market("binance", "XYZ/USDT")], UnknownSymbol)


def test_a_request_to_an_exchange_that_is_not_watched_is_refused(double, gateway_of):
    gateway = gateway_of(double.binance)
    with pytest.raises(InvalidInput, match="exchange: 'kraken' is not one of binance"):
        gateway.candles([CandleRequest(Market("kraken", "BTC/USDT"), "5m", NOW_MS, 1)], 1)


def test_requests_before_the_markets_are_listed_are_deferred(double, gateway_of):
    double.faults["/api/v3/exchangeInfo"] = hang
    gateway = gateway_of(double.binance, ready=False)
    request = CandleRequest(BTC, "5m", NOW_MS, 1)
    assert candles(gateway, request)["binance"].deferred == [request]
    assert prices(gateway) == {}


def test_symbols_that_cannot_be_used_are_skipped_with_the_reason(double, gateway_of):
    double.status |= {"SOL": "BREAK", "POL": "TRADING"}
    gateway = gateway_of(double.binance, symbols=("BTC/USDT", "SOL/USDT", "MATIC/USDT", "XYZ/USDT"))
    assert gateway.skipped() == {
        "binance:SOL/USDT": "not active on binance: halted or delisted",
        "binance:XYZ/USDT": "not listed on binance",
    }
    assert gateway.renamed() == {"binance:MATIC/USDT": "POL/USDT"}
    assert gateway.markets() == {"binance": (Market("binance", "BTC/USDT"), Market("binance", "POL/USDT"))}
    assert gateway.states()["binance"].markets == 2


def test_an_exchange_with_no_usable_symbol_says_so(double, gateway_of):
    gateway = gateway_of(double.binance, symbols=("XYZ/USDT",), ready=False)
    wait_for(lambda: gateway.states()["binance"].state == "down")
    assert gateway.states()["binance"].cause == "binance: none of the requested symbols can be used here"


def test_an_exchange_without_the_base_timeframe_says_so(double, gateway_of):
    gateway = gateway_of(double.kucoin, ExchangeSpec("luno", "luno"), timeframes=["2h", "3m"], ready=False)
    wait_for(lambda: gateway.states()["luno"].state == "down")
    assert "no 3m candles" in (gateway.states()["luno"].cause or "")
    assert gateway.skipped()["luno:BTC/USDT"] == "luno has no 3m candles"


def test_a_timeframe_the_exchange_lacks_fails_alone(double, gateway_of):
    gateway = gateway_of(double.binance)
    request = CandleRequest(BTC, "7m", NOW_MS, 1)
    assert isinstance(candles(gateway, request)["binance"].failed[BTC], Unsupported)


def test_candles_wait_for_weight_and_are_reported(double, gateway_of):
    gateway = gateway_of(double.binance, weight_share=0.005)  # 30 a minute: the listing took 20, prices keep 15
    request = CandleRequest(BTC, "5m", NOW_MS, 1)
    assert candles(gateway, request)["binance"].deferred == [request]


def test_the_exchanges_own_count_of_weight_is_believed(double, gateway_of):
    double.headers = {"X-MBX-USED-WEIGHT-1M": "5999"}
    gateway = gateway_of(double.binance)
    request = CandleRequest(BTC, "5m", NOW_MS, 1)
    assert candles(gateway, request)["binance"].deferred == [request]
    assert prices(gateway) == {}


def test_two_exchanges_of_one_id_are_refused(double):
    with pytest.raises(InvalidInput, match="exchanges"):
        Gateway([double.binance, double.binance], ["BTC/USDT"], None, timeframes=["5m"])


def test_all_coins_are_distinct(double):
    assert len({candle(coin, NOW_MS, FIVE)[1] for coin in COINS}) == len(COINS)
