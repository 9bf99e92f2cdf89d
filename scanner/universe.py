"""A universe: a rule that says which markets of an exchange are scanned, in place of a list of symbols.

The rule is a plain value, checked here; what it means for the markets an exchange lists is decided in the gateway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scanner.errors import InvalidInput
from scanner.markets import ASSET, MOST_SYMBOLS, Wanted, parse_symbol

ALL = "all"  # written in place of a list of symbols: the universe that leaves nothing out
MOST_QUOTES = 20
MOST_VOLUME_USD = 1e15
BAND = 1.2  # a market leaves beyond this many times `top`, or below 1 / this of `min_volume_usd`
LISTS = ("quote", "include", "exclude")


@dataclass(frozen=True)
class Universe:
    """Which markets to scan; a rule without fields means every pair that can be scanned.

    Attributes
    ----------
    quote : tuple of str
        Quote currencies; empty for any.
    top : int or None
        The so many markets with the largest volume.
    min_volume_usd : float or None
        Volume of the last 24 hours that a market needs.
    include : tuple of str
        Symbols that are scanned whatever the other fields say.
    exclude : tuple of str
        Symbols, or base assets, that are not.
    """

    quote: tuple[str, ...] = ()
    top: int | None = None
    min_volume_usd: float | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, values: object, prefix: str = "universe") -> Universe:
        """A universe from parsed JSON.

        Raises
        ------
        InvalidInput
            `values` is no mapping, has an unknown key or a wrong value; the message names the field.
        """
        if not isinstance(values, Mapping):
            raise InvalidInput(prefix, values, "is not an object such as {'quote': 'USDT', 'top': 200}")
        for key in values:
            if key not in _CHECKS:
                expected = f"is unknown; known are {', '.join(_CHECKS)}"
                raise InvalidInput(f"{prefix}.{key}"[:100], values[key], expected)
        checked: dict[str, Any] = {
            key: _CHECKS[key](f"{prefix}.{key}", value) for key, value in values.items() if value is not None
        }
        universe = cls(**checked)
        for i, symbol in enumerate(universe.include):
            if universe.excludes(symbol):
                raise InvalidInput(f"{prefix}.include[{i}]", symbol, f"is in {prefix}.exclude too")
        return universe

    @classmethod
    def from_text(cls, text: str, called: str) -> Universe:
        """A universe written ``quote=USDT,top=200,include=BTC/USDC,ETH/USDC``; ``all`` leaves nothing out.

        Raises
        ------
        InvalidInput
            It is written otherwise; the message begins with `called`.
        """
        if text.strip().lower() == ALL:
            return cls()
        values: dict[str, Any] = {}
        key = ""
        for part in (part.strip() for part in text.split(",")):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not part or (not equals and key not in LISTS) or (equals and name in values):
                raise InvalidInput(called, text, "is not written like 'quote=USDT,top=200,include=BTC/USDC,ETH/USDC'")
            key, value = (name, value) if equals else (key, name)
            values[key] = [*values.get(key, []), value] if key in LISTS else _plain(value)
        return cls.from_mapping(values, called)

    @property
    def ranks(self) -> bool:
        """Whether volumes must be known to apply it."""
        return self.top is not None or bool(self.min_volume_usd)

    @property
    def most(self) -> int | None:
        """The most markets it can choose on one exchange, None where nothing limits them."""
        return None if self.top is None else math.floor(self.top * BAND) + len(self.include)

    def excludes(self, symbol: str) -> bool:
        """Whether `exclude` names a symbol, its pair or its base asset."""
        pair = symbol.partition(":")[0]
        return not {symbol, pair, pair.partition("/")[0]}.isdisjoint(self.exclude)

    def as_dict(self) -> dict[str, Any]:
        """All fields as plain values, which `from_mapping` reads."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _quotes(field: str, value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    expected = f"is not a quote currency such as 'USDT', or a list of at most {MOST_QUOTES} of them"
    if not isinstance(texts, Sequence) or len(texts) > MOST_QUOTES:
        raise InvalidInput(field, value, expected)
    for text in texts:
        if not isinstance(text, str) or not text.isascii() or not ASSET.fullmatch(text.upper()) or len(text) > 12:
            raise InvalidInput(field, text, expected)
    return tuple(dict.fromkeys(text.upper() for text in texts))


def _top(field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_SYMBOLS:
        raise InvalidInput(field, value, f"is not a whole number from 1 to {MOST_SYMBOLS}")
    return value


def _volume(field: str, value: object) -> float:
    right_type = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right_type or not 0 <= value <= MOST_VOLUME_USD:  # type: ignore[operator]
        raise InvalidInput(field, value, f"is not a number of dollars from 0 to {MOST_VOLUME_USD:g}")
    return float(value)  # type: ignore[arg-type]


def _include(field: str, value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(wanted.symbol) for wanted in _symbols(field, value, allow_base=False)))


def _exclude(field: str, value: object) -> tuple[str, ...]:
    """Symbols and base assets; ``WBTC`` may be either, so both W/BTC and the asset."""
    wanted = _symbols(field, value, allow_base=True)
    names = tuple(dict.fromkeys(name for each in wanted for name in _meant(each)))
    if len(names) > MOST_SYMBOLS:
        expected = f"means {len(names)} symbols and assets, more than {MOST_SYMBOLS}; written W/BTC, a name means one"
        raise InvalidInput(field, value, expected)
    return names


def _meant(wanted: Wanted) -> tuple[str, ...]:
    if wanted.symbol is None:
        return (wanted.base,)
    is_pair = wanted.symbol.partition("/")[0] == wanted.base
    return (wanted.symbol,) if is_pair else (wanted.symbol, wanted.base)


def _symbols(field: str, value: object, *, allow_base: bool) -> list[Wanted]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) > MOST_SYMBOLS:
        raise InvalidInput(field, value, f"is not a list of at most {MOST_SYMBOLS} symbols")
    found = [parse_symbol(text, f"{field}[{i}]", allow_base=allow_base) for i, text in enumerate(value)]
    for i, wanted in enumerate(found):
        if wanted.exchange is not None:
            raise InvalidInput(f"{field}[{i}]", value[i], "names an exchange; put that into exchanges")
    return found


def _plain(text: str) -> object:
    """A number where the text is one."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


_CHECKS = {
    "quote": _quotes,
    "top": _top,
    "min_volume_usd": _volume,
    "include": _include,
    "exclude": _exclude,
}
