"""One ccxt instance, set up for watching: public data only, every answer looked at once on its way in."""

from __future__ import annotations

import functools
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import ccxt.async_support as ccxt
import certifi

from scanner.gateway.budget import WeightTable, weights_of
from scanner.gateway.failures import BY_STATUS, Answered
from scanner.gateway.flight import note_sent
from scanner.gateway.plain_rows import IN_ORDER, plain_rows
from scanner.gateway.specs import ExchangeSpec

# Binance's class is spot here; its futures have ids of their own (binanceusdm, binancecoinm).
OPTIONS: dict[str, dict[str, Any]] = {
    "binance": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
}
# Candles one call really gives, where ccxt's own table is wrong.
PAGES = {"kucoin": 200, "kucoinfutures": 200}
MOST_AT_ONCE = 16
QUEUE_MS = 2000.0  # of throttling ahead of a request
SMALLEST_PAGE = 100  # when nothing is known; every exchange gives that many


def connect(spec: ExchangeSpec, timeout_s: float, seen: Callable[[Mapping[str, str]], None]) -> Any:
    """A ccxt exchange for `spec`; `seen` gets the headers of every answer, names in lower case.

    Makes no connection yet. Its `close()` is owed, on the loop that used it.
    """
    exchange = _watched_class(spec.ccxt_id)(
        {
            "enableRateLimit": True,
            "timeout": int(timeout_s * 1000),
            "options": OPTIONS.get(spec.ccxt_id, {}),
            "aiohttp_trust_env": not spec.simulated,  # proxies of the environment, never for loopback
        }
    )
    exchange.seen = seen
    exchange.has["fetchCurrencies"] = False  # costs weight and needs endpoints that prices and candles do not
    exchange.ssl_context = ssl_context()
    exchange.timeout_on_exit = 0  # sessions are closed properly; nothing to wait for
    if spec.pace != 1:
        exchange.rateLimit /= spec.pace
        exchange.tokenBucket = None
        exchange.init_rest_rate_limiter()
    if spec.urls is not None:
        kept = {} if spec.simulated else dict(exchange.urls["api"])
        exchange.urls["api"] = kept | dict(spec.urls)
    return exchange


def weight_table(exchange: Any, pace: float = 1.0) -> WeightTable:
    """What the calls of this ccxt exchange cost, and what it allows at `pace` times its usual limits."""
    table = weights_of(str(exchange.id), float(exchange.rateLimit or 1000) * pace)
    return replace(table, limit=int(table.limit * pace))


def most_at_once(exchange: Any) -> int:
    """Requests worth having in flight: more would queue in ccxt's throttler, where they cannot be called off."""
    return max(2, min(MOST_AT_ONCE, int(QUEUE_MS / float(exchange.rateLimit or 1000))))


def candles_per_call(exchange: Any, market: Mapping[str, Any]) -> int:
    """Candles of `market` that one call gives at most."""
    if exchange.id in PAGES and market.get("contract"):
        return PAGES[exchange.id]
    kind: Any = (exchange.features or {}).get(market.get("type") or "spot") or {}
    if market.get("contract"):
        kind = kind.get("inverse" if market.get("inverse") else "linear") or {}
    limit = (kind.get("fetchOHLCV") or {}).get("limit")
    return limit if isinstance(limit, int) and limit > 0 else SMALLEST_PAGE


class _Watched:
    """Mixed in before a ccxt class: notes headers, and hangs the HTTP answer on every error it causes."""

    seen: Callable[[Mapping[str, str]], None]

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: str,
        response: object,
        request_headers: object,
        request_body: object,
    ) -> Any:
        answered = Answered(code, {name.lower(): value for name, value in headers.items()}, body or "")
        self.seen(answered.headers)
        try:
            _refuse_useless(answered, response)
            parent: Any = super()
            result = parent.handle_errors(
                code, reason, url, method, headers, body, response, request_headers, request_body
            )
            parent.handle_http_status_code(code, reason, url, method, body)
            return result
        except ccxt.BaseError as error:
            error.answered = answered
            raise

    def parse_ohlcvs(
        self,
        ohlcvs: Any,
        market: Any = None,
        timeframe: str = "1m",
        since: int | None = None,
        limit: int | None = None,
        tail: bool = False,
    ) -> Any:
        """What ccxt's own says, sooner where the rows are plain."""
        this: Any = self
        parent: Any = super()
        rows = None
        if this.id in IN_ORDER and not (market or {}).get("inverse"):
            rows = plain_rows(ohlcvs)
        if rows is None:
            return parent.parse_ohlcvs(ohlcvs, market, timeframe, since, limit, tail)
        if since is not None:
            rows = [row for row in rows if row[0] and row[0] >= since]
        return this.filter_by_limit(rows, limit, 0, not tail and since is not None)

    async def throttle(self, cost: Any = None) -> None:
        """ccxt's own, which may hold a request back for long; notes when it lets go."""
        parent: Any = super()
        await parent.throttle(cost)
        note_sent(time.monotonic())

    def calculate_rate_limiter_cost(
        self, api: Any, method: Any, path: Any, params: Mapping[str, Any], config: Mapping[str, Any]
    ) -> Any:
        """ccxt spaces Binance's statistics of a few named symbols like those of all; they weigh a fortieth."""
        this: Any = self
        if this.id == "binance" and path == "ticker/24hr" and "symbols" in params:
            return weight_table(this).tickers_weight(len(json.loads(params["symbols"]))) * 0.2
        parent: Any = super()
        return parent.calculate_rate_limiter_cost(api, method, path, params, config)


def _refuse_useless(answered: Answered, response: object) -> None:
    """Refusals by status count whatever the body says; a good status without JSON would be parsed as data."""
    if answered.status in BY_STATUS or answered.status >= 500:
        raise ccxt.ExchangeNotAvailable(str(answered.status))
    if response is None and answered.status < 400:
        raise ccxt.BadResponse("no JSON")


@functools.cache
def _watched_class(ccxt_id: str) -> Any:
    return type(f"Watched_{ccxt_id}", (_Watched, getattr(ccxt, ccxt_id)), {})


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """Shared: reading the certificates takes tens of milliseconds."""
    return ssl.create_default_context(cafile=certifi.where())
