"""What the stream of prices does in one run."""

from __future__ import annotations

from scanner.config import StreamConfig
from scanner.gateway.gateway import Gateway
from scanner.runtime.holding import Holdings
from scanner.runtime.state import State
from scanner.runtime.ticks import TickTable


class PriceCycle:
    """Every 5 s: the newest price of every market, in bulk."""

    def __init__(
        self, gateway: Gateway, state: State, holdings: Holdings, config: StreamConfig, deadline_s: float
    ) -> None:
        self._gateway, self._state, self._keep = gateway, state, config.max_ticks_buffer
        self._holdings = holdings
        self._deadline_s = deadline_s

    def __call__(self) -> None:
        markets = self._gateway.markets()
        for answer in self._gateway.prices(self._deadline_s):
            table = self._state.current().ticks.get(answer.exchange, TickTable.empty(()))
            table = table.of(tuple(dict.fromkeys([*markets.get(answer.exchange, ()), *answer.markets])))
            columns = (answer.price, answer.quote_volume, answer.bid, answer.ask)
            table = table.with_sweep(answer.at_ms, answer.markets, columns, self._keep)
            self._state.publish_ticks(answer.exchange, table)
            self._holdings.feel_prices(answer.exchange, table)
