"""The only door to real exchanges: prices and candles through ccxt, on one asyncio loop thread."""

from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep, ExchangeState, PriceAnswer, Purpose
from scanner.gateway.gateway import Gateway
from scanner.gateway.specs import ExchangeSpec, known_exchanges, real_exchange

__all__ = [
    "CandleAnswer",
    "CandleRequest",
    "CandleSweep",
    "ExchangeSpec",
    "ExchangeState",
    "Gateway",
    "PriceAnswer",
    "Purpose",
    "known_exchanges",
    "real_exchange",
]
