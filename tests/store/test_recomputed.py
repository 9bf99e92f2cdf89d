"""A table of features worked out once more, in plain Python, from nothing but the files of a folder.

What is read: the JSON arrays of ``signals``, ``late`` and ``gaps``, and the Parquet files of ``ohlcv``. Nothing of the
package computes anything here; the rules are those of docs/API.md.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import chain

import numpy as np
import pandas as pd
import pytest

from scanner import dataset
from scanner.records import iso
from scanner.store.gaps import DOWN, NO_TRADE, Gap
from scanner.store.ohlcv import Rows
from scanner.store.store import TrainingStore
from tests.store.making import BTC, MIDNIGHT

MINUTE = 60_000
LENGTH = {"5m": 5 * MINUTE, "1h": 60 * MINUTE, "4h": 240 * MINUTE, "1d": 1440 * MINUTE}
SETTLED = 5 * MINUTE
HOURS = 30
HORIZONS = (1, 3, 6, 12, 24)
PARTS = {
    "momentum": ("momentum_score", "price_change_pct", "volume_ratio"),
    "reversion": ("reversion_score", "recent_gain_pct", "rsi"),
    "clustering": ("cluster_strength", "directional_ratio", "follow_through"),
}
JOINED = ("combined_score", "signal_type", "percentile", *chain(*PARTS.values()))


# -- a folder with a past ------------------------------------------------------------------------------------------


def final(rng, timeframe, opened, made, backfilled=False):
    record = {
        **{"symbol": "BTC/USDT", "exchange": "binance", "style": "scalp", "timeframe": timeframe},
        **{"timestamp": iso(made), "candle_time": iso(opened), "candle_closed": True, "price": 100.0},
        **{"combined_score": rng.random(), "percentile": rng.choice([None, rng.random()])},
        "signal_type": rng.choice(["NEUTRAL", "WEAK_BUY"]),
        **{part: {name: rng.random() for name in names} for part, names in PARTS.items()},
    }
    usable = {"backfilled": True, "as_of": iso(opened + LENGTH[timeframe] + 15_000)}
    return record | usable if backfilled else record


def candle(rng):
    close, spread = rng.uniform(90, 110), rng.uniform(0, 5)
    return [close, close + spread, close - spread, close, rng.random()]


def history(rng):
    """What happens, as (when it becomes known, what): calm, an outage, late news, revisions, silence, a backfill."""
    begins, ends = MIDNIGHT + 8 * LENGTH["1h"], MIDNIGHT + 10 * LENGTH["1h"]  # of the outage
    silent = {MIDNIGHT + 14 * LENGTH["1h"] + step * LENGTH["5m"] for step in range(rng.randint(1, 20))}
    for opened in range(MIDNIGHT - 6 * LENGTH["1h"], MIDNIGHT + HOURS * LENGTH["1h"], LENGTH["5m"]):
        closed = opened + LENGTH["5m"]
        known = ends + rng.randint(0, 9) * MINUTE if begins <= opened < ends else closed + rng.choice([15, 40]) * 1000
        if opened not in silent and rng.random() < 0.99:
            yield known, ("candle", "5m", opened, candle(rng))
            if rng.random() < 0.05:
                yield known + rng.randint(1, 300) * MINUTE, ("candle", "5m", opened, candle(rng))
    for timeframe, length in LENGTH.items():
        for opened in range(MIDNIGHT - 2 * LENGTH["1d"], MIDNIGHT + HOURS * LENGTH["1h"], length):
            closed = opened + length
            if closed <= MIDNIGHT or rng.random() < 0.02:  # nobody scanned then: a backfill makes it
                if timeframe != "5m" or opened > MIDNIGHT - 3 * LENGTH["1h"]:
                    made = MIDNIGHT + 20 * LENGTH["1h"] + rng.randint(0, 60) * MINUTE
                    yield made, ("signal", final(rng, timeframe, opened, made, backfilled=True))
            elif rng.random() < 0.97:
                made = (ends + rng.randint(0, 90) * MINUTE if begins <= closed < ends else closed) + rng.randint(
                    9, 40
                ) * 1000
                yield made, ("signal", final(rng, timeframe, opened, made))
    if silent:
        yield max(silent) + rng.randint(5, 30) * MINUTE, ("gap", NO_TRADE, min(silent), max(silent) + LENGTH["5m"])
    yield ends, ("gap", DOWN, begins, ends)


def written(folder, rng):
    with TrainingStore(folder) as store:
        for known, (kind, *what) in sorted(history(rng), key=lambda event: event[0]):
            if kind == "signal":
                store.append_signals({BTC: what}, known)
            elif kind == "candle":
                timeframe, opened, values = what
                store.append_closed([(BTC, timeframe, Rows(np.array([opened]), np.array([values])))], known)
            else:
                cause, begins, ends = what
                store.gaps.append([Gap("binance", "BTC/USDT", cause, begins, ends)], known)


# -- the table once more -------------------------------------------------------------------------------------------


def ms(text):
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 + 0.5)


def records(folder, kind):
    return [each for path in sorted((folder / kind).glob("*.json")) for each in json.loads(path.read_text())]


class Again:
    """The files of one market, read by themselves."""

    def __init__(self, folder):
        self.finals = [record for record in records(folder, "signals") if record["candle_closed"]]
        self.late, self.gaps = (
            records(folder, "late"),
            [gap for gap in records(folder, "gaps") if gap["cause"] == NO_TRADE],
        )
        frame = pd.read_parquet(folder / "ohlcv" / "binance_BTCUSDT_5m.parquet")
        times = [round(moment.timestamp() * 1000) for moment in frame["timestamp"]]
        self.candles = dict(zip(times, frame[["high", "low", "close"]].to_numpy().tolist(), strict=True))

    def candles_at(self, moment):
        """Open time -> high, low, close, as known at a moment; 5m."""
        found = dict(self.candles)
        for change in sorted(self.late, key=lambda change: ms(change["known_at"]), reverse=True):
            if ms(change["known_at"]) > moment:
                first, last = ms(change["from"]), ms(change["to"])
                found = {opened: values for opened, values in found.items() if not first <= opened <= last}
                found |= {int(row[0]): row[2:5] for row in change["before"]}
        found = {opened: values for opened, values in found.items() if opened + LENGTH["5m"] + SETTLED <= moment}
        silent = [(ms(gap["from"]), ms(gap["to"])) for gap in self.gaps if ms(gap["known_at"]) <= moment]
        for begins, ends in silent:
            for opened in range(begins, ends, LENGTH["5m"]):
                before = found.get(opened - LENGTH["5m"])
                if opened not in found and before is not None:
                    found[opened] = [before[2]] * 3
        return found

    def labels(self, candles, opened):
        row = {}
        for horizon in HORIZONS:
            ahead = [candles.get(opened + step * LENGTH["5m"]) for step in range(1, horizon + 1)]
            now, is_known = candles.get(opened), None not in ahead and opened in candles
            for name in ("fwd_return", "mfe", "mae"):
                row[f"{name}_{horizon}"] = None
            if is_known:
                close = now[2]
                row[f"fwd_return_{horizon}"] = ahead[-1][2] / close - 1
                row[f"mfe_{horizon}"] = max(0.0, *(high / close - 1 for high, _, _ in ahead))
                row[f"mae_{horizon}"] = min(0.0, *(low / close - 1 for _, low, _ in ahead))
        return row

    def joined(self, row, known, timeframe):
        """What the newest signal on a longer timeframe that was there says."""
        length, closed = LENGTH[timeframe], ms(row["candle_time"]) + LENGTH[row["timeframe"]]
        clock = usable if "as_of" in row else made
        fits = [
            (closes, other)
            for other in known
            if other["timeframe"] == timeframe
            and closed - 2 * length < (closes := ms(other["candle_time"]) + length) <= closed
            and clock(other) <= clock(row)
        ]
        if not fits or length <= LENGTH[row["timeframe"]]:
            return {f"{name}_{timeframe}": None for name in (*JOINED, "age_s")}
        closes, other = max(fits, key=lambda pair: pair[0])
        flat = {**other, **other["momentum"], **other["reversion"], **other["clustering"]}
        return {f"{name}_{timeframe}": flat[name] for name in JOINED} | {
            f"age_s_{timeframe}": (usable(row) - closes) / 1000
        }

    def table(self, moment, days):
        known = [record for record in self.finals if made(record) <= moment]
        candles, rows = self.candles_at(moment), {}
        for record in known:
            opened = ms(record["candle_time"])
            if opened >= moment - days * LENGTH["1d"]:
                labels = self.labels(candles if record["timeframe"] == "5m" else {}, opened)
                others = [self.joined(record, known, timeframe) for timeframe in ("1h", "4h", "1d")]
                rows[record["timeframe"], opened] = {**labels, **others[0], **others[1], **others[2]}
        return rows


def made(record):
    return ms(record["timestamp"])


def usable(record):
    return ms(record.get("as_of", record["timestamp"]))


@pytest.mark.parametrize("seed", range(3))
def test_a_table_is_what_the_files_say_in_plain_python(tmp_path, seed):
    rng = random.Random(seed)
    written(tmp_path, rng)
    again, seen = Again(tmp_path), 0
    assert again.late
    for hours in (3, 9.5, 10.3, 14.5, 16, 21, HOURS, 40):
        moment = MIDNIGHT + int(hours * LENGTH["1h"]) + rng.randint(0, 3_000_000)
        wanted = again.table(moment, 2)
        frame = dataset("BTC/USDT", 2, as_of=moment, base_path=tmp_path)
        frame = frame.astype(object).where(frame.notna(), None)
        found = {(row["timeframe"], row["candle_time"].value // 1_000_000): row for row in frame.to_dict("records")}
        assert found.keys() == wanted.keys()
        for key, row in wanted.items():
            differs = {
                name: (value, found[key][name]) for name, value in row.items() if not same(value, found[key][name])
            }
            assert differs == {}, (hours, key)
            seen += sum(value is not None for value in row.values())
    assert seen > 10_000


def same(one, other):
    if one is None or other is None or isinstance(one, str):
        return one == other
    return other == pytest.approx(one, rel=1e-12, abs=1e-12)
