"""A start order: what to scan, where, and how, checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.markets import EXCHANGE, MOST_SYMBOLS, parse_symbol
from scanner.universe import ALL, Universe

MOST_EXCHANGES = 10
SPOT_SIMULATED, FUTURES_SIMULATED = "simulated", "simulatedfutures"
SPOT_REPLAY, FUTURES_REPLAY = "replay", "replayfutures"
SIMULATIONS = (SPOT_SIMULATED, FUTURES_SIMULATED)
REPLAYS = (SPOT_REPLAY, FUTURES_REPLAY)
EMBEDDED = (*SIMULATIONS, *REPLAYS)  # exchanges this package serves itself


@dataclass(frozen=True)
class Capacity:
    """How many markets there is memory for, and how that figure came about."""

    markets: int
    reason: str


@dataclass(frozen=True)
class StartOrder:
    """Symbols in canonical form or a universe in their place, exchange ids and a valid config."""

    symbols: tuple[str, ...]
    exchanges: tuple[str, ...]
    config: StreamConfig
    skipped: Mapping[str, str] = field(default_factory=dict)  # what of the config cannot be scanned, and why
    universe: Universe | None = None
    warnings: tuple[str, ...] = ()  # what cannot be scanned as asked, as far as that is known before anything is

    @classmethod
    def checked(
        cls, symbols: object, exchanges: object, config: StreamConfig, universe: Universe | None = None
    ) -> StartOrder:
        """An order from values of outside; ``"all"`` in place of symbols is the universe that leaves nothing out.

        Raises
        ------
        InvalidInput
            A list is empty, no list or too long, an entry is no symbol or no exchange id, or there is both a list of
            symbols and a universe.
        """
        if isinstance(symbols, str) and symbols.strip().lower() == ALL:
            universe, symbols = universe or Universe(), None
        elif universe is not None and symbols is not None:
            expected = "and a list of symbols exclude each other; universe.include names symbols to scan besides"
            raise InvalidInput("universe", universe.as_dict(), expected)
        texts = _texts("symbols", symbols, MOST_SYMBOLS) if universe is None else ()
        canonical = [_symbol(text, f"symbols[{i}]") for i, text in enumerate(texts)]
        ids = _texts("exchanges", exchanges, MOST_EXCHANGES)
        for i, exchange in enumerate(ids):
            if not EXCHANGE.fullmatch(exchange):
                raise InvalidInput(f"exchanges[{i}]", exchange, "is not an exchange id such as 'binance'")
        if len({_kind(exchange) for exchange in ids}) > 1:
            raise InvalidInput("exchanges", ids, "mixes real, simulated or replayed ones; breadth would mix them too")
        return cls(tuple(dict.fromkeys(canonical)), tuple(dict.fromkeys(ids)), config, universe=universe)

    def as_dict(self) -> dict[str, object]:
        """The order as plain values that `from_dict` reads, in the form of the body of a start."""
        what: dict[str, object] = {"symbols": list(self.symbols)}
        if self.universe is not None:
            what = {"universe": self.universe.as_dict()}
        return {**what, "exchanges": list(self.exchanges), "config": self.config.as_dict()}

    @classmethod
    def from_dict(cls, values: object) -> StartOrder:
        """An order that `as_dict` gave, perhaps long ago and by another version.

        Raises
        ------
        InvalidInput
            It is not an object, or a part of it is missing, unknown or no longer valid.
        """
        parts = ("exchanges", "config")
        if not isinstance(values, Mapping) or set(values) not in ({"symbols", *parts}, {"universe", *parts}):
            raise InvalidInput("order", values, f"is not an object of symbols or universe, {', '.join(parts)}")
        universe = Universe.from_mapping(values["universe"]) if "universe" in values else None
        config = StreamConfig.from_mapping(values["config"])
        return cls.checked(values.get("symbols"), values["exchanges"], config, universe)


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


def without_unfit(order: StartOrder, lacks: Mapping[str, str]) -> StartOrder:
    """The order with a warning for each exchange that lacks something; it shows as down beside the others.

    Raises
    ------
    InvalidInput
        No exchange is left.
    """
    told = tuple(f"{exchange} {lack}" for exchange, lack in lacks.items())
    if lacks and set(lacks) >= set(order.exchanges):
        raise InvalidInput("exchanges", list(order.exchanges), f"cannot be scanned: {'; '.join(told)}")
    return replace(order, warnings=(*order.warnings, *told))


def with_room(order: StartOrder, room: Capacity | None) -> StartOrder:
    """The order, which must fit into memory; a universe that may turn out too large gets a warning.

    Raises
    ------
    InvalidInput
        The symbols are too many, and how many would do.
    """
    if room is None:
        return order
    venues = len(order.exchanges)
    most = order.universe.most if order.universe is not None else len(order.symbols)
    if most is None or most * venues <= room.markets:
        return order
    fits = f"{room.markets // venues} on each exchange would fit" if venues > 1 else f"{room.markets} would fit"
    if order.universe is None:
        expected = f"are {most * venues} markets, more than memory allows: {fits}; {room.reason}"
        raise InvalidInput("symbols", f"{most} symbols on {venues} exchanges", expected)
    warning = f"universe: up to {most * venues} markets may be more than memory allows: {fits}; {room.reason}"
    return replace(order, warnings=(*order.warnings, warning))


def _kind(exchange: str) -> str:
    return "simulated" if exchange in SIMULATIONS else "replayed" if exchange in REPLAYS else "real"


def _symbol(text: str, field: str) -> str:
    wanted = parse_symbol(text, field)
    if wanted.exchange is not None or wanted.symbol is None:
        raise InvalidInput(field, text, "names an exchange; put that into exchanges")
    return wanted.symbol


def _texts(field: str, values: object, most: int) -> Sequence[str]:
    expected = f"is not a list of 1 to {most} texts" + (f", nor '{ALL}'" if field == "symbols" else "")
    if isinstance(values, str) or not isinstance(values, Sequence) or not 1 <= len(values) <= most:
        raise InvalidInput(field, values, expected)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise InvalidInput(f"{field}[{i}]", value, "is not a text")
    return values
