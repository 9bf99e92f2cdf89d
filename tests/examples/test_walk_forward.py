import numpy as np
import pandas as pd
import pytest

from examples.walk_forward import folds

MINUTE = pd.Timedelta(minutes=1)


def times(count):
    return pd.Series(pd.date_range("2025-10-01", periods=count, freq=MINUTE, tz="UTC"))


def test_the_last_half_is_foretold_once_and_in_order():
    usable = times(20)
    found = list(folds(usable, usable + MINUTE, count=5, first=0.5))
    assert [fold.test.tolist() for fold in found] == [[10, 11], [12, 13], [14, 15], [16, 17], [18, 19]]
    assert [fold.at for fold in found] == list(usable[10::2])


def test_only_labels_that_had_come_true_are_learned_from():
    usable = times(20)
    first, *_ = folds(usable, usable + 3 * MINUTE, count=5)
    # foretold from minute 10 on: the label of row 7 comes at minute 10, that of row 8 later
    assert first.train.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_rows_of_one_moment_stay_together():
    usable = times(10).repeat(2).reset_index(drop=True)  # two markets
    for fold in folds(usable, usable + MINUTE, count=5):
        assert fold.test.tolist() == [fold.test[0], fold.test[0] + 1]
        assert (usable[fold.train] < fold.at).all()


def test_late_rows_are_not_learned_from_early():
    usable, label = times(20), times(20)
    usable[2] = usable[19]  # known at the end, though its candle was early
    label[2] = usable[2]
    found = list(folds(usable, label, count=3))
    assert all(2 not in fold.train for fold in found)
    assert 2 in found[-1].test


def test_too_few_times_are_refused():
    with pytest.raises(ValueError, match="5 different times are too few for 5 folds"):
        list(folds(times(5), times(5)))
    assert len(list(folds(times(10), times(10)))) == 5
    assert np.size(next(folds(times(10), times(10) + 100 * MINUTE)).train) == 0
