"""How fresh data are: by their own time, in one word, with its cause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import InvalidInput
from scanner.gateway.answers import ExchangeState, WeightState
from scanner.markets import Market
from scanner.runtime.freshness import STATES, Freshness, Held, Intervals, Pulse, Stir, cause_of, judge
from scanner.runtime.freshness_report import FreshnessQuery, rows, summary, unready
from scanner.timeframes import MINUTE_MS, open_time_of

STEP, HOUR = 5 * MINUTE_MS, 60 * MINUTE_MS
NOW = 1_700_006_400_000 + 2 * MINUTE_MS  # two minutes into a 5m candle and an hour
INTERVALS = Intervals(prices_ms=5000, signals_ms=30_000, grace_ms=15_000)
BTC, ETH, SOL = (Market("binance", f"{base}/USDT") for base in ("BTC", "ETH", "SOL"))
STYLES = {"scalp": "5m", "swing": "1h"}


def held(now_ms: int = NOW, **changes: object) -> Held:
    """Three markets, all of whose candles were asked for ten seconds ago."""
    final = {name: np.full(3, open_time_of(now_ms, step) - step) for name, step in (("5m", STEP), ("1h", HOUR))}
    fresh = Held(
        markets=(BTC, ETH, SOL),
        base="5m",
        as_of_ms=np.full(3, now_ms - 10_000),
        rationed=np.zeros(3, dtype=bool),
        final_ms=final,
        loaded={name: np.ones(3, dtype=bool) for name in final},
        newest_ms=open_time_of(now_ms, STEP),
        stir=Stir(now_ms - 10_000, 45_000),
    )
    return replace(fresh, **changes)  # type: ignore[arg-type]


def judged(this: Held, now_ms: int = NOW, price_age_s: float = 2.0, **about: object) -> Freshness:
    prices = np.full(3, now_ms - int(price_age_s * 1000))
    stir = about.pop("prices", Stir(int(prices[0]), 10**9))
    return judge("binance", this, prices, stir, INTERVALS, now_ms, **about)  # type: ignore[arg-type]


def words(found: Freshness) -> list[list[str]]:
    return [[STATES[state] for state in line] for line in found.state]


def test_what_was_asked_for_lately_is_live() -> None:
    found = judged(held())
    assert words(found) == [["live"] * 3] * 2
    np.testing.assert_array_equal(found.age_s, np.full((2, 3), 10.0))


def causes(found: Freshness) -> list[str | None]:
    return [cause_of(found, 0, m) for m in range(3)]


@pytest.mark.parametrize(("age_s", "word"), [(45, "live"), (46, "late"), (150, "late"), (151, "stale")])
def test_age_counts_in_intervals_of_the_stream(age_s: int, word: str) -> None:
    """At 30 s: late after 45 s, stale after 150 s. Only the market whose data are old is."""
    as_of_ms = np.array([NOW - 10_000, NOW - age_s * 1000, NOW - 10_000])
    assert words(judged(held(as_of_ms=as_of_ms))) == [["live", word, "live"]] * 2


def test_what_the_budget_spares_is_late_and_no_more_while_its_price_is_fresh() -> None:
    spared = held(as_of_ms=np.full(3, NOW - 290_000), rationed=np.array([False, True, True]))
    assert words(judged(spared))[0] == ["stale", "late", "late"]
    assert words(judged(spared, price_age_s=10))[0] == ["stale"] * 3
    assert words(judged(spared, state="down", cause="HTTP 500"))[0] == ["stale"] * 3


@pytest.mark.parametrize(("age_s", "word"), [(7.5, "live"), (7.6, "late"), (25, "late"), (25.1, "stale")])
def test_old_prices_count_in_intervals_of_their_own_stream(age_s: float, word: str) -> None:
    """At 5 s: late after 7.5 s, stale after 25 s."""
    found = judged(held(), price_age_s=age_s)
    assert words(found) == [[word] * 3] * 2
    assert causes(found) == [None if word == "live" else "no newer prices came"] * 3


def test_one_market_without_a_price_is_judged_by_its_candles() -> None:
    priced = np.array([NOW, 0, NOW])
    stir = Stir(NOW, 10**9)
    assert words(judge("binance", held(), priced, stir, INTERVALS, NOW))[0] == ["live"] * 3
    assert words(judge("binance", held(), np.zeros(3, dtype=np.int64), None, INTERVALS, NOW))[0] == ["stale"] * 3


def test_an_exchange_that_repeats_itself_is_stale_however_quickly_it_answers() -> None:
    found = judged(held(stir=Stir(NOW - 200_000, 45_000)))
    assert words(found) == [["stale"] * 3] * 2
    assert found.age_s[0, 0] == 200
    assert causes(found) == ["binance says the same of its candles over and over"] * 3


def test_prices_that_repeat_themselves_are_as_old_as_their_last_change() -> None:
    found = judged(held(), prices=Stir(NOW - 20_000, 7500))
    assert words(found)[0] == ["late"] * 3
    assert found.price_age_s.tolist() == [20] * 3
    assert causes(found) == ["binance says the same prices over and over"] * 3


def test_a_time_ahead_of_ours_is_no_age_below_nothing() -> None:
    assert (judged(held(as_of_ms=np.full(3, NOW + 90_000))).age_s == 0).all()


def test_an_exchange_whose_newest_candle_is_old_is_stale() -> None:
    newest_ms = open_time_of(NOW, STEP) - 4 * STEP
    assert words(judged(held(newest_ms=newest_ms)))[0] == ["stale"] * 3


def test_missing_closed_candles_are_a_gap() -> None:
    final_ms = {name: column.copy() for name, column in held().final_ms.items()}
    final_ms["5m"][1] -= 3 * STEP
    found = judged(held(final_ms=final_ms))
    assert words(found) == [["live", "gap", "live"], ["live"] * 3]
    assert found.behind.tolist() == [[0, 3, 0], [0, 0, 0]]


def test_a_candle_that_has_just_closed_is_not_missing_yet() -> None:
    """Grace and one and a half cycles are 60 s."""
    for seconds, word in ((59, "live"), (61, "gap")):
        now_ms = open_time_of(NOW, STEP) + seconds * 1000
        before = held(now_ms - 100 * 1000)
        fresh = replace(
            before, as_of_ms=np.full(3, now_ms), stir=Stir(now_ms, 45_000), newest_ms=open_time_of(now_ms, STEP)
        )
        assert words(judged(fresh, now_ms))[0] == [word] * 3


def test_a_market_without_history_is_loading_and_has_no_age() -> None:
    loaded = {"5m": np.array([True, True, False]), "1h": np.array([True, False, False])}
    found = judged(held(loaded=loaded))
    assert words(found) == [["live", "live", "loading"], ["live", "loading", "loading"]]
    assert np.isnan(found.age_s).tolist() == [[False, False, True], [False, True, True]]


@pytest.mark.parametrize("word", ["restricted", "banned"])
def test_a_closed_door_is_the_state_of_all_behind_it(word: str) -> None:
    found = judged(held(), state=word, cause="HTTP 451")
    assert words(found) == [["restricted"] * 3] * 2
    assert causes(found) == [f"binance is {word}: HTTP 451"] * 3


def test_what_the_exchange_does_not_list_any_more_is_delisted() -> None:
    assert words(judged(held(), gone=frozenset([ETH])))[0] == ["live", "delisted", "live"]


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_age_grows_with_time_and_is_never_negative(as_of: int, moved: int, later: int) -> None:
    this = held(as_of_ms=np.full(3, NOW - as_of), stir=Stir(NOW - moved, 45_000))
    now, then = judged(this), judged(this, NOW + later)
    assert (now.age_s >= as_of / 1000).all()
    assert (then.age_s >= now.age_s).all()


def test_where_every_look_brings_news_a_stall_shows_after_one_and_a_half_intervals() -> None:
    pulse = Pulse(5000, 0)
    stirs = [pulse.feel(i, i * 5000) for i in range(10)]
    assert stirs[-1] == Stir(45_000, 7500, repeats=False)
    assert pulse.feel(9, 46_000).since(52_500) is None
    assert pulse.feel(9, 50_000).since(52_501) == 45_000


def test_a_pulse_learns_how_long_an_exchange_is_usually_silent() -> None:
    """A change a minute, looked at every ten seconds: the same is seen for 50 s, which is believed step by step."""
    pulse = Pulse(10_000, 0)
    stirs = [pulse.feel(i // 6, i * 10_000) for i in range(60)]
    assert stirs[5].patience_ms == 15_000
    assert stirs[6].patience_ms == 15_000 + 30_000
    assert stirs[12].patience_ms == stirs[-1].patience_ms == 15_000 + 50_000


def test_a_long_stall_is_not_taken_for_what_is_usual() -> None:
    pulse = Pulse(5000, 0)
    pulse.feel(0, 0)
    for at_ms in range(5000, 605_000, 5000):
        pulse.feel(1, at_ms)
    assert pulse.feel(2, 605_000).patience_ms == 7500 + 15_000


# --- what callers see ---


def test_the_summary_counts_states_and_gives_percentiles_per_exchange_and_whole() -> None:
    one = judged(held(as_of_ms=np.array([NOW - 1000, NOW - 2000, NOW - 90_000])))
    told = summary([one])
    assert told["all"] == told["exchanges"]["binance"]
    assert told["all"]["age_s"] == {"p50": 2.0, "p90": 90.0, "p99": 90.0, "max": 90.0}
    assert told["all"]["states"]["live"] == 4
    assert told["all"]["states"]["late"] == 2
    nothing = summary([])
    assert nothing["all"]["age_s"] == {"p50": None, "p90": None, "p99": None, "max": None}


def test_rows_come_without_data_first_then_oldest() -> None:
    loaded = {"5m": np.array([True, True, False]), "1h": np.ones(3, dtype=bool)}
    found = judged(held(loaded=loaded, as_of_ms=np.array([NOW - 1000, NOW - 90_000, NOW - 2000])))
    got = rows([found], FreshnessQuery(limit=3), STYLES)
    assert [(row["symbol"], row["timeframe"], row["state"]) for row in got] == [
        ("SOL/USDT", "5m", "loading"),
        ("ETH/USDT", "5m", "late"),
        ("ETH/USDT", "1h", "late"),
    ]
    assert got[0]["age_s"] is None
    assert got[1]["age_s"] == 90


def test_rows_are_filtered() -> None:
    found = [judged(held(as_of_ms=np.array([NOW - 1000, NOW - 90_000, NOW - 2000])))]

    def count(**filters: str) -> int:
        return len(rows(found, FreshnessQuery(**filters), STYLES))  # type: ignore[arg-type]

    assert count() == 6
    assert count(state="late") == count(symbol="ETH") == count(symbol="binance:ETH/USDT") == 2
    assert count(timeframe="swing") == count(timeframe="1h") == 3
    assert count(exchange="kraken") == 0


@pytest.mark.parametrize("filters", [{"state": "fine"}, {"timeframe": "7m"}, {"symbol": "../x"}])
def test_a_filter_that_can_be_nothing_is_refused(filters: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        rows([judged(held())], FreshnessQuery(**filters), STYLES)  # type: ignore[arg-type]
    assert refused.value.field == next(iter(filters))


def state(word: str, cause: str | None = None) -> dict[str, ExchangeState]:
    return {"binance": ExchangeState("binance", word, cause, 3, NOW, WeightState(0, 4200, 6000, 60.0), {})}


def test_a_scan_that_brings_fresh_data_is_ready() -> None:
    assert unready(True, state("live"), [judged(held())]) == []


def test_no_scan_or_no_candles_is_not_ready() -> None:
    assert unready(False, {}, []) == ["no scan is running"]
    assert unready(True, state("down", "no answer"), []) == ["binance has no candles yet: no answer"]


def test_one_market_in_ten_may_be_behind() -> None:
    stale = judged(held(stir=Stir(NOW - 200_000, 45_000)))
    (reason,) = unready(True, state("live"), [stale])
    assert reason == "6 of 6 market-timeframes are behind: binance says the same of its candles over and over"


def test_what_cannot_be_had_does_not_count() -> None:
    assert unready(True, state("live"), [judged(held(), gone=frozenset([ETH]))]) == []
    assert unready(True, state("restricted"), [judged(held(), state="restricted", cause="HTTP 451")]) == [
        "nothing that is scanned can be had: binance is restricted: HTTP 451"
    ]
