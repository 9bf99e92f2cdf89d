"""What a start asks for: checked, with what the settings say where it names nothing, before anything is started."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scanner.config import StreamConfig
from scanner.gateway.fitness import shortcomings
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS
from scanner.order import REPLAYS, SPOT_SIMULATED, Capacity, StartOrder, limited_to, with_room, without_unfit
from scanner.runtime.memory import capacity
from scanner.runtime.venue import replay_exchanges, spoken
from scanner.settings import Settings, listed, variable
from scanner.simulated import Recording
from scanner.universe import ALL, Universe


class StartOrders:
    """Makes start orders; nothing is asked of an exchange for that.

    Parameters
    ----------
    recording : callable
        The recording that a replay serves, None when there is none.
    """

    def __init__(self, settings: Settings, recording: Callable[[], Recording | None]) -> None:
        self._settings, self._recording = settings, recording

    def order(
        self,
        symbols: object = None,
        exchanges: object = None,
        config: StreamConfig | None = None,
        universe: Universe | None = None,
    ) -> StartOrder:
        """A checked order; None stands for the defaults, and a universe stands in place of symbols.

        Raises
        ------
        InvalidInput
            A value is wrong.
        """
        ids = self.default_exchanges() if exchanges is None else exchanges
        if symbols is None and universe is None:
            symbols, universe = self._default_symbols()
        return StartOrder.checked(symbols, ids, config or StreamConfig(), universe)

    def servable(self, order: StartOrder) -> StartOrder:
        """The order without what cannot be scanned, as far as that is known before anything is.

        Raises
        ------
        InvalidInput
            None of its timeframes or none of its exchanges can be scanned.
        UnknownExchange
        """
        recording = self._recording()
        if recording is not None and any(exchange in REPLAYS for exchange in order.exchanges):
            order = limited_to(order, recording.timeframes_servable, f"a recording of {recording.resolution} candles")
        return without_unfit(order, shortcomings(spoken(order.exchanges), order.config.base_timeframe, order.universe))

    def fitting(self, order: StartOrder) -> StartOrder:
        """The order, which must fit into the memory that there is now.

        Raises
        ------
        InvalidInput
            There is no memory for so many markets.
        """
        return with_room(order, self.room(order))

    def room(self, order: StartOrder) -> Capacity | None:
        """How many markets of this order there is memory for; None where no limit is known."""
        return capacity(order.config, self._settings.memory_mb)

    def default_exchanges(self) -> Sequence[str]:
        """Where is scanned when a start names no exchange."""
        recording = self._recording()
        if recording is not None:
            return replay_exchanges(recording)
        return (SPOT_SIMULATED,) if self._settings.simulated else DEFAULT_EXCHANGES

    def _default_symbols(self) -> tuple[object, Universe | None]:
        """What is scanned when a start names nothing: symbols, or a universe."""
        settings, recording = self._settings, self._recording()
        if settings.universe.strip():
            return None, Universe.from_text(settings.universe, variable("universe"))
        if settings.symbols.strip().lower() == ALL:
            return ALL, None
        if settings.symbols.strip():
            return listed(settings.symbols, variable("symbols")), None
        return tuple(recording.symbols) if recording is not None else DEFAULT_SYMBOLS, None
