"""What a run has done, in words, for its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from scanner.records import SIGNAL_TYPES
from scanner.runtime.recorder import Tally
from scanner.timeframes import LENGTH_MS


def summary(status: Mapping[str, Any], tally: Tally, speed: float, data_dir: Path, remarks: Sequence[str] = ()) -> str:
    """Candles and signals by type and timeframe, freshness, exchanges, streams and files."""
    parts = [
        "Summary" + (" (simulated or replayed data)" if status["simulated"] else ""),
        *(f"  {remark}" for remark in remarks),
        *_signals("final signals, one per closed candle", tally.finals),
        *_signals("live signals kept, on forming candles", tally.lives),
        f"  candles closed: {_by_timeframe(Counter(_per_timeframe(tally.finals)))}",
        f"  cluster findings kept: {_by_timeframe(tally.clusters)}",
        f"  freshness: {freshness(tally.delay_s, speed)}",
        *(
            f"  exchange {name}: {facts['state']}, {facts['markets']} markets, last data {facts['last_data']}"
            + (f", {facts['cause']}" if facts["cause"] else "")
            for name, facts in status["exchanges"].items()
        ),
        *(
            f"  stream {name}: {figures['runs']} runs, {figures['missed']} missed"
            + (f", last error {figures['last_error']}" if figures["last_error"] else "")
            for name, figures in status["streams"].items()
        ),
        *_universe(status),
        *(f"  renamed {market}: {name}" for market, name in status["renamed"].items()),
        *(f"  skipped {market}: {reason}" for market, reason in status["skipped"].items()),
        *(f"  note: {note}" for note in status["notes"]),
        *files_in(data_dir),
    ]
    return "\n".join(parts)


def _universe(status: Mapping[str, Any]) -> list[str]:
    """A line for each exchange whose markets a universe has chosen."""
    exchanges = (status["universe"] or {}).get("exchanges", {})
    return [
        f"  universe on {name}: {facts['markets']} of {facts['listed']} markets, chosen at {facts['time'][:19]}"
        for name, facts in exchanges.items()
    ]


def freshness(delay_s: Sequence[float], speed: float) -> str:
    """How long after a candle's close its final signals were made; `delay_s` is in market seconds."""
    if not delay_s:
        return "no candle closed"
    middle, late, worst = np.percentile(delay_s, [50, 95, 100]) / speed
    text = f"final signals {middle:.1f} s after the close (median), {late:.1f} s p95, {worst:.1f} s worst"
    return text + (f"; real seconds, each {speed:g} s of market time" if speed != 1 else "")


def _signals(title: str, counts: Mapping[tuple[str, str], int]) -> list[str]:
    timeframes = sorted({timeframe for timeframe, _ in counts}, key=LENGTH_MS.__getitem__)
    lines = [f"  {title}: {sum(counts.values())}"]
    for timeframe in timeframes:
        found = {name: counts[timeframe, name] for name in SIGNAL_TYPES if counts.get((timeframe, name))}
        lines.append(f"    {timeframe:>4}  " + ", ".join(f"{name} {count}" for name, count in found.items()))
    return lines


def _per_timeframe(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for (timeframe, _), count in counts.items():
        totals[timeframe] += count
    return dict(totals)


def _by_timeframe(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts, key=LENGTH_MS.__getitem__)
    return ", ".join(f"{timeframe} {counts[timeframe]}" for timeframe in ordered) or "none"


def files_in(data_dir: Path) -> list[str]:
    """A line for each kind of file of a data folder: how many, how large."""
    lines = []
    for folder in ("signals", "ohlcv", "clustering"):
        sizes = []
        for path in (data_dir / folder).glob("*"):
            with suppress(OSError):  # gone meanwhile
                sizes += [path.stat().st_size] if path.is_file() else []
        lines.append(f"  files in {data_dir / folder}: {len(sizes)}, {sum(sizes) / 1e6:.2f} MB")
    return lines
