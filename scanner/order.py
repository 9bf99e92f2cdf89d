"""A start order: what to scan, where, and how, checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.markets import EXCHANGE, parse_symbol

MOST_SYMBOLS = 5000
MOST_EXCHANGES = 10
SPOT_SIMULATED, FUTURES_SIMULATED = "simulated", "simulatedfutures"
SPOT_REPLAY, FUTURES_REPLAY = "replay", "replayfutures"
SIMULATIONS = (SPOT_SIMULATED, FUTURES_SIMULATED)
REPLAYS = (SPOT_REPLAY, FUTURES_REPLAY)
EMBEDDED = (*SIMULATIONS, *REPLAYS)  # exchanges this package serves itself


@dataclass(frozen=True)
class StartOrder:
    """Symbols in canonical form, exchange ids and a valid config."""

    symbols: tuple[str, ...]
    exchanges: tuple[str, ...]
    config: StreamConfig
    skipped: Mapping[str, str] = field(default_factory=dict)  # what of the config cannot be scanned, and why

    @classmethod
    def checked(cls, symbols: object, exchanges: object, config: StreamConfig) -> StartOrder:
        """An order from values of outside.

        Raises
        ------
        InvalidInput
            A list is empty, no list or too long, or an entry is no symbol or no exchange id.
        """
        texts = _texts("symbols", symbols, MOST_SYMBOLS)
        canonical = [_symbol(text, f"symbols[{i}]") for i, text in enumerate(texts)]
        ids = _texts("exchanges", exchanges, MOST_EXCHANGES)
        for i, exchange in enumerate(ids):
            if not EXCHANGE.fullmatch(exchange):
                raise InvalidInput(f"exchanges[{i}]", exchange, "is not an exchange id such as 'binance'")
        if len({_kind(exchange) for exchange in ids}) > 1:
            raise InvalidInput("exchanges", ids, "mixes real, simulated or replayed ones; breadth would mix them too")
        return cls(tuple(dict.fromkeys(canonical)), tuple(dict.fromkeys(ids)), config)

    def as_dict(self) -> dict[str, object]:
        """The order as plain values that `from_dict` reads, in the form of the body of a start."""
        return {"symbols": list(self.symbols), "exchanges": list(self.exchanges), "config": self.config.as_dict()}

    @classmethod
    def from_dict(cls, values: object) -> StartOrder:
        """An order that `as_dict` gave, perhaps long ago and by another version.

        Raises
        ------
        InvalidInput
            It is not an object, or a part of it is missing, unknown or no longer valid.
        """
        parts = ("symbols", "exchanges", "config")
        if not isinstance(values, Mapping) or set(values) != set(parts):
            raise InvalidInput("order", values, f"is not an object of {', '.join(parts)}")
        return cls.checked(values["symbols"], values["exchanges"], StreamConfig.from_mapping(values["config"]))


def limited_to(order: StartOrder, timeframes: Sequence[str], source: str) -> StartOrder:
    """The order without the styles whose timeframe `source` cannot serve; what was left out is noted.

    Raises
    ------
    InvalidInput
        Nothing is left.
    """
    styles = order.config.styles
    left = {style: timeframe for style, timeframe in styles.items() if timeframe in timeframes}
    if not left:
        raise InvalidInput("timeframes", styles, f"holds none that {source} can serve: {', '.join(timeframes)}")
    skipped = {
        f"{style} {timeframe}": f"{source} cannot serve it" for style, timeframe in styles.items() if style not in left
    }
    return replace(order, config=replace(order.config, timeframes=left), skipped=skipped)


def _kind(exchange: str) -> str:
    return "simulated" if exchange in SIMULATIONS else "replayed" if exchange in REPLAYS else "real"


def _symbol(text: str, field: str) -> str:
    wanted = parse_symbol(text, field)
    if wanted.exchange is not None or wanted.symbol is None:
        raise InvalidInput(field, text, "names an exchange; put that into exchanges")
    return wanted.symbol


def _texts(field: str, values: object, most: int) -> Sequence[str]:
    expected = f"is not a list of 1 to {most} texts"
    if isinstance(values, str) or not isinstance(values, Sequence) or not 1 <= len(values) <= most:
        raise InvalidInput(field, values, expected)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise InvalidInput(f"{field}[{i}]", value, "is not a text")
    return values
