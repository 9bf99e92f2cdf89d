"""What may be ordered of scans on demand, checked before anything is asked of an exchange."""

from __future__ import annotations

from collections.abc import Callable

from scanner.errors import InvalidInput
from scanner.fullscan.settings import each_once
from scanner.gateway.specs import real_exchange
from scanner.markets import DEFAULT_EXCHANGES
from scanner.order import EMBEDDED, MOST_EXCHANGES, REPLAYS, SPOT_SIMULATED
from scanner.runtime.base.table import ScanOrder
from scanner.runtime.venue import replay_exchanges
from scanner.settings import Settings
from scanner.simulated import Recording

DEFAULT_EXCHANGE = DEFAULT_EXCHANGES[-1]
DEFAULT_TIMEFRAME = "medium"
MOST_TIMEFRAMES = 10


class Orders:
    """Checks orders.

    Parameters
    ----------
    timeframe_of : callable
        The interval that a written timeframe means, ``1h`` for ``medium``; raises InvalidInput with the field it is
        given.
    recording : callable
        The recording that a replay serves, None when there is none.
    """

    def __init__(
        self,
        settings: Settings,
        timeframe_of: Callable[[object, str], str],
        recording: Callable[[], Recording | None],
    ) -> None:
        self.settings, self.timeframe_of, self.recording = settings, timeframe_of, recording

    def scan(
        self,
        exchange: object = None,
        timeframe: object = None,
        full_analysis: bool = True,
        parallel: bool = False,
    ) -> ScanOrder:
        """An order from outside, None standing for the defaults; a list of exchanges makes it parallel.

        Raises
        ------
        InvalidInput, UnknownExchange
        """
        written = DEFAULT_TIMEFRAME if timeframe is None else timeframe
        several = isinstance(exchange, list)
        exchanges = self.exchanges(exchange) if several else (self.exchange(exchange),)
        self.timeframe_of(written, "timeframe")
        return ScanOrder(exchanges, str(written), full_analysis, parallel or several)

    def exchanges(self, ids: object) -> tuple[str, ...]:
        """Exchange ids from a list, each once. Raises InvalidInput, UnknownExchange."""
        if not isinstance(ids, list) or not 1 <= len(ids) <= MOST_EXCHANGES:
            raise InvalidInput("exchange", ids, f"is not an exchange id or a list of 1 to {MOST_EXCHANGES} of them")
        return tuple(dict.fromkeys(self._known(each) for each in ids))

    def exchange(self, exchange: object = None) -> str:
        """An exchange id, the default for None. Raises InvalidInput, UnknownExchange."""
        return self.default_exchange() if exchange is None else self._known(exchange)

    def default_exchange(self) -> str:
        recording = self.recording()
        if recording is not None:
            return replay_exchanges(recording)[0]
        return SPOT_SIMULATED if self.settings.simulated else DEFAULT_EXCHANGE

    def timeframes(self, timeframes: object) -> tuple[str, ...]:
        """Written timeframes from a list; an interval may be named once, as itself or by its alias.

        Raises
        ------
        InvalidInput
        """
        if not isinstance(timeframes, list) or not 1 <= len(timeframes) <= MOST_TIMEFRAMES:
            expected = f"is not a list of 1 to {MOST_TIMEFRAMES} timeframes such as 'medium' or '1h'"
            raise InvalidInput("timeframes", timeframes, expected)
        return each_once(timeframes, lambda each: self.timeframe_of(each, f"timeframes[{timeframes.index(each)}]"))

    def _known(self, exchange: object) -> str:
        if exchange in REPLAYS and self.recording() is None:
            raise InvalidInput("exchange", exchange, "asks for a replay; name the recording (SCANNER_REPLAY)")
        return str(exchange) if exchange in EMBEDDED else real_exchange(exchange).id
