"""Reports, the page and the pictures; the page is really opened in a browser where there is one."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scanner.errors import InvalidInput
from scanner.fullscan import charts
from scanner.fullscan.colors import REGIMES, SIDES
from scanner.fullscan.plots import analysis_figure
from scanner.fullscan.progress import terminal_progress
from scanner.fullscan.results import ScanResults
from scanner.fullscan.scan import Order, scan_frames
from tests.fullscan.making import CONFIG, MEDIUM, NOW_MS, walk

HOSTILE = "</script><script>window.hacked=1</script><b>$x$/USDT"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def results_of(frames, timeframe="medium") -> ScanResults:
    plan = dataclasses.replace(MEDIUM, requested=timeframe)
    table = scan_frames(frames, Order("binance", plan, CONFIG, NOW_MS)).table()
    table.attrs = {
        "exchange": "binance",
        "total_scanned": len(frames),
        "skipped": {"X/USDT": "is not traded"},
        "failed": {},
    }
    results = ScanResults(CONFIG)
    results.take(timeframe, table, dict(frames))
    return results


@pytest.fixture(scope="module")
def results() -> ScanResults:
    return results_of({f"C{i}/USDT": walk(186, i) for i in range(12)})


def test_the_text_names_the_best_their_levels_and_what_was_left_out(results):
    text = results.generate_report()
    best = results.scan_results.iloc[0]
    assert text.startswith("Full scan of binance, medium, 2025-10-09")
    assert best["symbol"] in text
    assert f"{best['combined_score']:.1f}" in text
    assert "1 markets have no row: X/USDT is not traded" in text
    assert all(len(line) < 120 for line in text.splitlines())
    traded = results.scan_results.head(10)["signal"] != "Neutral"
    assert text.count("stop ") == traded.sum()


def test_simulated_results_say_so(results):
    results.scan_results.attrs["simulated"] = True
    try:
        assert "simulated data" in results.generate_report()
        assert "simulated data" in results.generate_html_report()
        assert results.plot_analysis().get_suptitle().endswith(", simulated data")
    finally:
        del results.scan_results.attrs["simulated"]
    assert "simulated data" not in results.generate_report()
    title = results.plot_analysis().get_suptitle()
    assert title.startswith("Full scan of binance, medium, 2025-10-09")
    assert "simulated" not in title


def test_without_results_everything_says_so(tmp_path):
    empty = ScanResults()
    assert empty.generate_report().startswith("No results")
    assert "No results" in empty.generate_html_report()
    assert empty.get_top_signals().empty
    empty.plot_analysis(tmp_path / "a.png")
    empty.plot_comparative_performance(save_path=tmp_path / "b.png")
    assert {path.stat().st_size > 1000 for path in tmp_path.iterdir()} == {True}


def test_top_signals_are_filtered(results):
    table = results.scan_results
    strong = results.get_top_signals(min_strength=50)
    assert (strong["composite_score"] >= 50).all()
    assert len(strong) == (table["composite_score"] >= 50).sum()
    assert set(results.get_top_signals(["Buy", "Sell"], 0)["signal"]) <= {"Buy", "Sell"}
    assert results.get_top_signals("Neutral", 0)["signal"].eq("Neutral").all()


# --- the page ------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page loads, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.cells: list[str] = []
        self.headings: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.loaded += [value for name, value in attributes if name in ("src", "href") and value]

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, text: str) -> None:
        if self._within == "td":
            self.cells.append(text)
        if self._within == "h2":
            self.headings.append(text)


def test_the_page_needs_nothing_else_and_holds_every_row(results, tmp_path):
    text = results.generate_html_report(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text
    page = Page()
    page.feed(text)
    assert page.loaded == []
    assert len(page.cells) == 13 * 12
    assert page.cells[0] == results.scan_results["symbol"].iloc[0]
    assert page.headings[0] == "Ranking"
    assert len([heading for heading in page.headings if "/USDT" in heading]) == 4
    assert text.count("Plotly.newPlot(") == 3 + 4


def test_a_hostile_name_stays_a_name(tmp_path):
    text = results_of({HOSTILE: walk(100, 1), "B/USDT": walk(100, 2)}).generate_html_report()
    assert "<script>window.hacked" not in text
    assert "<b>$x$" not in text


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_draws_every_plot(tmp_path):
    results = results_of({HOSTILE: walk(100, 1), **{f"C{i}/USDT": walk(186, i) for i in range(5)}})
    text = results.generate_html_report(tmp_path / "report.html")
    shown = subprocess.run(
        [
            BROWSER or "",
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom"),
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    ).stdout
    drawn = re.sub(r"<script.*?</script>", "", shown, flags=re.DOTALL)
    assert drawn.count('class="main-svg"') >= text.count("Plotly.newPlot(")
    assert drawn.count('class="trace bars"') >= 4
    assert drawn.count('class="trace boxes"') == 4  # candlesticks
    assert "&lt;/script&gt;" in drawn


# --- pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_written_in_the_format_of_the_name(results, tmp_path, suffix):
    path = tmp_path / f"analysis.{suffix}"
    figure = results.plot_analysis(path)
    assert len(figure.axes) == 4
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


def test_names_that_fonts_and_formulas_trip_over_are_drawn(tmp_path):
    strange = results_of({HOSTILE: walk(100, 1), "币安人生/USDT": walk(100, 2), "$A_{/USDT": walk(100, 3)})
    strange.plot_analysis(tmp_path / "a.png")
    strange.plot_comparative_performance(save_path=tmp_path / "b.png")


@pytest.mark.parametrize(("stop", "target"), [(95.0, 110.0), (110.0, 95.0), (100.0, 100.01)])
def test_stop_and_target_are_named_beside_the_candles_and_apart(stop, target):
    figure = charts.candles(walk(186, 1), {"symbol": "C/USDT", "stop_loss": stop, "take_profit": target})
    beside = {note.text: note for note in figure.layout.annotations}
    assert {name: note.y for name, note in beside.items()} == {"stop": stop, "target": target}
    assert all((note.xref, note.x, note.xanchor) == ("paper", 1, "left") for note in beside.values())
    assert beside["stop"].yanchor == ("top" if stop < target else "bottom")
    assert beside["target"].yanchor != beside["stop"].yanchor


def test_a_legend_shows_points_of_one_size_and_counts_are_whole(results):
    table = results.scan_results
    assert charts.landscape(table).layout.legend.itemsizing == "constant"
    assert charts.make_up(table).layout.yaxis.dtick == 1


def test_the_pictures_colours_are_explained(results):
    figure = analysis_figure(results.scan_results, "a scan")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*SIDES]
    assert not {*SIDES.values()} & {*REGIMES.values()}
    assert all(tick == int(tick) for axes in figure.axes[2:] for tick in axes.get_yticks())


def test_performance_starts_at_nothing_and_ends_where_the_market_did(results):
    figure = results.plot_comparative_performance(["C1/USDT", "C2/USDT"])
    lines = figure.axes[0].get_lines()[:2]
    for line, symbol in zip(lines, ["C1/USDT", "C2/USDT"], strict=True):
        close = results.market_data[symbol]["close"]
        assert line.get_ydata()[0] == 0
        assert line.get_ydata()[-1] == pytest.approx(100 * (close.iloc[-1] / close.iloc[0] - 1))
    with pytest.raises(InvalidInput, match="symbols"):
        results.plot_comparative_performance(["NONE/USDT"])


def test_pictures_leave_no_trace_in_matplotlib():
    code = (
        "import sys; from scanner.fullscan.results import ScanResults; ScanResults().plot_analysis();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])


def test_a_turn_is_told_with_its_reasons(results):
    for symbol in results.market_data:
        found = results.detect_trend_reversal(symbol)
        assert found["reversal"] == (found["direction"] != "none") == bool(found["reasons"])
        assert 0 <= found["confidence"] <= 100


def test_no_bar_is_drawn_where_there_is_no_terminal(capsys):
    with terminal_progress("scan") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "")
