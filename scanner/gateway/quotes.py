"""Prices out of the tickers of an exchange: unusable ones dropped, statistics kept from one sweep to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scanner.gateway.answers import PriceAnswer
from scanner.markets import Market

Tickers = Mapping[str, Mapping[str, Any]]  # ccxt's answer: listed symbol -> ticker


class Statistics(NamedTuple):
    """What changes slowly about a market; NaN where unknown."""

    quote_volume: float = math.nan
    bid: float = math.nan
    ask: float = math.nan

    def or_else(self, older: Statistics) -> Statistics:
        """These, with the older ones where unknown."""
        return Statistics(*(old if math.isnan(new) else new for new, old in zip(self, older, strict=True)))


NOTHING = Statistics()


def statistics_of(tickers: Tickers) -> dict[str, Statistics]:
    """Volume, bid and ask of each ticker that has any."""
    found = {symbol: _statistics(ticker) for symbol, ticker in tickers.items()}
    return {symbol: known for symbol, known in found.items() if not all(map(math.isnan, known))}


def merged(newer: Mapping[str, Statistics], older: Mapping[str, Statistics]) -> dict[str, Statistics]:
    """Both, the newer values winning where they are known."""
    return dict(older) | {symbol: known.or_else(older.get(symbol, NOTHING)) for symbol, known in newer.items()}


def price_answer(
    exchange: str, at_ms: int, markets: Mapping[str, Market], tickers: Tickers, known: Mapping[str, Statistics]
) -> PriceAnswer:
    """The usable prices among `tickers`.

    Parameters
    ----------
    markets : mapping
        Listed symbol -> the market it was requested as; other tickers are ignored.
    known : mapping
        Statistics by listed symbol, merged in.
    """
    prices = {symbol: _price(tickers[symbol]) for symbol in markets if symbol in tickers}
    usable = [symbol for symbol, price in prices.items() if not math.isnan(price)]
    columns = np.array([known.get(symbol, NOTHING) for symbol in usable], np.float64).reshape(-1, 3).T
    volume, bid, ask = (np.ascontiguousarray(column) for column in columns)
    price = np.array([prices[symbol] for symbol in usable], np.float64)
    return PriceAnswer(exchange, at_ms, tuple(markets[symbol] for symbol in usable), price, volume, bid, ask)


def _price(ticker: Mapping[str, Any]) -> float:
    """The last trade: `price` in a last-price answer, `last` in a ticker."""
    return _positive(ticker.get("last") if ticker.get("price") is None else ticker["price"])


def _statistics(ticker: Mapping[str, Any]) -> Statistics:
    volume = _number(ticker.get("quoteVolume"))
    return Statistics(volume if volume >= 0 else math.nan, _positive(ticker.get("bid")), _positive(ticker.get("ask")))


def _positive(value: object) -> float:
    number = _number(value)
    return number if number > 0 else math.nan


def _number(value: object) -> float:
    """`value` as a finite float, else NaN."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return math.nan
    return float(value)
