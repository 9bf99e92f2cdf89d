"""The words at the end of a run, from plain values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from scanner.runtime.recorder import Tally
from scanner.simulated.source import Listing
from scanner.terminal.coverage import closed_candles, coverage
from scanner.terminal.summary import freshness, summary
from scanner.timeframes import DAY_MS, HOUR_MS, MINUTE_MS

STATUS: dict[str, Any] = {
    "simulated": False,
    "exchanges": {"binance": {"state": "down", "markets": 2, "last_data": None, "cause": "no connection"}},
    "streams": {"prices": {"runs": 9, "missed": 1, "last_error": "boom"}},
    "skipped": {"binance:MATIC/USDT": "not listed"},
    "renamed": {"binance:FTM/USDT": "S/USDT"},
    "universe": None,
    "notes": ["recorded.parquet: 3 impossible candles are left out"],
}


def tally() -> Tally:
    finals = Counter({("1h", "NEUTRAL"): 2, ("5m", "NEUTRAL"): 23, ("5m", "WEAK_BUY"): 1})
    return Tally(0, finals, Counter({("4h", "NEUTRAL"): 5}), Counter({"5m": 4}), [10.0, 20.0, 30.0])


def test_it_counts_signals_by_type_and_timeframe_shortest_first(tmp_path: Path) -> None:
    text = summary(STATUS, tally(), 1.0, tmp_path)
    assert "final signals, one per closed candle: 26\n      5m  NEUTRAL 23, WEAK_BUY 1\n      1h  NEUTRAL 2\n" in text
    assert "live signals kept, on forming candles: 5\n      4h  NEUTRAL 5\n" in text
    assert "candles closed: 5m 24, 1h 2\n" in text
    assert "cluster findings kept: 5m 4\n" in text


def test_it_tells_of_exchanges_streams_skipped_markets_and_notes(tmp_path: Path) -> None:
    lines = summary(STATUS, tally(), 1.0, tmp_path, ["replayed something"]).splitlines()
    assert lines[0] == "Summary"
    assert lines[1] == "  replayed something"
    assert "  exchange binance: down, 2 markets, last data None, no connection" in lines
    assert "  stream prices: 9 runs, 1 missed, last error boom" in lines
    assert "  skipped binance:MATIC/USDT: not listed" in lines
    assert "  renamed binance:FTM/USDT: S/USDT" in lines
    assert "  note: recorded.parquet: 3 impossible candles are left out" in lines


def test_it_counts_files_and_takes_missing_folders_for_empty(tmp_path: Path) -> None:
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / "a.json").write_bytes(b" " * 1_500_000)
    text = summary(STATUS, tally(), 1.0, tmp_path)
    assert f"files in {tmp_path / 'signals'}: 1, 1.50 MB" in text
    assert f"files in {tmp_path / 'ohlcv'}: 0, 0.00 MB" in text


def test_freshness_is_in_real_seconds_at_any_speed() -> None:
    assert (
        freshness([10.0, 20.0, 30.0], 1.0) == "final signals 20.0 s after the close (median), 29.0 s p95, 30.0 s worst"
    )
    assert freshness([10.0, 20.0, 30.0], 10.0).startswith("final signals 2.0 s after the close (median), 2.9 s p95")
    assert freshness([], 1.0) == "no candle closed"


def test_closed_candles_are_counted_from_when_a_market_was_listed() -> None:
    old, young, other, swap = (
        Listing("OLD/USDT", "OLD", "USDT", None, 2, 0),
        Listing("YOUNG/USDT", "YOUNG", "USDT", None, 2, DAY_MS - HOUR_MS),
        Listing("OTHER/USDT", "OTHER", "USDT", None, 2, 0),
        Listing("SWAP/USDT:USDT", "SWAP", "USDT", "USDT", 2, 0),
    )
    span = 7 * MINUTE_MS, DAY_MS  # the candle of 00:05 is the first that closes in it: 24 * 12 - 1 = 287
    assert closed_candles([old, other], ["OLD/USDT"], "5m", span) == 287
    assert closed_candles([old, young], ["OLD/USDT", "YOUNG/USDT"], "5m", span) == 287 + 12
    assert closed_candles([swap], ["SWAP/USDT"], "5m", span) == 287


def test_a_replay_that_fell_behind_is_told_to_go_slower() -> None:
    span = 0, DAY_MS
    whole = "replayed 1970-01-01 00:00 to 1970-01-02 00:00: 288 of 288 closed 5m candles have a final signal"
    assert coverage(288, 288, "5m", span) == whole
    assert coverage(100, 288, "5m", span).endswith(
        "100 of 288 closed 5m candles have a final signal; a lower --speed leaves out fewer"
    )
