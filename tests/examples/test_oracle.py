from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples.oracle import LEAST_ROWS, OracleEngine
from examples.rows import NoData
from tests.examples.made import rows

DAYS = 288


@pytest.mark.parametrize("model", ["trees", "logistic"])
def test_what_is_there_is_found(model):
    report = OracleEngine(model=model).learn(rows(12 * DAYS, known=True))
    assert report.right("model").mean() > 0.9
    assert report.verdict().startswith("It beats every naive forecast here, and more than its costs.")


def test_a_gain_below_costs_is_told():
    report = OracleEngine(cost=500).learn(rows(12 * DAYS, known=True))
    assert report.verdict().startswith("It beats every naive forecast here, but not by more than its costs.")


def test_nothing_is_found_in_a_random_walk():
    report = OracleEngine().learn(rows(12 * DAYS))
    assert "It does NOT beat: " in report.verdict()
    assert "how often it rose before" in report.verdict()
    assert report.verdict() == str(report).splitlines()[-1]


def test_a_few_days_are_too_little_to_tell():
    report = OracleEngine().learn(rows(3 * DAYS, known=True))
    assert report.verdict() == "Too little time to tell: forecasts of 5 days are needed, better of several weeks."
    assert "(too little time to tell how sure)" in str(report)


def test_forecasts_do_not_change_with_what_comes_later():
    engine, whole = OracleEngine(), rows(2 * DAYS)
    usual = engine.foretold(engine._labelled(whole))
    later = whole["candle_time"] > whole["candle_time"][int(2 * DAYS * 0.7)]
    changed = whole.copy()
    changed.loc[later, ["price_change_pct", "rsi"]] = 99.0
    changed.loc[later, "fwd_return_12"] *= -1
    other = engine.foretold(engine._labelled(changed))
    # a label needs 12 candles, so that those of the rows just before it are of the changed future in truth
    same = usual["candle_time"] <= whole["candle_time"][int(2 * DAYS * 0.7)]
    assert 100 < same.sum() < len(usual)
    np.testing.assert_array_equal(usual["model"][same], other["model"][same])
    assert (usual["model"] != other["model"]).any()


def test_naive_forecasts_by_hand():
    made = rows(300)
    engine = OracleEngine(horizon=1)
    tests = engine.foretold(engine._labelled(made))
    price = made.set_index("candle_time")["price"]
    for row in tests.iloc[[0, 50, -1]].itertuples():
        assert row.last_sign == float(price[row.candle_time] > price[row.candle_time - pd.Timedelta(minutes=5)])
        assert row.majority == float(row.base_rate > 0.5)
    first = tests.iloc[0]
    known = made[made["candle_time"] + pd.Timedelta(minutes=10) <= first["usable_at"]]
    assert first["base_rate"] == pytest.approx((known["fwd_return_1"] > 0).mean())


def test_log_loss_and_earnings_by_hand():
    report = OracleEngine().learn(rows(300))
    tests = report.tests.iloc[:2].assign(model=[0.9, 0.2], up=[1.0, 1.0], ahead=[0.01, 0.02])
    found = type(report)(report.engine, report.rows, tests)
    np.testing.assert_allclose(found.loss("model"), [-np.log(0.9), -np.log(0.2)])
    np.testing.assert_allclose(found.earned("model"), [0.01, -0.02])
    np.testing.assert_array_equal(found.right("model"), [1, 0])


def test_excursions_by_hand():
    report = OracleEngine().learn(rows(300))
    tests = report.tests.iloc[:2].assign(model=[0.9, 0.2], mfe_12=[0.03, 0.01], mae_12=[-0.02, -0.04])
    against, towards = type(report)(report.engine, report.rows, tests).excursion("model")
    np.testing.assert_array_equal(against, [-0.02, -0.01])  # the long one lost 2 % on the way, the short one 1 %
    np.testing.assert_array_equal(towards, [0.03, 0.04])


def test_what_is_foretold_rightly_goes_further_its_way_than_against_it():
    report = OracleEngine().learn(rows(12 * DAYS, known=True))
    against, towards = report.excursion("model")
    assert np.median(towards) > -np.median(against)
    assert "\n  the model                    -" in str(report).partition("at best its way")[2]


def test_markets_are_pooled_and_the_last_return_is_of_the_own_market():
    both = pd.concat([rows(300), rows(300, seed=1, symbol="ETH/USDT").assign(price=1e6)])
    report = OracleEngine().learn(both)
    assert "of 2 markets" in str(report)
    assert not report.tests.query("symbol == 'ETH/USDT'")["last_sign"].any()  # its price stands still


def test_a_trained_engine_tells_a_probability_of_new_rows():
    engine = OracleEngine()
    engine.learn(rows(12 * DAYS, known=True))
    new = rows(100, seed=5, known=True)
    likely = engine.probability(new)
    assert ((likely > 0.5) == (new["fwd_return_12"] > 0)).mean() > 0.9
    assert engine.probability(new.iloc[:1])[0] == likely[0]


def test_signals_that_came_late_are_told():
    late = rows(300)
    report = OracleEngine().learn(late.assign(usable_at=late["usable_at"] + pd.Timedelta(hours=1)))
    assert str(report).endswith("known later than a candle after their close: their labels begin too early.")


def test_too_few_rows_and_wrong_horizons_are_refused():
    with pytest.raises(NoData, match=f"88 rows whose 12 candles have passed, {LEAST_ROWS} are needed"):
        OracleEngine().learn(
            rows(100).assign(fwd_return_12=lambda frame: frame["fwd_return_12"].where(frame.index < 88))
        )
    with pytest.raises(ValueError, match="horizon: 7 is not one of 1, 3, 6, 12, 24"):
        OracleEngine(horizon=7)
