"""Binance spot's public protocol: a request and a desk in, the answer's JSON values out. No I/O."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping

from scanner.simulated.desk import Desk, Entry, Refused, entries
from scanner.simulated.source import Listing, MarketSource, Series, Statistics
from scanner.simulated.weights import Verdict
from scanner.timeframes import DAY_MS, grid_of

Query = Mapping[str, str]

_LIMIT, _MOST = 500, 1000
_WHOLE = re.compile(r"\d{1,20}", re.ASCII)
_SYMBOLS = re.compile(r'\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]', re.ASCII)


def desk(source: MarketSource) -> Desk:
    """The spot pairs of a source under Binance's ids, BTCUSDT."""
    return Desk(source, entries(source, lambda listing: listing.settle is None, lambda x: f"{x.base}{x.quote}"))


def answer(path: str, query: Query, at: Desk) -> object:
    """The body of a good answer.

    Raises
    ------
    Refused
        A wrong parameter, with the body Binance sends.
    KeyError
        No such path.
    """
    return ROUTES[path](query, at)


def weighed(verdict: Verdict, limit: int, now_s: float) -> tuple[int, dict[str, str], object]:
    """Status of a refusal or 0, the headers that tell of weight, and the refusal's body."""
    headers = {"X-MBX-USED-WEIGHT": str(verdict.used), "X-MBX-USED-WEIGHT-1M": str(verdict.used)}
    if verdict.allowed:
        return 0, headers, None
    headers["Retry-After"] = str(verdict.wait_s)
    if verdict.banned:
        return 418, headers, _banned(int((now_s + verdict.wait_s) * 1000))
    return 429, headers, _used_up(limit)


def trouble(status: int) -> dict[str, object]:
    """A body for an HTTP error that has nothing to do with the request."""
    if status in (403, 451):
        return _error(0, "Service unavailable from a restricted location. Please contact customer service.")
    if status in (418, 429):
        return _used_up(6000)
    return _error(-1000, "An unknown error occurred while processing the request.")


def _used_up(limit: int) -> dict[str, object]:
    return _error(
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
    )


def _banned(until_ms: int) -> dict[str, object]:
    return _error(
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
    )


def _ping(query: Query, at: Desk) -> object:
    return {}


def _time(query: Query, at: Desk) -> object:
    return {"serverTime": at.now_ms}


def _system_status(query: Query, at: Desk) -> object:
    return {"status": 0, "msg": "normal"}


def _exchange_info(query: Query, at: Desk) -> object:
    rate_limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
    return {
        "timezone": "UTC",
        "serverTime": at.now_ms,
        "rateLimits": [rate_limit],
        "exchangeFilters": [],
        "symbols": [_symbol(entry) for entry in _chosen(query, at)],
    }


def _symbol(entry: Entry) -> dict[str, object]:
    listing = entry.listing
    tick = f"{listing.tick_size:.{_digits(listing)}f}"
    return {
        "symbol": entry.id,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000000.00000000", "stepSize": "0.00001000"},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _klines(query: Query, at: Desk) -> object:
    entry = _entry(query.get("symbol"), at)
    interval = query.get("interval")
    if interval is None:
        raise _missing("interval")
    if interval not in at.timeframes:
        raise Refused(400, _error(-1120, "Invalid interval."))
    limit = _whole(query, "limit", _LIMIT)
    start, end = _whole(query, "startTime", -1), _whole(query, "endTime", at.now_ms)
    count = min(limit, _MOST) or _LIMIT
    found = at.last(entry, interval, end, count) if start < 0 else at.first(entry, interval, start, end, count)
    return _rows(found, grid_of(interval)[0], _digits(entry.listing))


def _rows(candles: Series, length: int, digits: int) -> list[list[object]]:
    price, rows = f"%.{digits}f", []
    for opened, o, h, low, c, v in zip(*(column.tolist() for column in candles.columns()), strict=True):
        turnover = v * (o + h + low + c) / 4
        row = [opened, price % o, price % h, price % low, price % c, "%.8f" % v, opened + length - 1]  # noqa: UP031
        rows.append([*row, f"{turnover:.8f}", _trades(turnover), f"{v / 2:.8f}", f"{turnover / 2:.8f}", "0"])
    return rows


def _prices(query: Query, at: Desk) -> object:
    prices = at.source.last_prices(at.now_ms)

    def render(entry: Entry) -> dict[str, object]:
        return {"symbol": entry.id, "price": f"{prices[entry.row]:.{_digits(entry.listing)}f}"}

    return _one_or_all(query, at, render, lambda entry: math.isfinite(prices[entry.row]))


def _book(query: Query, at: Desk) -> object:
    prices = at.source.last_prices(at.now_ms)

    def render(entry: Entry) -> dict[str, object]:
        return {"symbol": entry.id} | _best(entry.listing, float(prices[entry.row]))

    return _one_or_all(query, at, render, lambda entry: math.isfinite(prices[entry.row]))


def _day(query: Query, at: Desk) -> object:
    statistics = at.source.statistics_24h(at.now_ms)

    def render(entry: Entry) -> dict[str, object]:
        return _day_of(entry, statistics, at.now_ms)

    return _one_or_all(query, at, render, lambda entry: math.isfinite(statistics.last[entry.row]))


def _day_of(entry: Entry, day: Statistics, now_ms: int) -> dict[str, object]:
    row, digits = entry.row, _digits(entry.listing)
    opened, last = float(day.open[row]), float(day.last[row])
    volume, turnover = float(day.volume[row]), float(day.turnover[row])
    average = turnover / volume if volume else 0.0
    return {
        "symbol": entry.id,
        "priceChange": f"{last - opened:.{digits}f}",
        "priceChangePercent": f"{100 * (last / opened - 1):.3f}",
        "weightedAvgPrice": f"{average:.{digits}f}",
        "prevClosePrice": f"{opened:.{digits}f}",
        "lastPrice": f"{last:.{digits}f}",
        "lastQty": f"{volume / 1e5:.8f}",
        **_best(entry.listing, last),
        "openPrice": f"{opened:.{digits}f}",
        "highPrice": f"{day.high[row]:.{digits}f}",
        "lowPrice": f"{day.low[row]:.{digits}f}",
        "volume": f"{volume:.8f}",
        "quoteVolume": f"{turnover:.8f}",
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": 0,
        "lastId": _trades(turnover),
        "count": _trades(turnover) + 1,
    }


def _best(listing: Listing, last: float) -> dict[str, object]:
    """Best bid and ask: at least a tick to either side, or half a basis point."""
    tick, digits = listing.tick_size, _digits(listing)
    half = max(1, round(last * 5e-5 / tick)) * tick
    return {
        "bidPrice": f"{max(last - half, tick):.{digits}f}",
        "bidQty": f"{1e4 / last:.8f}",
        "askPrice": f"{last + half:.{digits}f}",
        "askQty": f"{1e4 / last:.8f}",
    }


def _one_or_all(
    query: Query, at: Desk, render: Callable[[Entry], dict[str, object]], is_known: Callable[[Entry], bool]
) -> object:
    """One object for `symbol`, a list for `symbols` or nothing; without markets that have no candle yet."""
    answers = [render(entry) for entry in _chosen(query, at) if is_known(entry)]
    if "symbol" not in query:
        return answers
    if not answers:
        raise Refused(400, _error(-1121, "Invalid symbol."))
    return answers[0]


def _chosen(query: Query, at: Desk) -> list[Entry]:
    """The markets a request names; all when it names none."""
    if "symbol" in query and "symbols" in query:
        raise Refused(400, _error(-1128, "Combination of optional parameters invalid."))
    if "symbol" in query:
        return [_entry(query["symbol"], at)]
    if "symbols" not in query:
        return list(at)
    if not _SYMBOLS.fullmatch(query["symbols"]):
        raise Refused(400, _illegal("symbols", _SYMBOLS.pattern))
    return [_entry(market_id, at) for market_id in json.loads(query["symbols"])]


def _entry(market_id: str | None, at: Desk) -> Entry:
    if not market_id:
        raise _missing("symbol")
    entry = at.find(market_id)
    if entry is None:
        raise Refused(400, _error(-1121, "Invalid symbol."))
    return entry


def _whole(query: Query, name: str, default: int) -> int:
    if name not in query:
        return default
    if not _WHOLE.fullmatch(query[name]):
        raise Refused(400, _illegal(name, "^[0-9]{1,20}$"))
    return int(query[name])


def _missing(name: str) -> Refused:
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return Refused(400, _error(-1102, text))


def _illegal(name: str, legal: str) -> dict[str, object]:
    return _error(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def _error(code: int, message: str) -> dict[str, object]:
    return {"code": code, "msg": message}


def _digits(listing: Listing) -> int:
    return max(8, listing.decimals)


def _trades(turnover: float) -> int:
    """A plausible number of trades."""
    return math.ceil(turnover / 800)


ROUTES: dict[str, Callable[[Query, Desk], object]] = {
    "/api/v3/ping": _ping,
    "/api/v3/time": _time,
    "/api/v3/exchangeInfo": _exchange_info,
    "/api/v3/klines": _klines,
    "/api/v3/ticker/price": _prices,
    "/api/v3/ticker/24hr": _day,
    "/api/v3/ticker/bookTicker": _book,
    "/sapi/v1/system/status": _system_status,
}
