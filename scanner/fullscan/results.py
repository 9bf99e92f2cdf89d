"""What a scan has found, and what can be asked of it: shared by the one-shot and the continuous full scan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scanner.errors import InvalidInput
from scanner.fullscan.hyper import HyperParameters
from scanner.fullscan.report import headline, sides, text_report
from scanner.fullscan.reversal import trend_reversal
from scanner.fullscan.row import COLUMNS, indicators_of
from scanner.fullscan.settings import TradingConfig, get_dynamic_config, plan_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ScanResults:
    """The newest results and the candles they were made from.

    Attributes
    ----------
    scan_results : DataFrame
        Rows with the columns of `row.COLUMNS`, best first; empty before the first scan.
    market_data : dict
        Candles by symbol, as of the newest scan.
    """

    def __init__(self, config: TradingConfig | None = None, market_type: str = "crypto") -> None:
        self.config = config or get_dynamic_config()
        self.market_type = market_type
        self.scan_results = pd.DataFrame(columns=list(COLUMNS))
        self.market_data: dict[str, pd.DataFrame] = {}
        self._timeframe = "daily"  # of the newest scan
        self._hyper = HyperParameters(rsi_window=self.config.rsi_period)

    def take(self, timeframe: str, table: pd.DataFrame, frames: dict[str, pd.DataFrame]) -> None:
        """Make these rows, and the candles they came from, the newest results."""
        self._timeframe, self.scan_results, self.market_data = timeframe, table, frames

    # --- questions -------------------------------------------------------------------------------------------------

    def get_top_signals(self, signal_types: Iterable[str] | None = None, min_strength: float = 70) -> pd.DataFrame:
        """Rows with a composite score of at least `min_strength`, of these signal classes when given."""
        table = self.scan_results
        wanted = table["composite_score"] >= min_strength
        if signal_types is not None:
            wanted &= table["signal"].isin([signal_types] if isinstance(signal_types, str) else list(signal_types))
        return table.loc[wanted].reset_index(drop=True)

    def detect_trend_reversal(self, symbol: str) -> dict[str, Any]:
        """Whether the trend of a scanned market is about to turn; see `reversal.trend_reversal`.

        Raises
        ------
        InvalidInput
            The newest scan had no candles of `symbol`.
        """
        frame = self.market_data.get(symbol)
        if frame is None or len(frame) < 2:
            raise InvalidInput("symbol", symbol, "is not among the markets of the newest scan")
        plan = plan_for(self._timeframe, self.config, self.market_type)
        signs = trend_reversal(indicators_of(frame, plan, self.config), self._hyper.volume_threshold)
        return {"symbol": symbol, "timeframe": self._timeframe, **signs}

    def evaluate(self) -> dict[str, float]:
        """Figures of the newest results, for comparing hyper-parameters; zeros when there are none.

        `score` is the mean combined score times the share of signals that volume confirms.
        """
        table = self.scan_results
        if table.empty:
            return dict.fromkeys(("score", "mean_combined_score", "mean_confidence", "confirmed_share", "signals"), 0.0)
        buys, sells, _ = sides(table)
        confirmed = float((table["volume_ratio"] >= self._hyper.volume_threshold).mean())
        combined = float(table["combined_score"].mean())
        return {
            "score": combined * confirmed,
            "mean_combined_score": combined,
            "mean_confidence": float(table["confidence_score"].mean()),
            "confirmed_share": confirmed,
            "signals": float(buys + sells),
        }

    # --- hyper-parameters ------------------------------------------------------------------------------------------

    def get_hyperparameters(self) -> dict[str, Any]:
        """momentum_period (None: the timeframe's own), rsi_window, volume_threshold."""
        return {name: getattr(self._hyper, name) for name in ("momentum_period", "rsi_window", "volume_threshold")}

    def set_hyperparameters(self, **values: Any) -> None:
        """Change some; they count from the next scan on. Raises InvalidInput, and changes nothing then."""
        self._hyper = HyperParameters.from_mapping(values, self._hyper)
        self.config.rsi_period = self._hyper.rsi_window

    @staticmethod
    def validate_hyperparameters(**values: Any) -> bool:
        """Whether `set_hyperparameters` would take these."""
        try:
            HyperParameters.from_mapping(values)
        except InvalidInput:
            return False
        return True

    # --- reports ---------------------------------------------------------------------------------------------------

    def generate_report(self) -> str:
        """The newest results in words."""
        return text_report(self.scan_results, self._facts())

    def generate_html_report(self, save_path: str | Path | None = None) -> str:
        """The newest results as one HTML page with plots, written to `save_path` when given."""
        from scanner.fullscan.page import html_report  # plotly takes a while to load, and few need it

        page = html_report(self.scan_results, self.market_data, self._facts())
        if save_path is not None:
            Path(save_path).write_text(page, encoding="utf-8")
        return page

    def plot_analysis(self, save_path: str | Path | None = None) -> Figure:
        """Ranking, RSI against opportunity, signals and regimes in one picture, written to `save_path` when given."""
        from scanner.fullscan import plots

        return plots.saved(plots.analysis_figure(self.scan_results, self._title()), save_path)

    def plot_comparative_performance(
        self, symbols: Iterable[str] | None = None, save_path: str | Path | None = None
    ) -> Figure:
        """How markets did against each other since the first candle they share; the best rows unless named.

        Raises
        ------
        InvalidInput
            The newest scan had no candles of a named symbol.
        """
        from scanner.fullscan import plots

        return plots.saved(plots.performance_figure(self._frames_of(symbols)), save_path)

    def _title(self) -> str:
        table, facts = self.scan_results, self._facts()
        if table.empty:
            return "Full scan"
        return headline(table, facts) + (", simulated data" if facts.get("simulated") else "")

    def _facts(self) -> dict[str, Any]:
        """What is known of the newest scan besides its rows."""
        return {str(name): value for name, value in self.scan_results.attrs.items()}

    def _frames_of(self, symbols: Iterable[str] | None) -> dict[str, pd.DataFrame]:
        if symbols is None:
            ranked = dict.fromkeys(str(symbol) for symbol in self.scan_results["symbol"])
            return {symbol: self.market_data[symbol] for symbol in ranked if symbol in self.market_data}
        wanted = list(symbols)
        for symbol in wanted:
            if symbol not in self.market_data:
                raise InvalidInput("symbols", symbol, "is not among the markets of the newest scan")
        return {symbol: self.market_data[symbol] for symbol in wanted}
