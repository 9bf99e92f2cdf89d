"""Finality as rules of arrays: worked examples, then an oracle that asks of each candle alone, then properties."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.candles import Int
from scanner.core.finality import (
    CAPS,
    NEVER_MS,
    SPOILT_MS,
    Answers,
    assembled_through,
    doubted,
    final_through,
    lacking,
    proven_through,
    settled_through,
    told_through,
)
from scanner.timeframes import HOUR_MS, MINUTE_MS

STEP = 5 * MINUTE_MS
GRACE = 15_000
T0 = 1_700_000_000_000 // HOUR_MS * HOUR_MS
GOES_ON = T0 + 1000 * STEP  # proof enough for every candle


def one(
    came: tuple[int, ...],
    began_ms: int,
    since: int = 0,
    limit: int = 50,
    dropped: int = 0,
    provisional: bool = False,
) -> Answers:
    """One answer with the candles that open so many steps after T0."""
    first, newest = (T0 + STEP * came[0], T0 + STEP * came[-1]) if came else (-1, -1)
    numbers = (T0 + STEP * since, limit, began_ms, len(came), dropped, first, newest)
    return Answers(*(np.array([number], dtype=np.int64) for number in numbers), np.array([provisional]))


def joined(answers: list[Answers]) -> Answers:
    return Answers(*(np.concatenate([getattr(a, field.name) for a in answers]) for field in fields(Answers)))


def final(answer: Answers, proven_ms: int = GOES_ON, grace_ms: int = GRACE) -> int:
    return int(final_through(answer, np.full(len(answer.count), proven_ms), STEP, grace_ms)[0])


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        (one((0, 1, 2), T0 + 2 * STEP + 1000), 1),  # candle 2 is forming: it proves those before it
        (one((0, 1, 2), T0 + 3 * STEP + GRACE - 1), 1),  # 2 has closed, its grace is not over
        (one((0, 1, 2), T0 + 3 * STEP + GRACE), 2),  # now it is
        (one((0,), T0 + 3 * STEP + GRACE), 2),  # nobody traded 1 and 2
        (one((), T0 + 3 * STEP + GRACE), 2),  # nobody traded at all
        (one((0, 1, 2), T0 + 9 * STEP, limit=3), 1),  # a full page: more may follow
        (one((0, 1), T0 + 9 * STEP, limit=3, dropped=1), 0),  # it was full before a row was dropped
        (one((0, 1, 2), T0 + 9 * STEP, provisional=True), 1),  # pushed: more may be under way
        (one(tuple(range(100)), T0 + 300 * STEP, limit=500), 98),  # 100 of 500: cut short, perhaps
        (one(tuple(range(99)), T0 + 300 * STEP + GRACE, limit=500), 299),
    ],
)
def test_what_an_answer_makes_final(answer: Answers, steps: int) -> None:
    assert final(answer) == T0 + steps * STEP


def test_an_answer_from_which_nothing_follows_makes_nothing_final() -> None:
    assert final(one((), T0, provisional=True)) == -1


def test_without_proof_that_the_exchange_goes_on_only_what_a_newer_candle_follows_is_final() -> None:
    answer = one((0, 1, 2), T0 + 9 * STEP)
    assert final(answer, proven_ms=T0) == T0 + STEP
    assert final(answer, proven_ms=T0 + 2 * STEP) == T0 + 2 * STEP


def test_an_answer_proves_the_candles_of_later_ones_and_not_its_own() -> None:
    newest = T0 + STEP * np.array([3, 3, 4, -999, 4])
    newest[3] = -1  # an empty answer
    proven = proven_through(newest, T0 + 2 * STEP, STEP)
    np.testing.assert_array_equal((proven - T0) // STEP, [1, 2, 2, 3, 3])


def test_the_last_candle_of_a_recording_is_proven_by_its_end() -> None:
    newest = T0 + STEP * np.array([3, 4])
    np.testing.assert_array_equal(proven_through(newest, -1, STEP, T0 + 5 * STEP), [T0 + 4 * STEP] * 2)
    np.testing.assert_array_equal(proven_through(newest, -1, STEP, T0 + 5 * STEP + 1)[1:], [T0 + 2 * STEP])


def test_a_spoilt_row_holds_up_what_comes_after_it_for_half_an_hour() -> None:
    missing = lacking(T0 + STEP * np.array([0, 2]), T0, T0 + 4 * STEP, STEP)
    np.testing.assert_array_equal((missing - T0) // STEP, [1, 3])
    assert told_through(missing, T0 + 4 * STEP, STEP) == T0
    assert told_through(missing, T0 + STEP + SPOILT_MS, STEP) == T0
    assert told_through(missing, T0 + 2 * STEP + SPOILT_MS, STEP) == T0 + 2 * STEP
    assert told_through(missing, T0 + 4 * STEP + SPOILT_MS, STEP) == NEVER_MS


def test_a_market_is_final_only_as_far_as_the_exchange_has_shown_life() -> None:
    before, claimed = T0 + STEP * np.array([1, 1, 5]), T0 + STEP * np.array([2, 9, 2])
    np.testing.assert_array_equal(settled_through(before, claimed, T0 + 4 * STEP), T0 + STEP * np.array([2, 4, 5]))


def test_an_hour_is_final_with_its_last_part() -> None:
    parts = T0 + STEP * np.array([10, 11, 12, 23])
    np.testing.assert_array_equal(
        (assembled_through(parts, STEP, HOUR_MS) - T0) // HOUR_MS,
        [-1, 0, 0, 1],
    )


def test_what_was_seen_later_than_now_counts_as_seen_before_the_forming_candle() -> None:
    now = T0 + 2 * MINUTE_MS
    np.testing.assert_array_equal(doubted(np.array([0, now, now + 1]), now, STEP), [0, now, T0 - 1])


def test_an_answer_that_may_have_been_cut_short_is_complete_from_its_first_candle_on() -> None:
    cut = one(tuple(range(3, 3 + CAPS)), T0 + 300 * STEP, limit=500)
    assert cut.complete_from_ms == T0 + 3 * STEP
    assert replace(cut, count=cut.count + 1).complete_from_ms == T0  # not a round number
    assert replace(cut, limit=cut.count).complete_from_ms == T0  # all that was asked for


# --- of any answers ------------------------------------------------------------------------------------------------


@st.composite
def any_answers(draw: st.DrawFn, most: int = 6) -> Answers:
    """Answers about the ten candles from T0 on, asked for at moments around them, oldest first."""
    count = draw(st.integers(1, most))
    moments = sorted(draw(st.lists(st.integers(0, 12 * STEP), min_size=count, max_size=count)))
    return joined([draw(any_answer(T0 + moment)) for moment in moments])


@st.composite
def any_answer(draw: st.DrawFn, began_ms: int) -> Answers:
    shown = [step for step in range(10) if T0 + step * STEP <= began_ms]
    came = tuple(sorted(draw(st.sets(st.sampled_from(shown))))) if shown else ()
    limit = draw(st.integers(max(len(came), 1), 12))
    return one(came, began_ms, limit=limit, dropped=draw(st.integers(0, 2)), provisional=draw(st.booleans()))


moments = st.integers(-3 * STEP, 15 * STEP).map(lambda offset: T0 + offset)
opens = st.integers(-3, 15).map(lambda step: T0 + step * STEP)
graces = st.sampled_from([0, GRACE, STEP, 2 * STEP + 1])


@given(any_answers(), opens, graces)
def test_a_candle_is_final_by_the_sentence_that_says_so(answers: Answers, proven_ms: int, grace_ms: int) -> None:
    """Asked of each candle alone: is there a newer one, or has its grace passed on an exchange that goes on?"""
    found = final_through(answers, np.full(len(answers.count), proven_ms), STEP, grace_ms)
    for i, through_ms in enumerate(found.tolist()):
        page = answers.count[i] + answers.dropped[i]
        tells_all = page < answers.limit[i] and not answers.provisional[i]
        for open_ms in range(T0 - 5 * STEP, T0 + 20 * STEP, STEP):
            has_newer = answers.count[i] > 0 and open_ms < answers.newest_ms[i]
            waited = open_ms + STEP + grace_ms <= answers.began_ms[i]
            assert (open_ms <= through_ms) == (has_newer or (tells_all and waited and open_ms <= proven_ms))


@given(any_answers(), opens)
def test_each_answer_alone_says_what_it_says_among_others(answers: Answers, proven_ms: int) -> None:
    together = final_through(answers, np.full(len(answers.count), proven_ms), STEP, GRACE)
    for i, through_ms in enumerate(together.tolist()):
        alone = Answers(*(getattr(answers, field.name)[i : i + 1] for field in fields(Answers)))
        assert final(alone, proven_ms) == through_ms


@given(any_answers(), opens, st.integers(0, 3 * STEP))
def test_the_same_answer_given_later_makes_no_less_final(answers: Answers, proven_ms: int, later_ms: int) -> None:
    proven = np.full(len(answers.count), proven_ms)
    later = replace(answers, began_ms=answers.began_ms + later_ms)
    early = final_through(answers, proven, STEP, GRACE)
    assert (final_through(later, proven, STEP, GRACE) >= early).all()
    assert (final_through(answers, proven + later_ms, STEP, GRACE) >= early).all()
    assert (final_through(answers, proven, STEP, GRACE + later_ms) <= early).all()


@given(any_answers())
def test_no_candle_is_final_before_it_has_closed(answers: Answers) -> None:
    found = final_through(answers, np.full(len(answers.count), GOES_ON), STEP, GRACE)
    assert (found + STEP <= np.maximum(answers.began_ms, 0)).all()


@given(st.lists(opens, min_size=1, max_size=8), opens, st.data())
def test_proof_comes_from_what_was_asked_for_before(newest: list[int], shown_ms: int, data: st.DataObject) -> None:
    proven = proven_through(np.array(newest), shown_ms, STEP)
    assert proven[0] == shown_ms - STEP
    assert (np.diff(proven) >= 0).all()
    cut = data.draw(st.integers(0, len(newest)))  # what came later changes nothing
    np.testing.assert_array_equal(proven_through(np.array(newest[:cut], dtype=np.int64), shown_ms, STEP), proven[:cut])
    for i, through_ms in enumerate(proven.tolist()):
        assert through_ms + STEP in (shown_ms, *newest[:i])


@given(st.sets(st.integers(0, 12)), st.integers(0, 6), moments)
def test_what_an_answer_lacks_and_what_came_are_all_that_had_begun(came: set[int], since: int, began_ms: int) -> None:
    open_ms = T0 + STEP * np.array(sorted(came), dtype=np.int64)
    missing = lacking(open_ms, T0 + since * STEP, began_ms, STEP)
    begun = {T0 + step * STEP for step in range(since, 20) if T0 + step * STEP < began_ms}
    assert set(missing.tolist()) == begun - set(open_ms.tolist())


@given(st.sets(st.integers(-9, 15)), moments)
def test_an_answer_tells_everything_up_to_the_first_candle_that_may_still_be_spoilt(
    gone: set[int], began_ms: int
) -> None:
    missing = T0 + STEP * np.array(sorted(gone), dtype=np.int64)
    through = told_through(missing, began_ms, STEP)
    waiting = [open_ms for open_ms in missing.tolist() if open_ms + STEP > began_ms - SPOILT_MS]
    assert through == (min(waiting) - STEP if waiting else NEVER_MS)


@given(st.lists(st.tuples(opens, opens), min_size=1, max_size=6), opens, opens)
def test_final_never_goes_back_nor_beyond_what_was_claimed_and_shown(
    pairs: list[tuple[int, int]], shown_ms: int, shown_later_ms: int
) -> None:
    before, claimed = np.array(pairs).T
    through = settled_through(before, claimed, shown_ms)
    assert (through >= before).all()
    assert ((through == before) | ((through <= claimed) & (through <= shown_ms))).all()
    again = settled_through(through, claimed, shown_later_ms)
    np.testing.assert_array_equal(again, settled_through(before, claimed, max(shown_ms, shown_later_ms)))


@given(st.lists(opens, min_size=1, max_size=6), st.sampled_from([STEP, 3 * STEP, HOUR_MS]))
def test_a_longer_candle_is_final_exactly_when_all_its_parts_are(final_ms: list[int], longer_ms: int) -> None:
    through = assembled_through(np.array(final_ms), STEP, longer_ms)
    assert (through % longer_ms == 0).all()
    last_part = through + longer_ms - STEP
    assert (last_part <= np.array(final_ms)).all()
    assert (last_part + longer_ms > np.array(final_ms)).all()


@given(st.lists(moments, min_size=1, max_size=6), moments)
def test_doubt_leaves_nothing_seen_in_the_future_and_the_past_as_it_was(as_of: list[int], now_ms: int) -> None:
    seen: Int = np.array(as_of)
    left = doubted(seen, now_ms, STEP)
    np.testing.assert_array_equal(left[seen <= now_ms], seen[seen <= now_ms])
    assert (left <= now_ms).all()
    assert (left[seen > now_ms] < now_ms // STEP * STEP).all()
    np.testing.assert_array_equal(doubted(left, now_ms, STEP), left)
    np.testing.assert_array_equal(seen, as_of)
