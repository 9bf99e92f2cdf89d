"""A warm start: a new book begins with the candles on disk, so that only what came since has to be fetched.

What is on disk is believed where it fits: candles on the grid, young enough to be continued, long enough to rank among,
without a hole that nobody can explain by a lack of trades: it would be filled as if there had been one.
The first answer of each market is compared with it. A market that does not fit begins cold, alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from scanner.config import WINDOW
from scanner.core.candles import Candles, Int
from scanner.core.finality import NEVER_MS
from scanner.errors import StoreFailure
from scanner.gateway.answers import CandleAnswer
from scanner.markets import Market
from scanner.runtime.book.book import Book
from scanner.runtime.book.table import HISTORY
from scanner.store.gaps import holes
from scanner.store.intervals import without
from scanner.store.ohlcv import Rows
from scanner.store.reader import StoreReader
from scanner.timeframes import length_ms, open_time_of

log = logging.getLogger(__name__)

READERS = 4  # threads: a good part of reading a small Parquet file lets others run
UNSURE = 3  # newest stored candles asked for again: to have late revisions, and to see that it is the same market
SPARE = 20  # candles a history may be short of, as where nobody traded at its beginning
SAME = 1e-6  # relative difference of prices up to which two candles are the same


def warm(book: Book, store: StoreReader, markets: Iterable[Market], now_ms: int) -> list[str]:
    """Begin `markets` of `book` with what is stored of them; says what could not be used, one text per market."""
    began, wanted = time.monotonic(), list(markets)
    with ThreadPoolExecutor(READERS, thread_name_prefix="warm") as pool:
        stored = dict(zip(wanted, pool.map(partial(_stored, book, store, now_ms), wanted), strict=True))
    held = {market: rows for market, rows in stored.items() if isinstance(rows, dict) and rows}
    held = _without_holes(book, store, held)
    for timeframe in book.timeframes:
        _begin(book, timeframe, {market: rows[timeframe] for market, rows in held.items() if timeframe in rows}, now_ms)
    if held:
        took_s = time.monotonic() - began
        log.info("%s: %d of %d markets go on from disk, read in %.2f s", book.exchange, len(held), len(wanted), took_s)
    return [f"{market} begins anew: {cause}" for market, cause in stored.items() if isinstance(cause, str)]


def _begin(book: Book, timeframe: str, stored: dict[Market, Rows], now_ms: int) -> None:
    if not stored:
        return
    rows = np.array([book.row_of(market) for market in stored], dtype=np.int64)
    counts = np.array([len(each) for each in stored.values()], dtype=np.int64)
    open_ms = np.concatenate([each.open_time for each in stored.values()])
    candles = Candles(*np.concatenate([each.values for each in stored.values()]).T)
    book.begin_with(timeframe, rows, counts, open_ms, candles, UNSURE if timeframe == book.base else 0, now_ms)


def _stored(book: Book, store: StoreReader, now_ms: int, market: Market) -> dict[str, Rows] | str:
    """The stored candles of one market that can be continued, by timeframe; or why there are none, if that is news."""
    try:
        base = _usable(book, store, market, book.base, now_ms)
        if not len(base):
            return {}
        found = {book.base: base}
        for timeframe in book.timeframes:
            if timeframe == book.base:
                continue
            rows = _usable(book, store, market, timeframe, now_ms)
            if len(rows) and rows.open_time[-1] + length_ms(timeframe) >= base.open_time[0]:
                found[timeframe] = rows
        return found
    except StoreFailure as error:
        return str(error)


def _without_holes(
    book: Book, store: StoreReader, held: dict[Market, dict[str, Rows]]
) -> dict[Market, dict[str, Rows]]:
    """The same without timeframes, and markets, in whose candles more is missing than what nobody traded."""
    missing = {
        (market, each): found
        for market, own in held.items()
        for each, rows in own.items()
        if (found := holes(rows.open_time, length_ms(each)))
    }
    if not missing:
        return held
    since_ms: dict[str, int] = {}
    for (market, _), found in missing.items():
        since_ms[market.symbol] = min(found[0][0], since_ms.get(market.symbol, NEVER_MS))
    try:
        untraded = store.gaps.untraded_of(book.exchange, since_ms)
    except StoreFailure as error:
        log.warning("%s: which candles nobody traded is not known: %s", book.exchange, error)
        untraded = {symbol: [] for symbol in since_ms}
    spoilt = {key for key, found in missing.items() if any(without(hole, untraded[key[0].symbol]) for hole in found)}
    whole = {market: {each: own[each] for each in own if (market, each) not in spoilt} for market, own in held.items()}
    return {market: own for market, own in whole.items() if book.base in own}


def _usable(book: Book, store: StoreReader, market: Market, timeframe: str, now_ms: int) -> Rows:
    """Candles for the whole panel up to not long ago, none where the file does not reach that far.

    Raises
    ------
    StoreFailure
        The file cannot be read, or holds what no candle can be.
    """
    step, panel = length_ms(timeframe), book.panels[timeframe]
    oldest_ms = open_time_of(now_ms, step) - (panel.length - 1) * step
    enough = HISTORY + WINDOW  # a longer panel may begin with less than it holds
    enough_ms = open_time_of(now_ms, step) - enough * step
    rows = store.newest_candles(market, timeframe, max(oldest_ms, 0))
    known = rows.open_time + step <= now_ms
    rows = Rows(rows.open_time[known], rows.values[known])
    if (rows.open_time % step).any() or (rows.values[:, :4] <= 0).any():
        raise StoreFailure(f"what is stored on {timeframe} are no candles of that length")
    reaches = len(rows) > UNSURE and rows.open_time[0] <= max(oldest_ms, enough_ms) + SPARE * step
    kept = rows.since(oldest_ms)
    if len(rows) and not len(kept):
        row, too_old_to_go_on_ms = book.row_of(market), rows.open_time[-1]
        marks = book.marks[timeframe]
        marks.stored_through_ms[row] = marks.noted_through_ms[row] = too_old_to_go_on_ms
    return kept if reaches and len(kept) > UNSURE else kept.since(now_ms)


def proven(book: Book, answers: Sequence[CandleAnswer]) -> tuple[list[CandleAnswer], list[str]]:
    """The answers without those that contradict what was read from disk; such markets begin anew, and are told.

    A market contradicts when it has candles in common with its answer and none of them agrees: another market under the
    same name, or another simulated one.
    """
    if not book.coverage.unproven.any():
        return list(answers), []
    strange = [answer for answer in answers if _contradicts(book, answer)]
    seen = [answer for answer in answers if answer.request.timeframe == book.base]
    book.coverage.unproven[_rows_of(book, seen)] = False
    if strange:
        book.forget(_rows_of(book, strange))
    lost = {answer.request.market for answer in strange}
    told = [f"{market} begins anew: what is stored differs from what its exchange says" for market in sorted(lost)]
    return [answer for answer in answers if answer.request.market not in lost], told


def _contradicts(book: Book, answer: CandleAnswer) -> bool:
    row, panel = book.row_of(answer.request.market), book.panels[book.base]
    if answer.request.timeframe != book.base or not book.coverage.unproven[row] or not len(answer):
        return False
    common = (answer.open_time > panel.end_ms - panel.length * panel.timeframe_ms) & (answer.open_time <= panel.end_ms)
    columns = panel.column_of(answer.open_time[common])
    names = ("open", "high", "low", "close")
    ours = np.stack([getattr(panel, name)[row, columns] for name in names])  # [4, n]
    theirs = np.stack([getattr(answer, name)[common] for name in names])
    known = ~np.isnan(ours[3])
    agree = np.isclose(ours, theirs, rtol=SAME, atol=0.0).all(axis=0)
    return bool(known.any() and not agree[known].any())


def _rows_of(book: Book, answers: Iterable[CandleAnswer]) -> Int:
    return np.array([book.row_of(answer.request.market) for answer in answers], dtype=np.int64)
