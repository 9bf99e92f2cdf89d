"""The full scan through ccxt's own classes on the embedded exchange, both protocols."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import ccxt.async_support as ccxt
import pandas as pd
import pytest

from scanner.clock import ManualClock
from scanner.errors import BadAnswer, InvalidInput, RefusedRegion, UnknownExchange, Unreachable
from scanner.fullscan import sentiment
from scanner.fullscan.native import native_rows
from scanner.fullscan.row import COLUMNS
from scanner.fullscan.scanner import MomentumScanner
from scanner.fullscan.settings import get_dynamic_config
from scanner.fullscan.standalone import ScanOptions, scan_exchange, scan_timeframes, scan_with_candles
from scanner.gateway.specs import ExchangeSpec
from scanner.simulated import SimulatedExchange, binance_urls, generated, kucoinfutures_urls
from scanner.simulated import faults as ways
from tests.fullscan.test_row import check

T = TypeVar("T")
NOW_MS = 1_760_000_000_000
FEW = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimulatedExchange]:
    with SimulatedExchange(generated(seed=1), ManualClock(NOW_MS)) as exchange:
        yield exchange


@pytest.fixture(autouse=True)
def healthy(exchange: SimulatedExchange) -> Iterator[None]:
    yield
    exchange.faults.clear()


def specs(exchange: SimulatedExchange) -> tuple[ExchangeSpec, ExchangeSpec]:
    return (
        ExchangeSpec("simulated", "binance", binance_urls(exchange.url), simulated=True),
        ExchangeSpec("simulatedfutures", "kucoinfutures", kucoinfutures_urls(exchange.url), simulated=True),
    )


def quick() -> Any:
    config = get_dynamic_config()
    config.retry_delay = 0.02
    return config


# --- scan_exchange -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_a_whole_exchange_is_ranked(exchange, which):
    spec = specs(exchange)[which]
    table = scan_exchange(spec, "medium", min_volume_usd=1000)
    assert list(table.columns) == list(COLUMNS)
    assert set(table["exchange"]) == {spec.id}
    assert set(table["timeframe"]) == {"medium"}
    assert table["combined_score"].is_monotonic_decreasing
    assert table.attrs["total_scanned"] == len(table) == 22
    assert (table.attrs["exchange"], table.attrs["interval"], table.attrs["failed"]) == (spec.id, "1h", {})
    json.dumps(native_rows(table), allow_nan=False)


def test_both_protocols_tell_of_the_same_market(exchange):
    one, other = (scan_exchange(spec, "4h", symbols=FEW, min_volume_usd=0) for spec in specs(exchange))
    one, other = (table.set_index(table["symbol"].str.partition(":")[0]) for table in (one, other))
    for name in ("price", "rsi", "macd", "trend_score", "stop_loss"):
        assert one[name].to_dict() == pytest.approx(other[name].to_dict(), rel=1e-9)
    assert one[["market_regime", "signal"]].to_dict() == other[["market_regime", "signal"]].to_dict()
    assert set(other["symbol"]) == {f"{symbol}:USDT" for symbol in FEW}


@pytest.mark.parametrize("timeframe", ["scalping", "short", "daily", "weekly", "15m", "1w"])
def test_every_timeframe_can_be_scanned(exchange, timeframe):
    table = scan_exchange(specs(exchange)[0], timeframe, symbols=FEW[:1], min_volume_usd=0)
    assert table["timeframe"].tolist() == [timeframe]
    check({name: None if value is None or value != value else value for name, value in plain(table)})


def plain(table: pd.DataFrame) -> list[tuple[str, Any]]:
    (row,) = table.to_dict("records")
    return [
        (str(name), value.to_pydatetime() if isinstance(value, pd.Timestamp) else value) for name, value in row.items()
    ]


def test_a_forming_candle_has_the_newest_price_and_rows_the_market_time(exchange):
    (row,) = scan_exchange(specs(exchange)[0], "daily", symbols=["BTC/USDT"], min_volume_usd=0).to_dict("records")
    (now,) = scan_exchange(specs(exchange)[0], "scalping", symbols=["BTC/USDT"], min_volume_usd=0).to_dict("records")
    assert row["price"] == now["price"]
    assert row["timestamp"] == pd.Timestamp(NOW_MS, unit="ms", tz="UTC")
    assert row["volume_ratio"] > 0.3  # nine hours into the day, projected to a whole one


def test_symbols_that_are_not_there_have_a_reason(exchange):
    table = scan_exchange(specs(exchange)[0], symbols=["BTC/USDT", "XYZ/USDT"], min_volume_usd=0)
    assert table["symbol"].tolist() == ["BTC/USDT"]
    assert "not listed" in table.attrs["skipped"]["XYZ/USDT"]


def test_quiet_markets_and_rows_beyond_the_top_are_left_out(exchange):
    table = scan_exchange(specs(exchange)[0], min_volume_usd=5_000_000, top_n=3)
    assert len(table) == 3
    assert (table["volume_usd"] >= 5_000_000).all()
    assert "needs 5000000" in table.attrs["skipped"]["VIDT/USDT"]


def test_another_quote_has_no_markets_and_an_empty_table(exchange):
    table = scan_exchange(specs(exchange)[0], quote_currency="brl")
    assert len(table) == 0
    assert list(table.columns) == list(COLUMNS)


def test_several_timeframes_share_a_client(exchange):
    before = exchange.requests["/api/v3/exchangeInfo"]
    tables = scan_timeframes(specs(exchange)[0], ["short", "1h"], symbols=FEW, min_volume_usd=0)
    assert {name: len(table) for name, table in tables.items()} == {"short": 3, "1h": 3}
    assert exchange.requests["/api/v3/exchangeInfo"] - before == 1


def test_results_with_candles_can_be_drawn(exchange):
    results = scan_with_candles(specs(exchange)[0], "medium", ScanOptions(symbols=("BTC/USDT",), min_volume_usd=0))
    assert set(results.market_data) == {"BTC/USDT"}
    assert len(results.market_data["BTC/USDT"]) == 186


def test_wrong_values_are_refused_before_anything_is_asked(exchange):
    before = exchange.requests.total()
    with pytest.raises(InvalidInput, match="timeframe"):
        scan_exchange(specs(exchange)[0], "fortnight")
    with pytest.raises(UnknownExchange, match="did you mean binance"):
        scan_exchange("binnance")
    assert exchange.requests.total() == before


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (ways.Status(500), Unreachable),
        (ways.Status(451), RefusedRegion),
        (ways.Html(), BadAnswer),
        (ways.Truncated(), BadAnswer),
        (ways.Reset(), Unreachable),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/v3/klines", "/api/v3/exchangeInfo"])
def test_an_exchange_that_fails_is_an_error_that_says_why(exchange, path, fault, failure):
    exchange.faults.set(path, fault)
    with pytest.raises(failure, match="simulated: "):
        scan_exchange(specs(exchange)[0], symbols=FEW, config=quick())


@pytest.mark.parametrize("path", ["/api/v3/klines", "/api/v3/exchangeInfo"])
def test_an_exchange_that_hangs_is_left_at_the_deadline(exchange, path):
    exchange.faults.set(path, ways.Hang())
    began = time.monotonic()
    with pytest.raises(Unreachable):
        scan_exchange(specs(exchange)[0], symbols=FEW, deadline_s=1.0)
    assert time.monotonic() - began < 12  # one answer alone is waited for 15 s where there is no deadline


def test_one_market_that_fails_costs_only_itself(exchange):
    exchange.faults.set(ways.ALL, ways.Delisted("ETH/USDT"))
    spec = specs(exchange)[0]
    table = scan_exchange(spec, symbols=FEW, min_volume_usd=0, config=quick())
    assert set(table["symbol"]) == {"BTC/USDT", "SOL/USDT"}
    assert "ETH/USDT" in {**table.attrs["failed"], **table.attrs["skipped"]}


# --- MomentumScanner -----------------------------------------------------------------------------------------------


def scanning(
    exchange: SimulatedExchange, work: Callable[[MomentumScanner], Awaitable[T]], which: int = 0, **more: Any
) -> T:
    """What `work` makes of a MomentumScanner on a plain ccxt client, as a program would set it up."""

    async def run() -> T:
        client = ccxt.kucoinfutures() if which else ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
        client.has["fetchCurrencies"] = False
        client.urls["api"] = (binance_urls, kucoinfutures_urls)[which](exchange.url)
        client.aiohttp_trust_env = False
        client.timeout_on_exit = 0
        try:
            return await work(MomentumScanner(client, **{"min_volume_usd": 1000, "top_n": 5, **more}))
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.mark.parametrize("which", [0, 1])
def test_scan_market(exchange, which, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def work(scanner: MomentumScanner) -> MomentumScanner:
        table = await scanner.scan_market("medium")
        assert table is scanner.scan_results
        return scanner

    scanner = scanning(exchange, work, which)
    assert len(scanner.scan_results) == 5
    assert len(scanner.market_data) == 22
    (saved,) = tmp_path.glob("*.csv")
    assert saved.name.startswith("scan_results_medium_")
    assert len(pd.read_csv(saved)) == 5
    assert scanner.get_top_signals(min_strength=0).equals(scanner.scan_results)
    assert scanner.generate_report().count("\n") > 10
    assert (scanner.fear_greed_history, scanner.btc_dominance_history, scanner.timestamp_history) == ([], [], [])


def test_a_plain_client_scans_weeks(exchange):
    table = scanning(exchange, lambda scanner: scanner.scan_market("weekly", False, False))
    assert len(table) == 5
    assert set(table["timeframe"]) == {"weekly"}


def test_nothing_is_saved_when_not_wanted_and_candles_serve_again(exchange, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def work(scanner: MomentumScanner) -> int:
        await scanner.scan_market("medium", save_results=False)
        before = exchange.requests["/api/v3/klines"]
        await scanner.scan_market("medium", save_results=False)
        return exchange.requests["/api/v3/klines"] - before

    assert scanning(exchange, work) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_quick_scan_looks_back_less(exchange, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def work(scanner: MomentumScanner) -> set[int]:
        await scanner.scan_market("medium", full_analysis=False, save_results=False)
        return {len(frame) for frame in scanner.market_data.values()}

    assert max(scanning(exchange, work)) == 62


def test_a_folder_that_cannot_be_written_costs_a_warning(exchange, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pd.DataFrame, "to_csv", refuse)
    table = scanning(exchange, lambda scanner: scanner.scan_market("medium"))
    assert len(table) == 5
    assert "cannot write scan_results_medium" in caplog.text


def refuse(*arguments: Any, **more: Any) -> None:
    raise OSError("read-only")


def test_scan_multi_timeframe(exchange, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = scanning(exchange, lambda scanner: scanner.scan_multi_timeframe(["1h", "4h"]), top_n=50)
    assert set(table["timeframe"]) == {"1h", "4h"}
    added = {"multi_tf_confirmed", "multi_tf_signals", "multi_tf_timeframes", "confluence_zone", "confluence_signal"}
    assert added | {"strong_confluence"} <= set(table.columns)
    for row in table.to_dict("records"):
        assert len(row["multi_tf_signals"]) == len(row["multi_tf_timeframes"])
        assert row["confluence_zone"] == row["multi_tf_signals"].count(row["confluence_signal"])
    assert len(list(tmp_path.glob("scan_results_multi_timeframe_*.csv"))) == 1


def test_markets_agree_over_all_their_rows_not_only_over_those_kept(exchange):
    async def scan(scanner):
        return await scanner.scan_multi_timeframe(["1h", "4h"], save_results=False)

    everything, best = (scanning(exchange, scan, top_n=top_n) for top_n in (50, 3))
    assert best["timeframe"].value_counts().to_dict() == {"1h": 3, "4h": 3}
    assert {len(signals) for signals in best["multi_tf_signals"]} == {2}
    keys = ["symbol", "timeframe", "multi_tf_confirmed", "strong_confluence", "confluence_zone"]
    known = set(everything[keys].itertuples(index=False, name=None))
    assert set(best[keys].itertuples(index=False, name=None)) <= known


def test_overlay_backtest_and_reversal(exchange):
    async def work(scanner: MomentumScanner) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
        await scanner.scan_market("medium", save_results=False)
        turning = scanner.detect_trend_reversal(str(scanner.scan_results["symbol"].iloc[0]))
        with pytest.raises(InvalidInput, match="not among the markets"):
            scanner.detect_trend_reversal("XYZ/USDT")
        return await scanner.overlay_4h_trend(), await scanner.backtest_strategy("medium", 40, 5000), turning

    table, tested, turning = scanning(exchange, work)
    assert set(table["trend_4h"]) <= {"bullish", "bearish", "neutral"}
    assert table["trend_4h_aligned"].dtype == bool
    assert set(tested["by_symbol"]) == set(table["symbol"])
    assert len(tested["equity"]) == 40
    assert tested["initial_capital"] == 5000
    assert turning["direction"] in ("bullish", "bearish", "none")
    json.dumps(turning, allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        *(((periods, 100), "lookback_periods") for periods in (0, 9999, "x", None, 2.5, True, math.nan)),
        *(((30, capital), "initial_capital") for capital in (0, "x", None, True, math.nan, math.inf, 1e300)),
    ],
)
def test_a_backtest_refuses_what_it_cannot_do(exchange, arguments, field):
    with pytest.raises(InvalidInput, match=field):
        scanning(exchange, lambda scanner: scanner.backtest_strategy("medium", *arguments))


def test_greed_raises_the_bar_of_the_next_scan(exchange, monkeypatch):
    monkeypatch.setattr(sentiment, "fear_greed", lambda: 80.0)
    monkeypatch.setattr(sentiment, "btc_dominance", lambda key: 55.5)
    monkeypatch.setenv("CMC_API_KEY", "key")
    config = quick()
    config.sentiment = True

    async def work(scanner: MomentumScanner) -> tuple[float, float, MomentumScanner]:
        before = scanner._plan("medium").thresholds.momentum
        await scanner.scan_market("medium", save_results=False)
        return before, scanner._plan("medium").thresholds.momentum, scanner

    before, after, scanner = scanning(exchange, work, config=config)
    assert after == pytest.approx(1.2 * before)
    assert (scanner.fear_greed_history, scanner.btc_dominance_history) == ([80.0], [55.5])
    assert len(scanner.timestamp_history) == 1


def test_hyper_parameters_count_from_the_next_scan_on(exchange):
    async def work(scanner: MomentumScanner) -> MomentumScanner:
        assert scanner.get_hyperparameters() == {"momentum_period": None, "rsi_window": 14, "volume_threshold": 1.5}
        assert scanner.evaluate()["score"] == 0.0
        scanner.set_hyperparameters(momentum_period=20, rsi_window=7)
        await scanner.scan_market("medium", save_results=False)
        return scanner

    scanner = scanning(exchange, work)
    symbol = scanner.scan_results["symbol"].iloc[0]
    close = scanner.market_data[symbol]["close"]
    assert scanner.scan_results["momentum_long"].iloc[0] == pytest.approx(close.iloc[-1] / close.iloc[-21] - 1)
    found = scanner.evaluate()
    assert found["mean_combined_score"] == pytest.approx(scanner.scan_results["combined_score"].mean())
    assert 0 <= found["score"] <= 100


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"momentum_period": 4}, "momentum_period"),
        ({"momentum_period": 20.5}, "momentum_period"),
        ({"rsi_window": 51}, "rsi_window"),
        ({"rsi_window": True}, "rsi_window"),
        ({"volume_threshold": 0.4}, "volume_threshold"),
        ({"volume_threshold": float("nan")}, "volume_threshold"),
        ({"volume_threshold": "2"}, "volume_threshold"),
        ({"colour": 1}, "colour"),
    ],
)
def test_wrong_hyper_parameters_are_refused_and_change_nothing(exchange, values, field):
    async def work(scanner: MomentumScanner) -> None:
        assert not scanner.validate_hyperparameters(**values)
        with pytest.raises(InvalidInput, match=field):
            scanner.set_hyperparameters(**values)
        assert scanner.get_hyperparameters()["rsi_window"] == 14

    scanning(exchange, work)


def test_the_constructor_refuses_and_repairs_as_written(exchange):
    async def work(scanner: MomentumScanner) -> None:
        assert (scanner.min_volume_usd, scanner.top_n, scanner.quote_currency) == (0, 1, "USDC")
        assert scanner.validate_hyperparameters(momentum_period=5, rsi_window=50, volume_threshold=10)

    scanning(exchange, work, min_volume_usd=-5, top_n=0, quote_currency="usdc")
    with pytest.raises(ValueError, match="not a ccxt async client"):
        MomentumScanner("binance")
    with pytest.raises(ValueError, match="market_type"):
        scanning(exchange, work, market_type="stocks")


def test_unknown_timeframes_are_refused(exchange):
    with pytest.raises(InvalidInput, match="timeframe"):
        scanning(exchange, lambda scanner: scanner.scan_market("fortnight"))
    with pytest.raises(InvalidInput, match="timeframe"):
        scanning(exchange, lambda scanner: scanner.scan_multi_timeframe(["1h", "fortnight"]))
    assert not list(Path().glob("scan_results_*"))


@pytest.mark.parametrize("timeframes", [["1h", "medium"], ["4h", "4h"], "1h", [], {"1h"}])
def test_timeframes_are_a_list_of_different_ones(exchange, timeframes):
    before = exchange.requests.total()
    with pytest.raises(InvalidInput, match="timeframes: "):
        scanning(exchange, lambda scanner: scanner.scan_multi_timeframe(timeframes))
    with pytest.raises(InvalidInput, match="timeframes: "):
        scan_timeframes(specs(exchange)[0], timeframes)
    assert exchange.requests.total() == before
