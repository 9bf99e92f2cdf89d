"""What other programs import, with the names, fields, defaults and answers they rely on."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import continuous_scanner
from continuous_scanner import (
    CandleCluster,
    ContinuousMultiTimeframeScanner,
    DataPersistenceManager,
    MarketTick,
    StreamConfig,
    get_training_dataset,
    run_continuous_scanner,
)
from scanner.config import STYLES
from scanner.errors import InvalidInput, NothingStored, ScannerError
from scanner.records import SIGNAL_TYPES
from scanner.settings import Settings
from tests.child import ROOT
from tests.waiting import wait_for

DEFAULTS = {
    "price_update_interval": 5,
    "signal_generation_interval": 30,
    "market_state_interval": 60,
    "scan_interval": 90,
    "timeframes": STYLES,
    "max_candles_per_timeframe": 500,
    "max_signals_per_market": 1000,
    "max_ticks_buffer": 100,
    "momentum_exhaustion_threshold": 4,
    "volume_exhaustion_multiplier": 1.5,
    "volume_decline_threshold": -0.1,
    "excessive_gain_threshold": 0.15,
    "volume_threshold_multiplier": 2.0,
    "cluster_trend_threshold": 0.7,
    "cluster_followthrough_threshold": 0.5,
    "momentum_bias": 0.6,
}


def fields_of(kind: type) -> list[str]:
    return [spec.name for spec in dataclasses.fields(kind)]


def parameters_of(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", continuous_scanner.__all__)
def test_every_name_can_be_had_from_the_package_too(name: str) -> None:
    import scanner

    assert getattr(scanner, name) is getattr(continuous_scanner, name)
    assert name in dir(scanner)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    import scanner

    assert not hasattr(scanner, "no_such_name")


@pytest.mark.parametrize("module", ["scanner.core.analysis", "scanner.config", "scanner.settings"])
def test_importing_the_core_wakes_nothing_else(module: str) -> None:
    code = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(told.stdout))
    assert loaded & {"ccxt", "flask", "pandas", "pyarrow", "apscheduler", "aiohttp", "rich", "asyncio"} == set()


def test_importing_the_public_module_starts_and_writes_nothing(tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import continuous_scanner, threading; " + (
        "print(threading.active_count(), 'flask' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "False"]
    assert [*tmp_path.iterdir()] == []


# --- dataclasses ---------------------------------------------------------------------------------------------------


def test_stream_config_has_the_fields_and_defaults_programs_know() -> None:
    config = StreamConfig()
    assert fields_of(StreamConfig)[: len(DEFAULTS)] == [*DEFAULTS]
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS
    assert [*config.styles] == ["scalp", "day_trade", "swing", "position"]
    assert config.timeframes is not StreamConfig().timeframes


def test_an_unknown_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no_such_field"):
        StreamConfig(no_such_field=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name != "timeframes"])
@pytest.mark.parametrize("value", ["5", None, True, float("nan"), float("inf"), 1e300, -1e300, [5]])
def test_a_wrong_value_names_its_field(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=rf"^{name}: .* is not a (whole )?number from "):
        StreamConfig(**{name: value})


def test_ticks_and_clusters_have_the_fields_programs_know() -> None:
    tick = MarketTick("binance:BTC/USDT", datetime(2026, 1, 1, tzinfo=UTC), 1.0, 2.0)
    assert fields_of(MarketTick) == ["symbol", "timestamp", "price", "volume", "bid", "ask"]
    assert (tick.bid, tick.ask) == (None, None)
    assert fields_of(CandleCluster) == [
        *("symbol", "timeframe", "timestamp", "total_clusters", "bullish_clusters", "bearish_clusters"),
        *("directional_ratio", "follow_through", "trend_formation_signal", "cluster_strength"),
    ]
    with pytest.raises(TypeError, match="cluster_strength"):
        CandleCluster("binance:BTC/USDT", "5m")  # type: ignore[call-arg]


# --- files ---------------------------------------------------------------------------------------------------------


def test_the_persistence_manager_has_its_folders_and_methods(tmp_path: Path) -> None:
    manager = DataPersistenceManager(str(tmp_path / "kept"))
    assert manager.base_path == tmp_path / "kept"
    for name in ("signals", "ohlcv", "clustering"):
        assert getattr(manager, f"{name}_path") == tmp_path / "kept" / name
        assert (tmp_path / "kept" / name).is_dir()
    assert parameters_of(manager.persist_signals) == ["symbol", "signal_data", "timestamp"]
    assert parameters_of(manager.persist_ohlcv) == ["symbol", "timeframe", "ohlcv_df"]
    assert parameters_of(manager.persist_clustering) == ["cluster_data"]
    assert inspect.signature(manager.get_training_dataset).parameters["days"].default == 30
    assert inspect.signature(DataPersistenceManager).parameters["base_path"].default == "training_data"


def test_the_training_dataset_comes_from_the_folder_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANNER_DATA_DIR", str(tmp_path))
    now = datetime.now(UTC)
    cluster = CandleCluster("binance:BTC/USDT", "5m", now, 1, 1, 0, 1.0, 2 / 3, True, 2 / 3)
    candle = {"timestamp": [now], "open": [1.0], "high": [2.0], "low": [1.0], "close": [2.0], "volume": [3.0]}

    async def round_trip() -> dict[str, Any]:
        manager = DataPersistenceManager(tmp_path)
        await manager.persist_signals("binance:BTC/USDT", {"signal_type": "NEUTRAL", "timeframe": "5m"}, now)
        await manager.persist_ohlcv("binance:BTC/USDT", "5m", pd.DataFrame(candle))
        await manager.persist_clustering(cluster)
        manager.close()
        return await get_training_dataset("BTC/USDT", days=30)

    dataset = asyncio.run(round_trip())
    assert [*dataset] == ["signals", "ohlcv", "clustering"]
    assert [record["signal_type"] for record in dataset["signals"]] == ["NEUTRAL"]
    assert [row["close"] for row in dataset["ohlcv"]["5m"]] == [2.0]
    assert [record["follow_through"] for record in dataset["clustering"]] == [2 / 3]


def test_a_symbol_never_kept_has_no_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANNER_DATA_DIR", str(tmp_path))
    with pytest.raises(NothingStored, match="BTC/USDT"):
        asyncio.run(get_training_dataset("BTC/USDT", days=30))


# --- the scanner ---------------------------------------------------------------------------------------------------

SETTINGS = Settings(speed=20)
SYMBOLS = ["BTC/USDT", "ETH/USDT"]
SMALL = StreamConfig(max_candles_per_timeframe=120, max_ticks_buffer=5, max_signals_per_market=2, live_record="all")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def until(condition: Callable[[], Any], deadline_s: float = 60) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.02)


async def while_scanning(scanner: ContinuousMultiTimeframeScanner, then: Callable[[], Awaitable[Any]]) -> Any:
    """What `then` answers while `scanner` scans two simulated markets and has gone through all streams."""
    running = asyncio.create_task(scanner.start(SYMBOLS, ["simulated"]))
    try:
        await until(lambda: running.done() or len(scanner.get_latest_signals()) == 8)
        await until(lambda: running.done() or (scanner.last_full_scan or {}).get("total_signals") == len(SYMBOLS))
        await until(lambda: running.done() or scanner.market_state.get("active_signals") is not None)
        return await then()
    finally:
        await scanner.stop()
        await running


def test_a_scanner_needs_no_network_and_no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", None)  # who connects, fails
    scanner = ContinuousMultiTimeframeScanner()
    assert scanner.config == StreamConfig()
    assert scanner.running is False
    assert (scanner.exchanges, scanner.tick_buffers, scanner.candle_buffers, scanner.signal_history) == ({}, {}, {}, {})
    assert (scanner.market_state, scanner.last_full_scan) == ({}, None)
    assert (scanner.get_latest_signals(), scanner.get_market_state(), scanner.get_full_scan_results()) == ([], {}, None)
    assert scanner.persistence.base_path == Path("training_data")
    asyncio.run(scanner.stop())


def test_signatures_are_the_ones_programs_call() -> None:
    kind = ContinuousMultiTimeframeScanner
    assert parameters_of(kind.__init__)[0] == "config"
    assert parameters_of(kind.start) == ["symbols", "exchanges"]
    assert list(inspect.signature(kind.start).parameters["exchanges"].default) == ["binance", "kucoinfutures"]
    assert str(inspect.signature(kind.get_latest_signals)).startswith("(self, symbol: ")
    assert parameters_of(kind.get_latest_signals) == ["symbol", "timeframe", "min_score", "limit"]
    assert parameters_of(kind.get_multi_timeframe_confluence) == ["symbol", "min_score"]
    assert parameters_of(kind._detect_smart_mean_reversion) == ["df", "style"]
    assert parameters_of(kind._detect_enhanced_momentum) == ["df", "cluster_signals"]
    assert parameters_of(run_continuous_scanner) == ["symbols", "exchanges", "config"]
    for name in ("start", "stop", "get_multi_timeframe_confluence", "_analyze_with_clustering_and_reversion"):
        assert inspect.iscoroutinefunction(getattr(kind, name))


def test_a_scanning_scanner_fills_its_buffers_and_keeps_to_their_maxima() -> None:
    scanner = ContinuousMultiTimeframeScanner(SMALL, SETTINGS)

    async def looked() -> None:
        await until(lambda: all(len(kept) == 2 for kept in scanner.signal_history.values()))
        await until(lambda: all(len(kept) == 5 for kept in scanner.tick_buffers.values()))
        markets = [f"simulated:{symbol}" for symbol in SYMBOLS]
        assert [*scanner.tick_buffers] == markets
        assert all(isinstance(tick, MarketTick) for kept in scanner.tick_buffers.values() for tick in kept)
        assert set(scanner.candle_buffers) == {(market, tf) for market in markets for tf in STYLES.values()}
        assert {len(kept) for kept in scanner.candle_buffers.values()} == {120}
        assert set(scanner.signal_history) == {f"{market}:{tf}" for market in markets for tf in STYLES.values()}
        assert scanner.running
        assert [*scanner.exchanges] == ["simulated"]
        assert {*scanner.market_state} == {"timestamp", "breadth", "volatility_regime", "active_signals"}
        assert {*(scanner.last_full_scan or {})} == {"timestamp", "total_signals", "top_opportunities"}
        assert len((scanner.get_full_scan_results() or {})["top_opportunities"]) == len(SYMBOLS)

    asyncio.run(while_scanning(scanner, looked))
    assert scanner.running is False
    assert len(scanner.get_latest_signals()) == 8  # what was found stays
    wait_for(lambda: threading.active_count() == 1)


def test_signals_can_be_asked_for_by_symbol_timeframe_score_and_number() -> None:
    scanner = ContinuousMultiTimeframeScanner(None, SETTINGS)

    async def asked() -> None:
        every = scanner.get_latest_signals()
        scores = [record["combined_score"] for record in every]
        assert scores == sorted(scores, reverse=True)
        assert {record["signal_type"] for record in every} <= set(SIGNAL_TYPES)
        assert {record["symbol"] for record in scanner.get_latest_signals(symbol="BTC/USDT")} == {"BTC/USDT"}
        assert {record["style"] for record in scanner.get_latest_signals(timeframe="4h")} == {"day_trade"}
        assert {record["timeframe"] for record in scanner.get_latest_signals(timeframe="day_trade")} == {"4h"}
        assert scanner.get_latest_signals(min_score=100) == []
        assert len(scanner.get_latest_signals(limit=3)) == 3
        confluence = await scanner.get_multi_timeframe_confluence("BTC/USDT", min_score=60)
        assert confluence["timeframes_analyzed"] == 4
        assert [*confluence["timeframe_details"]] == ["scalp", "swing", "day_trade", "position"]

    asyncio.run(while_scanning(scanner, asked))


def test_a_scanning_scanner_shares_its_folder_with_its_own_persistence() -> None:
    scanner = ContinuousMultiTimeframeScanner(None, SETTINGS)

    async def kept() -> dict[str, Any]:
        persistence = scanner.persistence
        await persistence.persist_signals("simulated:BTC/USDT", {"mine": True}, datetime.now(UTC))
        async with asyncio.timeout(60):  # candles are kept a moment after their signals are shown
            dataset = await persistence.get_training_dataset("BTC/USDT")
            while {*dataset["ohlcv"]} != set(STYLES.values()):
                await asyncio.sleep(0.05)
                dataset = await persistence.get_training_dataset("BTC/USDT")
        return dataset

    dataset = asyncio.run(while_scanning(scanner, kept))
    assert [record for record in dataset["signals"] if record.get("mine")]
    assert {*dataset["ohlcv"]} == set(STYLES.values())


def test_persisting_before_a_start_does_not_lock_the_scanner_out() -> None:
    scanner = ContinuousMultiTimeframeScanner(None, SETTINGS)

    async def both() -> bool:
        await scanner.persistence.persist_signals("simulated:BTC/USDT", {}, datetime.now(UTC))

        async def runs() -> bool:
            return scanner.running

        return await while_scanning(scanner, runs)

    assert asyncio.run(both())


def test_a_cancelled_scanner_stops_cleanly() -> None:
    async def cancelled() -> None:
        running = asyncio.create_task(run_continuous_scanner(["BTC/USDT"], ["simulated"]))
        await until(lambda: any(Path("training_data/signals").glob("*.json")))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(cancelled())
    wait_for(lambda: threading.active_count() == 1)


def test_a_start_cancelled_half_way_is_stopped_once_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = ContinuousMultiTimeframeScanner()
    done: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def start(order: object) -> str:
        begun.set()
        assert go_on.wait(60)
        done.append("started")
        return "a run"

    monkeypatch.setattr(scanner.service, "start", start)
    monkeypatch.setattr(scanner.service, "stop", lambda: done.append("stopped"))

    async def cancelled() -> None:
        starting = asyncio.create_task(scanner.start(["BTC/USDT"], ["simulated"]))
        await until(begun.is_set)
        starting.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(cancelled())
    assert done == ["started", "stopped"]


def test_a_scanner_can_be_started_again_and_stopped_twice() -> None:
    scanner = ContinuousMultiTimeframeScanner(None, SETTINGS)

    async def again() -> None:
        for symbol in ("BTC/USDT", "ETH/USDT"):
            running = asyncio.create_task(scanner.start([symbol], ["simulated"]))
            await until(lambda symbol=symbol: len(scanner.get_latest_signals(symbol)) == 4)
            await scanner.start(["SOL/USDT"], ["simulated"])  # already running: returns at once, changes nothing
            assert {record["symbol"] for record in scanner.get_latest_signals()} == {symbol}
            await scanner.stop()
            await scanner.stop()
            await running

    asyncio.run(again())
    assert scanner.running is False


@pytest.mark.parametrize(
    ("symbols", "exchanges", "named"),
    [([], ["simulated"], "symbols"), (["../x"], ["simulated"], r"symbols\[0\]"), (SYMBOLS, ["nosuch"], "nosuch")],
)
def test_a_wrong_start_is_refused_by_name(symbols: list[str], exchanges: list[str], named: str) -> None:
    scanner = ContinuousMultiTimeframeScanner()
    with pytest.raises(ScannerError, match=named):
        asyncio.run(scanner.start(symbols, exchanges))
    assert scanner.running is False


# --- detectors on DataFrames ---------------------------------------------------------------------------------------


@pytest.fixture
def detectors() -> ContinuousMultiTimeframeScanner:
    return ContinuousMultiTimeframeScanner()


def frame(opened: Any, close: Any, volume: Any) -> pd.DataFrame:
    opened, close = np.asarray(opened, float), np.asarray(close, float)
    columns = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close}
    return pd.DataFrame(columns | {"volume": np.asarray(volume, float)})


@pytest.fixture
def pumped() -> pd.DataFrame:
    """Flat at 100, then five rising candles to 120 on high, falling volume."""
    close = [100.0] * 95 + [104, 108, 112, 116, 120]
    return frame([100.0, *close[:-1]], close, [100.0] * 97 + [400, 350, 280])


@pytest.fixture
def clustered() -> pd.DataFrame:
    """Two rising candles on five times the volume, two more rising ones, then a slow fall."""
    opened = [100.0] * 10 + [100, 102, 104, 105, 106] + [105.5] * 5
    close = [100.5] * 10 + [102, 104, 105, 106, 105.5] + [105.2] * 5
    return frame(opened, close, [100.0] * 10 + [500, 500] + [100] * 8)


def test_a_pump_that_runs_dry_is_a_bearish_reversion(
    detectors: ContinuousMultiTimeframeScanner, pumped: pd.DataFrame
) -> None:
    reversion = detectors._detect_smart_mean_reversion(pumped, "scalp")
    assert reversion["consecutive_moves"] == 5
    assert reversion["recent_gain_pct"] == pytest.approx(20.0)
    assert reversion["rsi"] == 100.0
    factors = ("momentum_exhaustion", "volume_exhaustion", "excessive_gain", "is_overbought", "reversion_candidate")
    assert all(reversion[name] for name in factors)
    assert (reversion["reversion_score"], reversion["reversion_direction"]) == (100.0, "bearish")


def test_a_cluster_with_nothing_after_it_validates_nothing(
    detectors: ContinuousMultiTimeframeScanner, pumped: pd.DataFrame
) -> None:
    clusters = detectors._detect_candle_clustering(pumped)
    assert clusters == {
        "trend_formation_signal": False,
        "cluster_strength": 0.0,
        "total_clusters": 1,
        "bullish_clusters": 1,
        "bearish_clusters": 0,
        "directional_ratio": 1.0,
        "follow_through": 0.0,
    }
    momentum = detectors._detect_enhanced_momentum(pumped, clusters)
    assert momentum["momentum_score"] == pytest.approx(36.0440, abs=1e-4)  # 20 % x 246 / 136.5
    assert (momentum["cluster_validated"], momentum["strength_classification"]) == (False, "weak")


def test_a_whole_analysis_of_the_pump_scores_momentum_and_reversion_together(
    detectors: ContinuousMultiTimeframeScanner, pumped: pd.DataFrame
) -> None:
    record = asyncio.run(detectors._analyze_with_clustering_and_reversion(pumped, "BTC/USDT", "binance", "scalp", "5m"))
    assert record["combined_score"] == pytest.approx(61.6264, abs=1e-4)  # 0.6 x 36.0440 + 0.4 x 100
    assert record["signal_type"] == "REVERSION_BEARISH"
    assert (record["symbol"], record["exchange"], record["style"], record["timeframe"], record["price"]) == (
        *("BTC/USDT", "binance", "scalp", "5m"),
        120.0,
    )
    assert "error" not in record


def test_a_followed_cluster_is_a_trend_and_boosts_momentum(
    detectors: ContinuousMultiTimeframeScanner, clustered: pd.DataFrame
) -> None:
    clusters = detectors._detect_candle_clustering(clustered)
    assert (clusters["total_clusters"], clusters["bullish_clusters"], clusters["directional_ratio"]) == (1, 1, 1.0)
    assert clusters["follow_through"] == pytest.approx(2 / 3)
    assert clusters["cluster_strength"] == pytest.approx(0.6667, abs=1e-4)
    momentum = detectors._detect_enhanced_momentum(clustered, clusters)
    assert clusters["trend_formation_signal"]
    assert momentum["cluster_validated"]
    assert momentum["momentum_score"] == pytest.approx(3.7348, abs=1e-4)


def test_its_mirror_is_a_bearish_trend_of_the_same_strength(
    detectors: ContinuousMultiTimeframeScanner, clustered: pd.DataFrame
) -> None:
    mirror = clustered.rename(columns={"open": "close", "close": "open"})
    clusters = detectors._detect_candle_clustering(mirror)
    assert (clusters["bearish_clusters"], clusters["directional_ratio"]) == (1, 0.0)
    assert clusters["cluster_strength"] == pytest.approx(0.6667, abs=1e-4)
    assert clusters["trend_formation_signal"]


@pytest.mark.parametrize(
    ("trend", "strength", "score"), [(True, 0.4, 3.1373), (False, 0.9, 2.2409), (True, 0.0, 2.2409)]
)
def test_the_boost_needs_a_trend_and_grows_with_its_strength(
    detectors: ContinuousMultiTimeframeScanner, clustered: pd.DataFrame, trend: bool, strength: float, score: float
) -> None:
    given = {"trend_formation_signal": trend, "cluster_strength": strength}
    momentum = detectors._detect_enhanced_momentum(clustered, given)
    assert momentum["momentum_score"] == pytest.approx(score, abs=1e-4)
    assert momentum["cluster_validated"] is trend


@pytest.mark.parametrize(
    ("score", "change", "candidate", "combined", "expected"),
    [
        (71, 1, False, 0, "MOMENTUM_BUY"),
        (71, 0, False, 0, "MOMENTUM_SELL"),
        (71, 1, True, 0, "REVERSION_BEARISH"),
        (0, 1, False, 60.1, "STRONG_BUY"),
        (0, 1, False, 60, "WEAK_BUY"),
        (0, -1, False, 41, "WEAK_SELL"),
        (0, 1, False, 40, "WEAK_BUY"),
        (0, 1, False, 39.9, "NEUTRAL"),
    ],
)
def test_the_signal_type_follows_scores_in_order(
    detectors: ContinuousMultiTimeframeScanner,
    score: float,
    change: int,
    candidate: bool,
    combined: float,
    expected: str,
) -> None:
    momentum = {"momentum_score": score, "price_change_pct": change}
    reversion = {"reversion_candidate": candidate, "reversion_direction": "bearish"}
    assert detectors._determine_signal_type(momentum, reversion, combined) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [([None, 0.01, 0.02, 0.0005, 0.03], 3), ([0.01, -0.02, 0.03], 1), ([float("nan")], 0), ([], 0)],
)
def test_a_streak_passes_over_small_moves(
    detectors: ContinuousMultiTimeframeScanner, changes: list[float | None], expected: int
) -> None:
    assert detectors._count_consecutive_moves(changes) == expected
    assert detectors._count_consecutive_moves(pd.Series(changes, dtype=float)) == expected


@pytest.mark.parametrize(
    ("closes", "expected"), [([50.0] * 30, 50), (range(1, 40), 100), (range(40, 1, -1), 0), ([1.0, 2.0], 50)]
)
def test_rsi_at_its_ends_and_in_the_middle(
    detectors: ContinuousMultiTimeframeScanner, closes: Any, expected: float
) -> None:
    assert detectors._calculate_simple_rsi(closes) == expected


@pytest.mark.parametrize("rows", [0, 1, 9, 19])
def test_a_frame_too_short_has_the_same_keys_with_neutral_values(
    detectors: ContinuousMultiTimeframeScanner, pumped: pd.DataFrame, rows: int
) -> None:
    short = pumped.tail(rows)
    clusters, whole = detectors._detect_candle_clustering(short), detectors._detect_candle_clustering(pumped)
    assert clusters.keys() == whole.keys()
    assert not any(clusters.values())
    momentum = detectors._detect_enhanced_momentum(short, clusters)
    assert (momentum["momentum_score"], momentum["strength_classification"]) == (0.0, "weak")
    record = asyncio.run(detectors._analyze_with_clustering_and_reversion(short, "BTC/USDT", "binance", "swing", "1h"))
    assert record["error"] == "insufficient_data"
    assert record["signal_type"] == ("NEUTRAL" if rows < 10 else "REVERSION_BEARISH")  # which needs ten rows only


def test_a_frame_without_a_column_is_refused_by_name(
    detectors: ContinuousMultiTimeframeScanner, pumped: pd.DataFrame
) -> None:
    with pytest.raises(InvalidInput, match="lacks the columns open, volume"):
        detectors._detect_candle_clustering(pumped.drop(columns=["open", "volume"]))


def test_detectors_leave_the_frame_as_it_is(detectors: ContinuousMultiTimeframeScanner, pumped: pd.DataFrame) -> None:
    before = pumped.copy()
    clusters = detectors._detect_candle_clustering(pumped)
    detectors._detect_smart_mean_reversion(pumped)
    detectors._detect_enhanced_momentum(pumped, clusters)
    pd.testing.assert_frame_equal(pumped, before)
