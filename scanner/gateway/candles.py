"""Candles of one market, however many calls they take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scanner.clock import Clock
from scanner.errors import BadAnswer
from scanner.gateway.answers import CandleAnswer, CandleRequest
from scanner.gateway.listing import Listing
from scanner.gateway.rows import next_page, sound_columns
from scanner.gateway.volumes import base_volume
from scanner.timeframes import grid_of

Ask = Callable[..., Awaitable[Any]]  # (weight, method, *arguments)


class CandleReader:
    """Reads candles of one exchange through `ask`; each call weighs `weight`."""

    def __init__(self, clock: Clock, weight: int, ask: Ask) -> None:
        self.clock, self.weight, self.ask = clock, weight, ask

    def weight_of(self, request: CandleRequest, listing: Listing) -> int:
        """Weight of all the calls that `request` takes."""
        return max(1, -(-request.limit // listing.page)) * self.weight

    async def read(self, request: CandleRequest, listing: Listing) -> CandleAnswer:
        """What was asked for, page by page, without what no candle can be; volume in base currency.

        Raises
        ------
        ExchangeFailure, OverBudget
            A page is not to be had; those before it are given up.
        """
        began_ms = self.clock.now_ms()
        frame_ms, grid_ms = grid_of(request.timeframe)
        table = sound_columns(await self._rows(request, listing, frame_ms, began_ms), grid_ms)
        if table.dropped and not len(table.open_time):
            raise BadAnswer(f"{listing.market}: none of {table.dropped} candles can be one")
        volume = base_volume(table.volume, table.close, listing.contract)
        prices = (table.open, table.high, table.low, table.close)
        return CandleAnswer(request, table.open_time, *prices, volume, began_ms, table.dropped)

    async def _rows(self, request: CandleRequest, listing: Listing, frame_ms: int, began_ms: int) -> list[Any]:
        """All rows asked for. The start is always named: without it ccxt would reckon from the wall clock.

        No page begins after `began_ms`: a newer candle would make the last one of the page before look final.
        """
        rows: list[Any] = []
        since_ms, end_ms = request.since_ms, request.since_ms + request.limit * frame_ms
        while True:
            asked = min(listing.page, (end_ms - since_ms) // frame_ms)
            page = await self.ask(self.weight, "fetch_ohlcv", listing.symbol, request.timeframe, since_ms, asked)
            rows += page
            since_ms = next_page([row[0] for row in page], since_ms, asked, frame_ms)
            if since_ms >= end_ms or since_ms > began_ms:
                return rows
