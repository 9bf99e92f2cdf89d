"""What is asked for first, and what waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.answers import CandleRequest, Purpose
from scanner.gateway.plan import Room, Wanted, for_later, in_order, is_urgent, plan_requests
from scanner.markets import Market

NEVER = float("-inf")


def want(
    name: str, purpose: Purpose = Purpose.FORMING, asked: float = NEVER, *, value: float = 0.0, weight: int = 2, on="5m"
) -> Wanted:
    request = CandleRequest(Market("binance", f"{name}/USDT"), on, 0, 2, purpose, value)
    return Wanted(request, weight, asked)


def room(free: int, later: int | None = None, most: int = 10**6) -> Room:
    return Room(free, free if later is None else later, most)


def names(wants: list[Wanted]) -> list[str]:
    return [f"{each.request.market.symbol.split('/')[0]} {each.request.timeframe}" for each in wants]


def test_repairs_then_closes_then_histories_then_refreshes():
    wanted = [want(purpose.name, purpose) for purpose in reversed(Purpose)]
    assert [each.request.purpose for each in in_order(wanted)] == list(Purpose)


@pytest.mark.parametrize("purpose", Purpose)
def test_what_was_asked_longest_ago_comes_first(purpose):
    wanted = [want("A", purpose, 50), want("B", purpose, 10), want("C", purpose)]
    assert names(in_order(wanted)) == ["C 5m", "B 5m", "A 5m"]


def test_the_most_valuable_refresh_comes_first_and_of_equals_the_stalest():
    wanted = [want("A", asked=1, value=1), want("B", asked=5, value=2), want("C", asked=4, value=2)]
    assert names(in_order(wanted)) == ["C 5m", "B 5m", "A 5m"]


def test_histories_go_market_by_market():
    wanted = [want(name, Purpose.BACKFILL, on=on) for on in ("5m", "1h") for name in "ABC"]
    assert names(in_order(wanted)) == ["A 5m", "A 1h", "B 5m", "B 1h", "C 5m", "C 1h"]


def test_a_history_that_is_begun_goes_first_and_one_asked_for_in_vain_last():
    wanted = [
        *(want("A", Purpose.BACKFILL, 7 if on == "5m" else NEVER, on=on) for on in ("5m", "1h")),
        *(want("B", Purpose.BACKFILL, on=on) for on in ("5m", "1h")),
        want("C", Purpose.BACKFILL, on="1h"),
    ]
    assert names(in_order(wanted)) == ["C 1h", "B 5m", "B 1h", "A 5m", "A 1h"]


def test_a_costly_request_is_not_starved_by_cheap_ones():
    costly, cheap = want("A", weight=20, asked=0), want("B", weight=1, asked=10)
    plan = plan_requests([cheap, costly], room(15))
    assert (plan.chosen, plan.deferred) == ([], [costly, cheap])
    assert plan_requests([cheap, costly], room(20)).chosen == [costly]


def test_one_that_can_never_fit_does_not_block_the_others():
    huge, cheap = want("A", weight=200, asked=0), want("B", weight=1, asked=10)
    plan = plan_requests([huge, cheap], room(20, most=100))
    assert (plan.chosen, plan.deferred) == ([cheap], [huge])


def test_what_is_not_urgent_leaves_the_rest_to_what_is():
    wanted = [want("A", Purpose.CLOSE), want("B", Purpose.BACKFILL), want("C")]
    assert names(plan_requests(wanted, room(100, later=3)).chosen) == ["A 5m"]
    assert names(plan_requests(wanted, room(100, later=4)).chosen) == ["A 5m", "B 5m"]


def test_the_weight_of_the_next_close_is_kept_as_soon_as_it_would_be_missed():
    """2,000 markets: 4,000 of 4,072 are needed at the close. A minute before, what is spent now is forgotten then."""
    assert for_later(free=4072, free_at_close=4072, closes_weight=4000, close_in_s=60, window_s=60) == 4072
    assert for_later(free=4072, free_at_close=4072, closes_weight=4000, close_in_s=59, window_s=60) == 72
    assert for_later(free=30, free_at_close=4072, closes_weight=4000, close_in_s=59, window_s=60) == 30
    assert for_later(free=4072, free_at_close=3000, closes_weight=4000, close_in_s=59, window_s=60) == 0


wants = st.builds(
    want,
    st.sampled_from("ABCDEF"),
    st.sampled_from(Purpose),
    st.sampled_from([NEVER, *range(20)]),
    value=st.floats(0, 3),
    weight=st.integers(1, 30),
    on=st.sampled_from(["5m", "1h", "4h"]),
)
wanted_lists = st.lists(wants, max_size=40)
rooms = st.builds(room, st.integers(0, 300), st.integers(0, 300), st.integers(0, 60))


def identities(wanted: list[Wanted]) -> list[int]:
    return sorted(map(id, wanted))


@given(wanted_lists, rooms)
def test_a_plan_fits_and_holds_every_request_once(wanted, there):
    plan = plan_requests(wanted, there)
    assert plan.weight <= there.free
    if any(not is_urgent(each.request) for each in plan.chosen):
        assert plan.weight <= there.for_later
    assert identities(plan.chosen + plan.deferred) == identities(wanted)


@given(wanted_lists, rooms)
def test_a_plan_keeps_the_order(wanted, there):
    plan, order = plan_requests(wanted, there), [id(each) for each in in_order(wanted)]
    for part in (plan.chosen, plan.deferred):
        places = [order.index(id(each)) for each in part]
        assert places == sorted(places)
    could = [each for each in in_order(wanted) if each.weight <= there.most]
    assert plan.chosen == could[: len(plan.chosen)]


@given(wanted_lists, st.integers(0, 200), st.integers(0, 200), st.integers(0, 50))
def test_more_room_never_chooses_less(wanted, free, later, more):
    fewer = plan_requests(wanted, room(free, later)).chosen
    assert plan_requests(wanted, room(free + more, later + more)).chosen[: len(fewer)] == fewer


@given(
    st.sampled_from([Purpose.GAP, Purpose.CLOSE, Purpose.BACKFILL]),
    st.lists(st.integers(1, 9), max_size=15),
    st.integers(9, 40),
    st.sets(st.integers(0, 14)),
)
def test_nothing_starves_although_some_always_fail(purpose, weights, free, failing):
    """Round after round with little room: whatever can be answered is, in as many rounds as it takes one by one."""
    asked: dict[int, float] = {}
    waiting, rounds = dict(enumerate(weights)), 0
    while waiting.keys() - failing:
        wanted = [want(f"M{i}", purpose, asked.get(i, NEVER), weight=weight) for i, weight in waiting.items()]
        for each in plan_requests(wanted, room(free)).chosen:
            i = int(each.request.market.symbol[1:-5])
            asked[i] = rounds
            if i not in failing:
                del waiting[i]
        rounds += 1
        assert rounds <= len(weights)
