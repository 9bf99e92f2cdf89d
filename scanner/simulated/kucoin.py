"""KuCoin futures' public protocol: a request and a desk in, the answer's JSON values out. No I/O."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from scanner.simulated.desk import Desk, Entry, Refused, entries
from scanner.simulated.source import Listing, MarketSource, Series, Statistics
from scanner.simulated.weights import Verdict
from scanner.timeframes import HOUR_MS, LENGTH_MS, MINUTE_MS, WEEK_MS

Query = Mapping[str, str]

_MOST = 200
_TIMEFRAMES = {
    str(length // MINUTE_MS): name for name, length in (*LENGTH_MS.items(), ("1w", WEEK_MS)) if name not in ("3m", "6h")
}
_FUNDING_MS = 8 * HOUR_MS
_OWN_NAMES = {"BTC": "XBT"}


def desk(source: MarketSource) -> Desk:
    """The swaps of a source under KuCoin's ids, XBTUSDTM."""
    return Desk(source, entries(source, lambda listing: listing.settle is not None, _id))


def answer(path: str, query: Query, at: Desk) -> object:
    """The body of a good answer.

    Raises
    ------
    Refused
        A wrong parameter, with the body KuCoin sends.
    KeyError
        No such path.
    """
    return {"code": "200000", "data": ROUTES[path](query, at)}


def weighed(verdict: Verdict, limit: int, reset_ms: int) -> tuple[int, dict[str, str], object]:
    """Status of a refusal or 0, the headers that tell of weight, and the refusal's body."""
    headers = {
        "gw-ratelimit-limit": str(limit),
        "gw-ratelimit-remaining": str(limit - verdict.used),
        "gw-ratelimit-reset": str(reset_ms),
    }
    return (0, headers, None) if verdict.allowed else (429, headers, trouble(429))


def trouble(status: int) -> dict[str, object]:
    """A body for an HTTP error that has nothing to do with the request."""
    if status == 429:
        return {"code": "429000", "msg": "Too many requests in a short period of time, please retry later"}
    if status == 404:
        return {"code": "404", "msg": "Url Not Found"}
    return {"code": f"{status}000", "msg": "The service is not available"}


def _timestamp(query: Query, at: Desk) -> object:
    return at.now_ms


def _status(query: Query, at: Desk) -> object:
    return {"status": "open", "msg": ""}


def _klines(query: Query, at: Desk) -> object:
    entry = _entry(query, at)
    timeframe = _TIMEFRAMES.get(query.get("granularity", ""))
    if timeframe is None or timeframe not in at.timeframes:
        raise Refused(400, {"code": "400100", "msg": "Invalid parameter: granularity"})
    start, end = _time(query, "from"), _time(query, "to")
    if start is None:
        found = at.last(entry, timeframe, at.now_ms if end is None else end, _MOST)
    else:
        found = at.first(entry, timeframe, start, at.now_ms if end is None else end, _MOST)
    return _rows(found, entry.listing.contract_size)


def _rows(candles: Series, contract_size: float) -> list[list[float]]:
    """Volume in lots; an interval nobody traded has no candle."""
    traded = candles.take(candles.volume > 0)
    return [
        [opened, o, h, low, c, _lots(v, contract_size)]
        for opened, o, h, low, c, v in zip(*(column.tolist() for column in traded.columns()), strict=True)
    ]


def _contracts(query: Query, at: Desk) -> object:
    day = at.source.statistics_24h(at.now_ms)
    return [_contract(entry, day, at.now_ms) for entry in at]


def _contract(entry: Entry, day: Statistics, now_ms: int) -> dict[str, object]:
    listing, row = entry.listing, entry.row
    next_funding = (now_ms // _FUNDING_MS + 1) * _FUNDING_MS
    return {
        "symbol": entry.id,
        "rootSymbol": listing.settle,
        "type": "FFWCSX",
        "firstOpenDate": listing.listed_ms,
        "expireDate": None,
        "settleDate": None,
        "baseCurrency": _own_name(listing.base),
        "quoteCurrency": listing.quote,
        "settleCurrency": listing.settle,
        "maxOrderQty": 1_000_000,
        "maxPrice": 1_000_000.0,
        "lotSize": 1,
        "tickSize": listing.tick_size,
        "indexPriceTickSize": listing.tick_size,
        "multiplier": listing.contract_size,
        "initialMargin": 0.02,
        "maintainMargin": 0.01,
        "makerFeeRate": 0.0002,
        "takerFeeRate": 0.0006,
        "isDeleverage": True,
        "isQuanto": True,
        "isInverse": False,
        "markMethod": "FairPrice",
        "fairMethod": "FundingRate",
        "status": "Open",
        "fundingFeeRate": 0.0001,
        "predictedFundingFeeRate": None,
        "fundingRateGranularity": _FUNDING_MS,
        "openInterest": "0",
        "nextFundingRateTime": next_funding - now_ms,
        "nextFundingRateDateTime": next_funding,
        "maxLeverage": 50,
        "marketStage": "NORMAL",
        **_day(day, row),
    }


def _day(day: Statistics, row: int) -> dict[str, object]:
    """The fields of the last 24 hours; null where nothing was traded yet."""
    opened, last = float(day.open[row]), float(day.last[row])
    known = math.isfinite(last)
    return {
        "turnoverOf24h": float(day.turnover[row]) if known else 0.0,
        "volumeOf24h": float(day.volume[row]) if known else 0.0,
        "markPrice": last if known else None,
        "indexPrice": last if known else None,
        "lastTradePrice": last if known else None,
        "lowPrice": float(day.low[row]) if known else None,
        "highPrice": float(day.high[row]) if known else None,
        "priceChgPct": round(last / opened - 1, 4) if known else None,
        "priceChg": round(last - opened, 10) if known else None,
    }


def _currencies(query: Query, at: Desk) -> object:
    """Every base and quote: ccxt asks before it loads the markets."""
    codes = {code for entry in at for code in (_own_name(entry.listing.base), entry.listing.quote)}
    return [
        {"currency": code, "name": code, "fullName": code, "precision": 8, "isMarginEnabled": True, "chains": [chain]}
        for code, chain in ((code, {"chainName": code, "chainId": code.lower()}) for code in sorted(codes))
    ]


def _tickers(query: Query, at: Desk) -> object:
    prices = at.source.last_prices(at.now_ms)
    return [_ticker_of(entry, float(prices[entry.row]), at) for entry in at if math.isfinite(prices[entry.row])]


def _ticker(query: Query, at: Desk) -> object:
    entry = _entry(query, at)
    return _ticker_of(entry, float(at.source.last_prices(at.now_ms)[entry.row]), at)


def _ticker_of(entry: Entry, last: float, at: Desk) -> dict[str, object]:
    tick, digits = entry.listing.tick_size, entry.listing.decimals
    half = max(1, round(last * 5e-5 / tick)) * tick
    lots = _lots(1e4 / last, entry.listing.contract_size)
    return {
        "sequence": at.now_ms,
        "symbol": entry.id,
        "side": "buy",
        "size": 1,
        "tradeId": str(at.now_ms),
        "price": f"{last:.{digits}f}",
        "bestBidPrice": f"{max(last - half, tick):.{digits}f}",
        "bestBidSize": lots,
        "bestAskPrice": f"{last + half:.{digits}f}",
        "bestAskSize": lots,
        "ts": at.now_ms * 1_000_000,  # nanoseconds
    }


def _entry(query: Query, at: Desk) -> Entry:
    entry = at.find(query.get("symbol", ""))
    if entry is None:
        raise Refused(400, {"code": "400100", "msg": "Unsupported trading pair."})
    return entry


def _time(query: Query, name: str) -> int | None:
    if name not in query:
        return None
    if not query[name].isascii() or not query[name].isdigit():
        raise Refused(400, {"code": "400100", "msg": f"Invalid parameter: {name}"})
    return int(query[name][:20])


def _lots(volume: float, contract_size: float) -> int:
    """Whole contracts; what was traded is at least one."""
    return max(1, round(volume / contract_size))


def _id(listing: Listing) -> str:
    return f"{_own_name(listing.base)}{listing.quote}M"


def _own_name(base: str) -> str:
    return _OWN_NAMES.get(base, base)


ROUTES: dict[str, Callable[[Query, Desk], object]] = {
    "/api/v3/currencies": _currencies,
    "/api/v1/contracts/active": _contracts,
    "/api/v1/kline/query": _klines,
    "/api/v1/allTickers": _tickers,
    "/api/v1/ticker": _ticker,
    "/api/v1/timestamp": _timestamp,
    "/api/v1/status": _status,
}
