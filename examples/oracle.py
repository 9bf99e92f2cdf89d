"""A pattern model on final signals, held against naive forecasts by walking forward in time.

    python -m examples.oracle --data-dir training_data --symbols BTC/USDT

It asks whether the price will be higher some candles on. The report says so when the model is no better than guessing;
on real prices that is the usual outcome.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from examples.chance import LEAST_BLOCKS, Estimate, Float, block_bootstrap
from examples.commandline import NEEDED, parser, run
from examples.rows import (
    FEATURES,
    HORIZONS,
    JOINED,
    LENGTHS,
    TooFew,
    all_stored,
    caution,
    enough,
    from_training_data,
    numeric,
    origin,
)
from examples.walk_forward import folds

try:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits
except ModuleNotFoundError as error:
    raise SystemExit(NEEDED.format("scikit-learn")) from error

Kind = Literal["trees", "logistic"]
LEAST_ROWS = 200
BLOCK_S = 12 * 3600  # of the bootstrap, at least; and never less than four horizons
BASIS_POINT, PERCENT = 1e-4, 1e-2
THREADS = 1  # on so few rows more of them wait for each other: 25 times as long on a busy machine


class OracleEngine:
    """Foretells from a final signal whether the price will be higher `horizon` candles after it.

    Parameters
    ----------
    horizon : int
        Candles, one of `HORIZONS`.
    model : str
        ``trees`` (boosted, shallow) or ``logistic``.
    """

    def __init__(self, horizon: int = 12, timeframe: str = "5m", model: Kind = "trees", cost: float = 10.0) -> None:
        if horizon not in HORIZONS:
            raise ValueError(f"horizon: {horizon} is not one of {', '.join(map(str, HORIZONS))}")
        self.horizon, self.timeframe, self.kind, self.cost = horizon, timeframe, model, cost
        self._model = _new(model)

    def train(
        self,
        signals: Sequence[Mapping[str, Any]],
        ohlcv: Mapping[str, Sequence[Mapping[str, Any]]],
        clustering: Sequence[Mapping[str, Any]] = (),
    ) -> Report:
        """`learn` from what `get_training_dataset` gave; what it found of clusters stands in its signals too."""
        return self.learn(from_training_data(signals, ohlcv, self.timeframe))

    def learn(self, rows: pd.DataFrame) -> Report:
        """Evaluate on rows by walking forward, then learn from all of them.

        Raises
        ------
        NoData
            They are too few to learn from.
        """
        rows = self._labelled(rows)
        report = Report(self, rows, self.foretold(rows))
        self._model = _fitted(self.kind, rows)
        return report

    def probability(self, rows: pd.DataFrame) -> Float:
        """How likely each row is to be followed by a higher price; wants `learn` first."""
        return _foretold(self._model, rows)

    def foretold(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The test rows of all folds, each with forecasts made from rows whose labels were known before.

        Columns besides those of `rows`: `model` and `base_rate` (probability of a higher price), `majority` and
        `last_sign` (0 or 1).
        """
        length = pd.Timedelta(seconds=LENGTHS[self.timeframe])
        label_at = rows["candle_time"] + (self.horizon + 1) * length
        parts = []
        for fold in folds(rows["usable_at"], label_at):
            train, test = rows.iloc[fold.train], rows.iloc[fold.test]
            base_rate = float(train["up"].mean()) if len(train) else 0.5
            model = _fitted(self.kind, train) if train["up"].nunique() == 2 else None
            guess = np.full(len(test), base_rate)
            forecast = guess if model is None else _foretold(model, test)
            parts.append(test.assign(model=forecast, base_rate=base_rate, majority=float(base_rate > 0.5)))
        return pd.concat(parts, ignore_index=True)

    def _labelled(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows whose label is there, in the order of time, with `up` and `last_sign`."""
        rows = rows.sort_values(["usable_at", "candle_time"], ignore_index=True)
        move = rows.groupby(["exchange", "symbol"])["price"].diff()
        rows = rows.assign(last_sign=(move > 0).astype("float64"), ahead=rows[f"fwd_return_{self.horizon}"])
        rows = rows[rows["ahead"].notna()].reset_index(drop=True)
        if len(rows) < LEAST_ROWS:
            told = f"{len(rows)} rows whose {self.horizon} candles have passed, {LEAST_ROWS} are needed"
            raise TooFew(told, LEAST_ROWS + self.horizon + 1)
        return rows.assign(up=(rows["ahead"] > 0).astype("float64"))


@dataclass(frozen=True)
class Report:
    """What walking forward found; `str` of it is what the program prints."""

    engine: OracleEngine
    rows: pd.DataFrame
    tests: pd.DataFrame

    @property
    def block_s(self) -> float:
        """Seconds that the bootstrap takes as one."""
        return max(BLOCK_S, 4 * self.engine.horizon * LENGTHS[self.engine.timeframe])

    def right(self, name: str) -> Float:
        """1 where a forecast was right, else 0."""
        tests = self.tests
        return np.asarray((tests[name] > 0.5) == (tests["up"] > 0.5), dtype=np.float64)

    def loss(self, name: str) -> Float:
        """Log loss of each forecast in nats; 0.693 is that of not knowing."""
        likely = self.tests[name].to_numpy().clip(1e-6, 1 - 1e-6)
        return np.asarray(-np.log(np.where(self.tests["up"] > 0.5, likely, 1 - likely)))

    def earned(self, name: str) -> Float:
        """Return of being long where a forecast says up, short elsewhere; before costs."""
        return np.asarray(np.where(self.tests[name] > 0.5, 1, -1) * self.tests["ahead"], dtype=np.float64)

    def excursion(self, name: str) -> tuple[Float, Float]:
        """How far the price went against a forecast within the horizon (<= 0), and how far its way (>= 0)."""
        best, worst = (self.tests[f"{label}_{self.engine.horizon}"].to_numpy(np.float64) for label in ("mfe", "mae"))
        is_long = self.tests[name].to_numpy() > 0.5
        return np.where(is_long, worst, -best), np.where(is_long, best, -worst)

    def estimate(self, values: Float) -> Estimate:
        return block_bootstrap(values, self._blocks())

    def gains(self) -> dict[str, Estimate]:
        """By how much the model is better than each naive forecast: part that is right, and log loss."""
        right = {name: self.estimate(self.right("model") - self.right(name)) for name in ("majority", "last_sign")}
        return {**right, "base_rate": self.estimate(self.loss("base_rate") - self.loss("model"))}

    def verdict(self) -> str:
        """One sentence on whether the model is of use."""
        gains = self.gains()
        if any(np.isnan(gain.low) for gain in gains.values()):
            days = LEAST_BLOCKS * self.block_s / 86400
            return f"Too little time to tell: forecasts of {days:.0f} days are needed, better of several weeks."
        lost = [NAMES[name] for name, gain in gains.items() if gain.low <= 0]
        if lost:
            return f"It does NOT beat: {', '.join(lost)}. This is no evidence that the model knows anything."
        after = self.estimate(self.earned("model") - 2 * self.engine.cost * BASIS_POINT)
        costs = "and more than its costs" if after.low > 0 else "but not by more than its costs"
        return f"It beats every naive forecast here, {costs}. {caution(self.rows)}"

    def __str__(self) -> str:
        engine, tests = self.engine, self.tests
        markets = tests.groupby(["exchange", "symbol"]).ngroups
        late = (self.rows["usable_at"] - self.rows["candle_time"]).dt.total_seconds() - LENGTHS[engine.timeframe]
        lines = [
            f"Oracle: is the price higher {engine.horizon} candles of {engine.timeframe} later? Model: {engine.kind}.",
            origin(self.rows),
            f"{len(self.rows)} rows of {markets} markets, {_day(self.rows, 'min')} to {_day(self.rows, 'max')}, known"
            f" {late.median():.0f} s after the close (median).",
            f"{len(tests)} forecasts in 5 steps forward, from {tests['usable_at'].min():%Y-%m-%d %H:%M}; each learns"
            f" from labels known by then. The price was higher in {tests['up'].mean():.1%}.",
            "In brackets what 95 % of a bootstrap of blocks of"
            f" {self.block_s / 3600:.0f} h gives ({self._blocks().max() + 1} blocks).",
            "",
            "Right, %",
            *(self._line(name, self.estimate(self.right(name)), PERCENT, ".1f") for name in SIGNS),
            "Better than naive by",
            *(self._line(name, gain, *UNITS[name]) for name, gain in self.gains().items()),
            f"Earned per forecast, basis points (in and out costs {2 * engine.cost:g} more)",
            *(self._line(name, self.estimate(self.earned(name)), BASIS_POINT, ".1f") for name in SIGNS),
            "Went at worst against it, at best its way, basis points: median, and what one in ten exceeds",
            *(self._way(name) for name in SIGNS),
            "",
            self.verdict(),
        ]
        if late.median() > LENGTHS[engine.timeframe]:
            lines.append("The signals were known later than a candle after their close: their labels begin too early.")
        return "\n".join(lines)

    def _line(self, name: str, estimate: Estimate, unit: float, form: str) -> str:
        return f"  {NAMES[name]:28} {estimate.of(unit, form)}"

    def _way(self, name: str) -> str:
        against, towards = self.excursion(name)
        worst, best = np.nanquantile(against, (0.5, 0.1)), np.nanquantile(towards, (0.5, 0.9))
        told = (f"{half / BASIS_POINT:.1f} ({tenth / BASIS_POINT:.1f})" for half, tenth in (worst, best))
        return f"  {NAMES[name]:28} {', '.join(told)}"

    def _blocks(self) -> NDArray[np.int64]:
        seconds = (self.tests["candle_time"] - self.tests["candle_time"].min()).dt.total_seconds()
        return np.asarray(seconds // self.block_s, dtype=np.int64)


SIGNS = ("model", "majority", "last_sign")
NAMES = {
    "model": "the model",
    "majority": "always the commoner side",
    "last_sign": "the sign of the last return",
    "base_rate": "how often it rose before",
}
UNITS = {"majority": (PERCENT, ".1f"), "last_sign": (PERCENT, ".1f"), "base_rate": (1.0, ".4f")}


def _new(kind: Kind) -> Any:
    if kind == "logistic":
        fill = SimpleImputer(keep_empty_features=True)
        return make_pipeline(fill, StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    # few, shallow, slow: candles hold little to learn and much to memorise
    return HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.05, max_depth=3, min_samples_leaf=50, early_stopping=False, random_state=0
    )


def _fitted(kind: Kind, rows: pd.DataFrame) -> Any:
    with threadpool_limits(THREADS):
        return _new(kind).fit(_features(rows), rows["up"])


def _foretold(model: Any, rows: pd.DataFrame) -> Float:
    with threadpool_limits(THREADS):
        return np.asarray(model.predict_proba(_features(rows))[:, 1], dtype=np.float64)


def _features(rows: pd.DataFrame) -> pd.DataFrame:
    return numeric(rows, [*FEATURES, *(name for name in JOINED if name in rows)])


def _day(rows: pd.DataFrame, which: str) -> str:
    return f"{rows['candle_time'].agg(which):%Y-%m-%d %H:%M}"


def main(arguments: Sequence[str]) -> int:
    """Run the program; its exit status."""
    build = parser("oracle", "Train and evaluate a pattern model on final signals.")
    build.add_argument("--symbols", default="BTC/USDT", help="comma separated; binance:BTC/USDT for one exchange")
    build.add_argument("--horizon", type=int, choices=HORIZONS, default=12, help="candles to look ahead")
    build.add_argument("--model", choices=["trees", "logistic"], default="trees")
    given = build.parse_args(arguments)

    def program() -> str:
        symbols = [symbol.strip() for symbol in given.symbols.split(",")]
        rows = all_stored(symbols, given.timeframe, given.data_dir, given.days)
        engine = OracleEngine(given.horizon, given.timeframe, given.model, given.cost)
        try:
            return str(engine.learn(rows))
        except TooFew as error:
            raise enough(error, symbols[0], given.timeframe, given.data_dir) from error

    return run("oracle", program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
