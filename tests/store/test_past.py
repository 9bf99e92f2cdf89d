"""Features and labels, point in time, on a real folder."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import dataset
from scanner.errors import InvalidInput, NothingStored
from scanner.markets import parse_symbol
from scanner.records import iso
from scanner.store import features
from scanner.store.dataset import Query
from scanner.store.gaps import DOWN, NO_TRADE, Gap
from scanner.store.late import SETTLED_MS
from scanner.store.ohlcv import Rows
from scanner.store.past import features_of
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, HOUR_MS, LENGTH_MS, MINUTE_MS
from tests.store.making import BTC, MIDNIGHT, NOON, SWAP

STEP = 5 * MINUTE_MS
SECOND = 1000
BITCOIN = Query(parse_symbol("BTC/USDT"), 3)


def final(opened, timeframe="5m", delay_ms=20 * SECOND, score=50.0, market=BTC):
    """The final signal of a candle, made some time after its close."""
    return {
        "symbol": market.symbol,
        "exchange": market.exchange,
        "style": "scalp",
        "timeframe": timeframe,
        "timestamp": iso(opened + LENGTH_MS[timeframe] + delay_ms),
        "price": 100.0,
        "momentum": {"momentum_score": score, "cluster_validated": True},
        "reversion": {"reversion_score": 25.0},
        "clustering": {"cluster_strength": 0.5},
        "combined_score": score,
        "signal_type": "NEUTRAL",
        "candle_time": iso(opened),
        "candle_closed": True,
        "market_breadth": 0.5,
        "volatility_regime": "low",
    }


def keep(store, *records, market=BTC):
    store.append_signals({market: list(records)}, NOON)


def candles(closes, start=MIDNIGHT, step=STEP):
    """Closed candles: opened at the close before, a high 2 above and a low 3 below the higher and lower of both."""
    closes = np.array(closes, dtype=float)
    opened = np.append(closes[0], closes[:-1])
    values = [opened, np.maximum(opened, closes) + 2, np.minimum(opened, closes) - 3, closes, np.ones(len(closes))]
    return Rows(start + step * np.arange(len(closes)), np.array(values).T)


@pytest.fixture
def store(tmp_path):
    with TrainingStore(tmp_path / "data") as store:
        yield store


def rows(store, as_of_ms, query=BITCOIN, **more):
    return features_of(store, query, as_of_ms, **more).to_pylist()


def test_where_all_became_known_later_it_says_so_and_when(store):
    keep(store, backfilled(NOON, made_ms=NOON + DAY_MS), backfilled(NOON + STEP, made_ms=NOON + 2 * DAY_MS))
    with pytest.raises(NothingStored) as refused:
        rows(store, NOON + HOUR_MS)
    assert str(refused.value) == (
        "as_of 2025-10-24T13:00:00+00:00: nothing of BTC/USDT was known yet. 2 final signals of these days were made"
        " later, from 2025-10-25T12:00:00Z to 2025-10-26T12:00:00Z, as by a backfill; by=usable_at has them at their"
        " market time"
    )
    assert rows(store, NOON + HOUR_MS, Query(BITCOIN.wanted, 3, "1h")) == []
    assert rows(store, NOON - HOUR_MS) == []


@pytest.mark.parametrize("minutes", [10, 11, 40, 61, 62, 66, 70, 100, 305])
def test_by_market_time_a_backfilled_past_is_that_of_a_scan_that_ran_all_the_time(store, tmp_path, minutes):
    """Candles, untraded time and signals that came a day late, in a wild order, against those that came in time."""
    kept, as_of_ms = candles([100 + number % 7 for number in range(60)]), MIDNIGHT + minutes * MINUTE_MS
    silent = MIDNIGHT + 6 * STEP, MIDNIGHT + 8 * STEP
    traded = kept.open_time[(kept.open_time < silent[0]) | (kept.open_time >= silent[1])]
    hours = MIDNIGHT + np.arange(-1, 4) * HOUR_MS
    gap = Gap("binance", "BTC/USDT", NO_TRADE, *silent)
    other = TrainingStore(tmp_path / "live")
    with other:
        for moment in kept.open_time.tolist():
            if moment in traded:
                other.append_closed([(BTC, "5m", kept.since(moment).before(moment + 1))], moment + STEP + SECOND)
            keep(other, final(moment, delay_ms=15 * SECOND, score=float(moment % 97)))
        keep(other, *(final(moment, "1h", delay_ms=15 * SECOND, score=float(moment % 89)) for moment in hours.tolist()))
        other.gaps.append([gap], silent[1])
        for number, moment in enumerate(reversed(kept.open_time.tolist())):
            keep(store, backfilled(moment, made_ms=NOON + DAY_MS + number, score=float(moment % 97)))
        keep(store, *(backfilled(moment, "1h", NOON + 2 * DAY_MS, float(moment % 89)) for moment in hours.tolist()))
        late = Rows(traded, kept.values[np.isin(kept.open_time, traded)])
        store.append_closed([(BTC, "5m", late)], NOON + DAY_MS)
        store.gaps.append([gap], NOON + DAY_MS)
        live, later = table_at(other, as_of_ms), table_at(store, as_of_ms, "usable_at")
    differ = ["known_at", "backfilled", "as_of"]
    assert len(live) > 0
    assert later.drop(differ).equals(live.drop(differ))


def test_by_market_time_a_revision_is_still_taken_back(store):
    keep(store, backfilled(MIDNIGHT))
    store.append_closed([(BTC, "5m", candles([100, 101]))], NOON)
    store.append_closed([(BTC, "5m", candles([110], MIDNIGHT + STEP))], NOON + HOUR_MS)
    returns = [rows(store, moment, by="usable_at")[0]["fwd_return_1"] for moment in (NOON - 1, NOON, NOON + HOUR_MS)]
    assert returns == [pytest.approx(0.01), pytest.approx(0.01), pytest.approx(0.10)]


def test_a_row_is_a_final_signal_flat_and_typed(store):
    keep(store, final(NOON), {**final(NOON + STEP), "candle_closed": False})
    table = features_of(store, BITCOIN, NOON + HOUR_MS)
    assert table.schema == features.schema(["1h", "4h", "1d"])
    (row,) = table.to_pylist()
    assert row["candle_time"] == pd.Timestamp(NOON, unit="ms", tz="UTC")
    assert row["known_at"] == pd.Timestamp(NOON + STEP + 20 * SECOND, unit="ms", tz="UTC")
    states = ("momentum_score", "reversion_score", "cluster_strength", "market_breadth", "volatility_regime")
    assert [row[name] for name in states] == [50.0, 25.0, 0.5, 0.5, "low"]
    assert row["cluster_validated"] is True
    assert row["rsi"] is None


def test_what_nobody_looked_at_is_missing(store):
    keep(store, {**final(NOON), "market_breadth": None, "volatility_regime": "unknown"})
    (row,) = rows(store, NOON + HOUR_MS)
    assert (row["market_breadth"], row["volatility_regime"]) == (None, "unknown")


def test_labels_are_what_followed_within_their_horizon(store):
    keep(store, final(MIDNIGHT))
    store.append_closed([(BTC, "5m", candles([100, 101, 104, 98, 100]))])
    (row,) = rows(store, NOON)
    assert row["fwd_return_1"] == pytest.approx(0.01)
    assert row["mfe_1"] == pytest.approx(0.03)  # 101 + 2
    assert row["mae_1"] == pytest.approx(-0.03)  # 100 - 3
    assert row["fwd_return_3"] == pytest.approx(-0.02)
    assert row["mfe_3"] == pytest.approx(0.06)  # 104 + 2
    assert row["mae_3"] == pytest.approx(-0.05)  # 98 - 3
    assert row["fwd_return_6"] is row["mfe_6"] is row["mae_6"] is None


def test_a_label_is_missing_until_its_last_candle_is_known(store):
    keep(store, final(MIDNIGHT))
    store.append_closed([(BTC, "5m", candles([100, 101, 102, 103, 104]))])
    passed = MIDNIGHT + 4 * STEP + SETTLED_MS  # the third candle after the first has closed and settled
    assert rows(store, passed - 1)[0]["fwd_return_3"] is None
    assert rows(store, passed - 1)[0]["fwd_return_1"] is not None
    assert rows(store, passed)[0]["fwd_return_3"] == pytest.approx(0.03)


def test_unknown_candles_spoil_labels_and_untraded_ones_stand_at_the_close_before(store):
    keep(store, final(MIDNIGHT), final(MIDNIGHT + 10 * STEP), final(MIDNIGHT + 12 * STEP))
    kept = candles([100.0 + number for number in range(20)])
    there = ~np.isin(np.arange(20), [2, 11, 12])
    store.append_closed([(BTC, "5m", Rows(kept.open_time[there], kept.values[there]))])
    store.gaps.append([Gap("binance", None, DOWN, MIDNIGHT + 2 * STEP, MIDNIGHT + 3 * STEP)])
    span = MIDNIGHT + 11 * STEP, MIDNIGHT + 13 * STEP
    store.gaps.append([Gap("binance", "BTC/USDT", NO_TRADE, *span)], span[1] + 30 * SECOND)
    first, second, untraded = rows(store, NOON)
    assert (first["fwd_return_1"], first["fwd_return_3"]) == (pytest.approx(0.01), None)
    assert (second["fwd_return_1"], second["mfe_1"], second["mae_1"]) == (0, 0, 0)
    assert second["fwd_return_3"] == pytest.approx(3 / 110)
    assert untraded["fwd_return_1"] == pytest.approx(3 / 110)
    other = rows(store, span[1])  # when that was not known yet
    assert [row["fwd_return_1"] for row in other] == [pytest.approx(0.01), None]


def test_a_longer_timeframe_joins_from_its_close_on_and_when_it_was_made(store):
    eleven = NOON - HOUR_MS
    keep(store, final(eleven - HOUR_MS, "1h", score=10.0), final(eleven, "1h", score=11.0))
    keep(store, final(NOON - 2 * STEP), final(NOON - STEP), final(NOON, delay_ms=9 * SECOND))
    keep(store, {**final(NOON + 50 * MINUTE_MS), "timestamp": iso(NOON + 55 * MINUTE_MS)})
    found = {
        row["candle_time"].isoformat()[11:16]: row for row in rows(store, NOON + DAY_MS) if row["timeframe"] == "5m"
    }
    assert {moment: row["momentum_score_1h"] for moment, row in found.items()} == {
        "11:50": 10.0,  # closes at 11:55: nothing of the candle of 11:00 is final
        "11:55": 11.0,
        "12:00": 11.0,
        "12:50": 11.0,
    }
    assert [found[moment]["age_s_1h"] for moment in ("11:55", "12:50")] == [20.0, 55 * 60.0]
    assert found["11:55"]["momentum_score_4h"] is None


def test_one_that_was_made_after_the_row_does_not_join_though_it_had_closed(store):
    keep(store, final(NOON - HOUR_MS, "1h"), final(NOON - STEP, delay_ms=19 * SECOND))
    row = next(row for row in rows(store, NOON + DAY_MS) if row["timeframe"] == "5m")
    assert row["momentum_score_1h"] is None


def backfilled(opened, timeframe="5m", made_ms=NOON + DAY_MS, score=50.0):
    """The final signal of a candle that a backfill made long after it."""
    usable = iso(opened + LENGTH_MS[timeframe] + 15 * SECOND)
    return {**final(opened, timeframe, score=score), "timestamp": iso(made_ms), "backfilled": True, "as_of": usable}


def test_backfilled_rows_join_by_their_market_time_in_whichever_order_they_were_made(store):
    keep(store, *(backfilled(NOON - STEP * number) for number in (1, 2)))
    ten, eleven = (backfilled(NOON - hours * HOUR_MS, "1h", NOON + 2 * DAY_MS, hours) for hours in (2, 1))
    before = features_of(store, BITCOIN, NOON + DAY_MS)
    keep(store, ten, eleven)
    found = {row["candle_time"]: row for row in rows(store, NOON + 2 * DAY_MS) if row["timeframe"] == "5m"}
    assert [row["momentum_score_1h"] for row in found.values()] == [2, 1]
    assert [row["age_s_1h"] for row in found.values()] == [55 * 60 + 15, 15]
    assert [row["usable_at"].isoformat()[11:19] for row in found.values()] == ["11:55:15", "12:00:15"]
    assert features_of(store, BITCOIN, NOON + DAY_MS).equals(before)


def test_a_backfilled_row_joins_nothing_that_a_scan_made_after_it_would_have_been_usable(store):
    keep(store, final(NOON - HOUR_MS, "1h", delay_ms=40 * MINUTE_MS), backfilled(NOON - STEP))
    row = next(row for row in rows(store, NOON + 2 * DAY_MS) if row["timeframe"] == "5m")
    assert row["momentum_score_1h"] is None


def test_a_live_row_joins_nothing_that_a_backfill_made_after_it(store):
    keep(store, final(NOON - STEP), backfilled(NOON - HOUR_MS, "1h"))
    row = next(row for row in rows(store, NOON + 2 * DAY_MS) if row["timeframe"] == "5m")
    assert row["momentum_score_1h"] is None


def test_one_that_is_too_old_does_not_join(store):
    keep(store, final(NOON - 3 * HOUR_MS, "1h"), final(NOON - STEP), final(NOON - 2 * STEP))
    found = [row["momentum_score_1h"] for row in rows(store, NOON + DAY_MS) if row["timeframe"] == "5m"]
    assert found == [50.0, None] or found == [None, None]


def test_a_timeframe_chooses_rows_and_still_sees_the_longer_ones(store):
    keep(store, final(NOON - HOUR_MS, "1h"), final(NOON - 4 * HOUR_MS, "4h"), final(NOON - STEP))
    (row,) = rows(store, NOON + HOUR_MS, Query(BITCOIN.wanted, 3, "1h"))
    assert (row["timeframe"], row["momentum_score_4h"]) == ("1h", 50.0)
    assert "momentum_score_1h" not in row
    assert rows(store, NOON + HOUR_MS, Query(BITCOIN.wanted, 3, "15m")) == []
    assert "rsi_8h" in rows(store, NOON + HOUR_MS, timeframes=["5m", "8h"])[0]


def test_days_count_back_from_the_moment_by_when_candles_opened(store):
    keep(store, *(final(NOON - day * DAY_MS) for day in range(5)))
    assert len(rows(store, NOON + HOUR_MS, Query(BITCOIN.wanted, 2))) == 2
    assert len(rows(store, NOON - DAY_MS + HOUR_MS, Query(BITCOIN.wanted, 2))) == 2


def test_several_markets_are_rows_of_one_table_by_when_they_were_known(store):
    keep(store, final(NOON), final(NOON + STEP))
    keep(store, *(final(NOON, market=SWAP, delay_ms=10 * SECOND), final(NOON + STEP, market=SWAP)), market=SWAP)
    store.append_closed(
        [(market, "5m", candles([price, price + 1], NOON)) for market, price in ((BTC, 100), (SWAP, 200))]
    )
    found = rows(store, NOON + HOUR_MS)
    assert [row["exchange"] for row in found] == ["kucoinfutures", "binance", "binance", "kucoinfutures"]
    assert [row["fwd_return_1"] for row in found[:2]] == [pytest.approx(1 / 200), pytest.approx(1 / 100)]


def as_bytes(table):
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def table_at(store, as_of_ms, by="known_at"):
    """The table of a moment, an empty one where nothing was known yet."""
    try:
        return features_of(store, BITCOIN, as_of_ms, by=by)
    except NothingStored:
        return features.schema(["1h", "4h", "1d"]).empty_table()


NUMBER = st.integers(0, 40)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("candle"), NUMBER, st.integers(0, 30), st.integers(95, 105)),
        st.tuples(st.just("untraded"), NUMBER, st.integers(0, 30), st.just(0)),
        st.tuples(st.sampled_from(["5m", "1h"]), NUMBER, st.integers(0, 30), st.integers(0, 100)),
    ),
    min_size=5,
    max_size=60,
)


def happen(store, event):
    """One thing that becomes known about a candle, some minutes after its close."""
    kind, number, _, value = event
    timeframe = "1h" if kind == "1h" else "5m"
    opened = MIDNIGHT + number * LENGTH_MS[timeframe] // (12 if timeframe == "1h" else 1)
    opened -= opened % LENGTH_MS[timeframe]
    if kind == "candle":
        store.append_closed([(BTC, "5m", candles([value], opened))], moment_of(event))
    elif kind == "untraded":
        gap = Gap("binance", "BTC/USDT", NO_TRADE, opened, opened + STEP)
        store.gaps.append([gap], moment_of(event))
    else:
        delay_ms = moment_of(event) - opened - LENGTH_MS[timeframe]
        keep(store, final(opened, timeframe, delay_ms=delay_ms, score=float(value)))


def moment_of(event):
    kind, number, delay, _ = event
    length = LENGTH_MS["1h" if kind == "1h" else "5m"]
    opened = MIDNIGHT + number * STEP
    return opened - opened % length + length + delay * MINUTE_MS


@settings(max_examples=15)
@given(EVENTS, st.sets(st.integers(0, 300), min_size=1, max_size=3))
def test_a_table_of_a_moment_is_the_same_whenever_it_is_made(tmp_path_factory, events, moments):
    """The future changes: candles come and are revised, signals are made, the ledger grows; nothing before does."""
    then = {}
    with TrainingStore(tmp_path_factory.mktemp("past")) as store:
        happen(store, ("5m", 0, 0, 50))
        waiting = sorted(events, key=moment_of)
        for as_of_ms in sorted(MIDNIGHT + moment * MINUTE_MS for moment in moments):
            while waiting and moment_of(waiting[0]) <= as_of_ms:
                happen(store, waiting.pop(0))
            then[as_of_ms] = table_at(store, as_of_ms)
        for event in waiting:
            happen(store, event)
        for as_of_ms, table in then.items():
            again = table_at(store, as_of_ms)
            assert again.equals(table)
            assert as_bytes(again) == as_bytes(table)
    for as_of_ms, table in then.items():
        assert table_at(TrainingStore(store.base_path), as_of_ms).equals(table)


def test_a_clock_that_was_set_back_adds_to_tables_of_the_time_that_happens_twice_alone(store):
    """From 00:00 to 02:00, then once more from 01:00 on to 03:00, with other news each time."""
    first = [("5m", number, 1, number) for number in range(22)]
    second = [("5m", number, 2, 50) for number in (11, 15, 22, 30)] + [("candle", 12, 20, 99), ("1h", 0, 3, 9)]
    then = {}

    def pass_through(events, begins, ends):
        for minute in range(begins, ends, 10):
            as_of_ms = MIDNIGHT + minute * MINUTE_MS
            for event in events:
                if as_of_ms - 10 * MINUTE_MS < moment_of(event) <= as_of_ms:
                    happen(store, event)
            then.setdefault(as_of_ms, table_at(store, as_of_ms))

    pass_through(first, 10, 121)
    pass_through(second, 70, 181)
    changed = [as_of_ms for as_of_ms, table in then.items() if not table_at(store, as_of_ms).equals(table)]
    assert changed
    assert min(changed) > MIDNIGHT + HOUR_MS
    assert max(changed) <= MIDNIGHT + 2 * HOUR_MS
    assert max(then) > MIDNIGHT + 2 * HOUR_MS


def test_a_revised_candle_is_the_old_one_for_who_asks_as_of_before(store):
    keep(store, final(MIDNIGHT))
    store.append_closed([(BTC, "5m", candles([100, 101]))], MIDNIGHT + 2 * STEP + SECOND)
    store.append_closed([(BTC, "5m", candles([110], MIDNIGHT + STEP))], NOON)
    assert rows(store, NOON - 1)[0]["fwd_return_1"] == pytest.approx(0.01)
    assert rows(store, NOON)[0]["fwd_return_1"] == pytest.approx(0.10)


def test_the_frame_is_that_table(store):
    keep(store, final(MIDNIGHT), final(MIDNIGHT + STEP))
    store.append_closed([(BTC, "5m", candles([100, 101]))])
    frame = dataset("binance:BTC/USDT", days=2, as_of=iso(NOON), base_path=store.base_path)
    assert list(frame.columns) == features.schema(["1h", "4h", "1d"]).names
    assert frame["fwd_return_1"].tolist()[0] == pytest.approx(0.01)
    assert frame["fwd_return_1"].isna().tolist() == [False, True]
    assert str(frame["known_at"].dtype) == "datetime64[ms, UTC]"
    assert frame["cluster_validated"].dtype == bool
    scalp = dataset("BTC/USDT", 2, timeframe="scalp", as_of=NOON, base_path=store.base_path)
    pd.testing.assert_frame_equal(scalp, frame)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"symbol": "../../etc"}, InvalidInput),
        ({"days": 0}, InvalidInput),
        ({"days": "3"}, InvalidInput),
        ({"exchange": "../x"}, InvalidInput),
        ({"timeframe": "7m"}, InvalidInput),
        ({"timeframes": ["7m"]}, InvalidInput),
        ({"timeframes": "1h"}, InvalidInput),
        ({"as_of": "soon"}, InvalidInput),
        ({"by": "market"}, InvalidInput),
        ({"symbol": "ETH/USDT"}, NothingStored),
        ({"exchange": "okx"}, NothingStored),
    ],
)
def test_wrong_arguments_are_refused(store, arguments, error):
    keep(store, final(NOON))
    with pytest.raises(error, match=f"^{next(iter(arguments))}: " if error is InvalidInput else "nothing"):
        dataset(**{"symbol": "BTC/USDT", "base_path": store.base_path, **arguments})
