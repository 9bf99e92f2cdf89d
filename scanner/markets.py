"""Markets and the many ways of writing their symbols.

A market is one (exchange, symbol), written ``binance:BTC/USDT``. What people and URLs write for a symbol
(``btc-usdt``, ``BTCUSDT``, ``BTC%2FUSDT``) is matched here against a strict pattern, before it comes near a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from scanner.errors import InvalidInput
from scanner.renames import KNOWN, Renames

SYMBOL = re.compile(r"[A-Z0-9]{1,24}/[A-Z0-9]{1,12}(:[A-Z0-9]{1,12})?", re.ASCII)
EXCHANGE = re.compile(r"[a-z][a-z0-9]{1,31}", re.ASCII)
ASSET = re.compile(r"[A-Z0-9]{1,24}", re.ASCII)
_SLASH, _COLON = re.compile("%2F", re.IGNORECASE), re.compile("%3A", re.IGNORECASE)
LONGEST = 80  # characters; no listed symbol comes near
MOST_SYMBOLS = 5000  # in one list

# Quotes that a symbol written without a separator may end with, longest first where one ends with another.
QUOTES = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "DAI", "USD", "EUR", "GBP", "TRY", "BRL", "JPY", "BTC", "ETH", "BNB")

DEFAULT_SYMBOLS = tuple(
    f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOGE", "MATIC", "DOT", "LINK")
)
DEFAULT_EXCHANGES = ("binance", "kucoinfutures")


@dataclass(frozen=True, order=True, slots=True)
class Market:
    """One symbol on one exchange."""

    exchange: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @classmethod
    def parse(cls, text: str) -> Market:
        """``binance:BTC/USDT`` as a market; raises InvalidInput."""
        wanted = parse_symbol(text)
        if wanted.exchange is None or wanted.symbol is None:
            raise InvalidInput("market", text, "is not written like 'binance:BTC/USDT'")
        return cls(wanted.exchange, wanted.symbol)

    @property
    def base(self) -> str:
        return self.symbol.partition("/")[0]


class Wanted(NamedTuple):
    """What a written symbol asks for: a whole symbol, or every market of a base asset.

    ``WBTC`` may be either: its symbol is then ``W/BTC`` and its base ``WBTC``. `also` is what
    the same coin was or is called otherwise.
    """

    exchange: str | None
    symbol: str | None
    base: str
    also: tuple[Wanted, ...] = ()

    def matches(self, market: Market) -> bool:
        """Whether `market` is meant; ``BTC/USDT`` also means the swap, ``MATIC/USDT`` also ``POL/USDT``."""
        if self.exchange is not None and self.exchange != market.exchange:
            return False
        return self._means(market) or any(other._means(market) for other in self.also)

    def on(self, exchange: str | None) -> Wanted:
        """The same on one exchange, None for no narrowing.

        Raises
        ------
        InvalidInput
            It is no exchange id, or another one stands in front of the symbol.
        """
        if exchange is None or exchange == self.exchange:
            return self
        if not EXCHANGE.fullmatch(exchange):
            raise InvalidInput("exchange", exchange, "is not an exchange id such as 'binance'")
        if self.exchange is not None:
            raise InvalidInput("exchange", exchange, f"contradicts the symbol, which names {self.exchange}")
        return self._replace(exchange=exchange)

    def _means(self, market: Market) -> bool:
        if self.symbol in (market.symbol, market.symbol.partition(":")[0]):
            return True
        by_base = self.symbol is None or self.symbol.partition("/")[0] != self.base
        return by_base and market.base == self.base


def parse_symbol(text: object, field: str = "symbol", *, allow_base: bool = False, renames: Renames = KNOWN) -> Wanted:
    """A symbol as people write it, in any case.

    ``BTC/USDT``, ``BTC%2FUSDT`` (already decoded or not), ``BTC-USDT``, ``BTC_USDT``, ``BTCUSDT``,
    ``BTC/USDT:USDT``, each with an optional exchange in front (``binance:BTC/USDT``).

    Parameters
    ----------
    allow_base : bool
        Take ``BTC`` or ``binance:BTC`` as "every market whose base asset is BTC".
    renames : Renames
        Coins with several names; asking by one means all.

    Raises
    ------
    InvalidInput
        Anything else, with `field` in the message.
    """
    expected = "is not a symbol such as 'BTC/USDT', 'BTC-USDT' or 'binance:BTC/USDT'"
    if not isinstance(text, str) or not text.isascii() or not 1 <= len(text) <= LONGEST:
        raise InvalidInput(field, text, expected)  # upper case would turn some other letters into these
    exchange, rest = _split_exchange(_SLASH.sub("/", _COLON.sub(":", text)))
    if exchange is not None and not EXCHANGE.fullmatch(exchange):
        raise InvalidInput(field, text, expected)
    written = rest.upper()
    symbol, is_base = _with_slash(written), allow_base and ASSET.fullmatch(written) is not None
    if SYMBOL.fullmatch(symbol):
        base, _, rest = symbol.partition("/")
        also = tuple(Wanted(exchange, f"{other}/{rest}", other) for other in renames.others(base))
        return Wanted(exchange, symbol, written if is_base else base, also)
    if is_base:
        return Wanted(exchange, None, written, tuple(Wanted(exchange, None, o) for o in renames.others(written)))
    raise InvalidInput(field, text, expected)


def _split_exchange(text: str) -> tuple[str | None, str]:
    """``binance:BTC/USDT`` as its two parts; the colon of ``BTC/USDT:USDT`` or ``BTCUSDT:USDT`` is no exchange's."""
    head, colon, tail = text.partition(":")
    settles = tail.upper() in QUOTES and "/" in _with_slash(head.upper())
    if colon and not settles and not re.search(r"[/_-]", head):
        return head.lower(), tail
    return None, text


def _with_slash(text: str) -> str:
    """The ``BASE/QUOTE`` form of a symbol written with another separator or none."""
    if "/" in text:
        return text
    pair, colon, settle = text.partition(":")
    for separator in "-_":
        if pair.count(separator) == 1:
            return pair.replace(separator, "/") + colon + settle
    for quote in QUOTES:
        if pair.endswith(quote) and len(pair) > len(quote):
            return f"{pair[: -len(quote)]}/{quote}{colon}{settle}"
    return text


def select(markets: Iterable[Market], wanted: Wanted) -> list[Market]:
    """The markets that `wanted` means, in their given order."""
    return [market for market in markets if wanted.matches(market)]
