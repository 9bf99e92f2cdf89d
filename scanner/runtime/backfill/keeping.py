"""Backfilled signals into the store: day by day, once per market, timeframe and candle, marked as what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Int
from scanner.errors import StoreFailure
from scanner.markets import Market
from scanner.records import iso, utc
from scanner.runtime.backfill.making import Made
from scanner.runtime.backfill.progress import Report
from scanner.runtime.columns import About, Record, Rows, cluster_record, records
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, LENGTH_MS


class Keeping:
    """Hands signals to the store; those kept already, by a live scan or an earlier backfill, are left as they are."""

    def __init__(
        self, store: TrainingStore, config: StreamConfig, simulated: Mapping[str, bool], report: Report
    ) -> None:
        self._store, self._config, self._simulated, self._report = store, config, simulated, report
        self._style_of = {timeframe: style for style, timeframe in config.styles.items()}

    def keep(self, market: Market, made: Sequence[Made], go_on: Callable[[], bool]) -> None:
        """Keep the signals of one market, all timeframes of a day together, until told not to go on.

        A day whose file fails is missing in the report, and is made again by a later run.

        Raises
        ------
        StoreFailure
            The folder cannot be written to.
        """
        for rows, abouts, closes in self._days(market, [self._unknown(market, each) for each in made]):
            if not go_on():
                return
            grace_ms = int(self._config.finality_grace_s * 1000)
            found = [
                record | {"backfilled": True, "as_of": iso(closed_ms + grace_ms)}
                for record, closed_ms in zip(records(rows, abouts), closes.tolist(), strict=True)
            ]
            try:
                self._append(market, found, closes.tolist(), int(rows["at_ms"][0]))
            except StoreFailure as failure:
                self._store.require_writable()
                day = utc(int(rows["candle_time"][0])).date()
                self._report.failed[f"{market} {day}"] = str(failure)

    def _append(self, market: Market, found: Sequence[Record], closes: Sequence[int], at_ms: int) -> None:
        """Clusters first: a day whose signals are there is not looked at again after a kill."""
        has_cluster = [record["clustering"]["total_clusters"] > 0 for record in found]
        clusters = [
            cluster_record(record, str(market), closed_ms) | {"backfilled": True}
            for record, closed_ms in compress(zip(found, closes, strict=True), has_cluster)
        ]
        if clusters:
            self._store.append_clusters({market: clusters}, at_ms)
            self._report.clusters.update(cluster["timeframe"] for cluster in clusters)
        self._store.append_signals({market: found}, at_ms)
        self._report.signals.update((record["timeframe"], record["signal_type"]) for record in found)

    def _unknown(self, market: Market, made: Made) -> Made:
        """Those that are not kept yet."""
        has = self._store.has_final
        new = np.array(
            [not has(market, made.timeframe, moment) for moment in made.rows["candle_time"].tolist()], dtype=bool
        )
        self._report.known[made.timeframe] += int((~new).sum())
        return Made(made.timeframe, made.closes_ms[new], made.rows[new])

    def _days(self, market: Market, made: Sequence[Made]) -> Iterator[tuple[Rows, list[About], Int]]:
        """The signals of each UTC day on which their candles opened, in the order in which these closed."""
        rows, closes = np.concatenate([each.rows for each in made]), np.concatenate([each.closes_ms for each in made])
        which = np.repeat(np.arange(len(made)), [len(each.rows) for each in made])
        length = np.array([LENGTH_MS[each.timeframe] for each in made])
        days = rows["candle_time"] // DAY_MS
        order = np.lexsort((length[which], closes, days))
        abouts = [self._about(market, each.timeframe) for each in made]
        for day in np.split(order, np.flatnonzero(np.diff(days[order])) + 1):
            if len(day):
                yield rows[day], [abouts[i] for i in which[day]], closes[day]

    def _about(self, market: Market, timeframe: str) -> About:
        config = self._config
        shared = (self._style_of[timeframe], timeframe, config.params_id, config.scoring)
        return About(market.symbol, market.exchange, *shared, self._simulated[market.exchange])
