"""The seven routes over a real server, scanning the simulated exchange through the real ccxt class."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest

from scanner.config import StreamConfig
from scanner.records import SIGNAL_TYPES
from scanner.settings import Settings
from tests.api.conftest import Client, serving
from tests.waiting import wait_for

API = "/api/scanner"
SYMBOLS = ["BTC/USDT", "ETH/USDT", "NADA/USDT"]
CONFIG = {"scan_interval": 10}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server that has scanned for a moment, at ten times real speed."""
    settings = Settings(simulated=True, speed=10, data_dir=str(tmp_path_factory.mktemp("data")))
    with serving(settings) as client:
        assert client.post(f"{API}/continuous/start", {"symbols": SYMBOLS, "config": CONFIG}).status == 200
        wait_for(lambda: client.get(f"{API}/continuous/signals").body["count"] == 8, 60)
        wait_for(lambda: client.get(f"{API}/continuous/status").body["market_state"].get("active_signals") is not None)
        wait_for(lambda: kept_of(client, "BTC/USDT") == ({"5m", "4h", "1h", "1d"},) * 2)
        yield client


def kept_of(client: Client, symbol: str) -> tuple[set[str], set[str]]:
    """The timeframes of which there are signals, and candles, on disk: a moment after they are shown."""
    answer = client.get(f"{API}/training-data/{symbol}")
    if answer.status != 200:
        return set(), set()
    return {record["timeframe"] for record in answer.body["dataset"]["signals"]}, {*answer.body["dataset"]["ohlcv"]}


def is_utc(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == UTC.utcoffset(None)


# --- lifecycle -----------------------------------------------------------------------------------------------------


def test_a_fresh_process_says_that_nothing_runs(fresh: Client) -> None:
    assert fresh.get(f"{API}/continuous/status").body["running"] is False
    assert fresh.post(f"{API}/continuous/stop").body["status"] == "not_running"
    for path in ("signals", "confluence/BTC/USDT", "market-state"):
        answer = fresh.get(f"{API}/continuous/{path}")
        assert answer.status == 503
        assert answer.body["error"] == "Scanner not running"
    assert fresh.get(f"{API}/continuous/signals").body["signals"] == []
    assert fresh.get(f"{API}/training-data/BTC/USDT").status == 404


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (None, None),
        (b"", {"Content-Type": "application/json"}),
        (b'{"symbols": ["BTC/USDT"]}', None),
        (b'{"symbols": ["BTC/USDT"]}', {"Content-Type": "text/plain;charset=UTF-8"}),
        (b'{"symbols": ["btc-usdt"], "config": {"momentum_bias": 0.5}}', {"Content-Type": "application/json"}),
    ],
)
def test_start_takes_any_body_and_content_type(fresh: Client, body: bytes | None, headers: dict | None) -> None:
    answer = fresh.post(f"{API}/continuous/start", body, headers)
    assert answer.status == 200
    assert answer.body["status"] == "started"
    assert answer.body["exchanges"] == ["simulated"]
    assert answer.body["timeframes"] == {"scalp": "5m", "day_trade": "4h", "swing": "1h", "position": "1d"}
    assert "BTC/USDT" in answer.body["symbols"]
    assert fresh.get(f"{API}/continuous/status").body["running"] is True


def test_a_second_start_says_so_and_changes_nothing(fresh: Client) -> None:
    fresh.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]})
    run = fresh.service.run
    assert fresh.post(f"{API}/continuous/start").body["status"] == "already_running"
    assert fresh.service.run is run


def test_ten_concurrent_starts_give_one_scanner(fresh: Client) -> None:
    answers: list[str] = []
    gate = threading.Barrier(10)

    def start() -> None:
        gate.wait()
        answers.append(fresh.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]}).body["status"])

    threads = [threading.Thread(target=start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["already_running"] * 9 + ["started"]


def test_start_stop_start_works_and_reads_never_fail(fresh: Client) -> None:
    for _ in range(2):
        assert fresh.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]}).body["status"] == "started"
        assert fresh.get(f"{API}/continuous/confluence/BTC/USDT").status == 200
        assert fresh.post(f"{API}/continuous/stop").body["status"] == "stopped"
        assert fresh.get(f"{API}/continuous/confluence/BTC/USDT").status == 200
        assert fresh.get(f"{API}/continuous/status").body["running"] is False


def test_what_was_found_stays_readable_after_a_stop(tmp_path: Path) -> None:
    with serving(Settings(simulated=True, data_dir=str(tmp_path))) as client:
        client.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]})
        wait_for(lambda: client.get(f"{API}/continuous/signals").body["count"] == 4)
        client.post(f"{API}/continuous/stop")
        assert client.get(f"{API}/continuous/signals").body["count"] == 4
        assert client.get(f"{API}/continuous/market-state").status == 200
        assert client.get(f"{API}/training-data/BTC/USDT").status == 200
    with serving(Settings(simulated=True, data_dir=str(tmp_path))) as restarted:
        assert restarted.get(f"{API}/continuous/signals").body["count"] == 4
        assert restarted.get(f"{API}/continuous/confluence/BTC/USDT").body["timeframes_analyzed"] == 4
        assert restarted.get(f"{API}/training-data/BTC/USDT").status == 200


def test_a_second_process_on_the_same_folder_is_refused(scanned: Client) -> None:
    with serving(Settings(simulated=True, data_dir=scanned.service.settings.data_dir)) as second:
        answer = second.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]})
        assert answer.status == 409
        assert second.get(f"{API}/continuous/status").body["running"] is False


# --- signals -------------------------------------------------------------------------------------------------------

RECORD = {
    "symbol": str, "exchange": str, "style": str, "timeframe": str, "timestamp": str, "price": float,
    "momentum": {
        "momentum_score": float, "price_change_pct": float, "volume_ratio": float, "cluster_validated": bool,
        "strength_classification": str,
    },
    "reversion": {
        "reversion_score": float, "reversion_candidate": bool, "reversion_direction": str, "momentum_exhaustion": bool,
        "volume_exhaustion": bool, "excessive_gain": bool, "consecutive_moves": int, "recent_gain_pct": float,
        "is_overbought": bool, "is_oversold": bool,
    },
    "clustering": {
        "trend_formation_signal": bool, "cluster_strength": float, "total_clusters": int, "bullish_clusters": int,
        "bearish_clusters": int, "directional_ratio": float, "follow_through": float,
    },
    "combined_score": float, "signal_type": str, "candle_time": str, "candle_closed": bool, "candle_progress": float,
    "data_age_s": float, "gaps": int, "params_id": str, "market_breadth": float, "volatility_regime": str,
}  # fmt: skip


def check_shape(value: dict, shape: dict) -> None:
    for name, kind in shape.items():
        assert name in value
        if isinstance(kind, dict):
            check_shape(value[name], kind)
        elif kind is float:
            assert isinstance(value[name], (int, float))
            assert not isinstance(value[name], bool)
        else:
            assert type(value[name]) is kind, name


def test_every_signal_has_every_field_in_its_type(scanned: Client) -> None:
    body = scanned.get(f"{API}/continuous/signals").body
    assert is_utc(body["timestamp"])
    assert body["count"] == len(body["signals"]) == 8
    for record in body["signals"]:
        check_shape(record, RECORD)
        assert record["exchange"] == "simulated"
        assert record["simulated"] is True
        assert record["percentile"] is None or 0 <= record["percentile"] <= 100
        assert record["signal_type"] in SIGNAL_TYPES
        assert is_utc(record["timestamp"])
        assert is_utc(record["candle_time"])


def test_there_is_one_newest_signal_per_market_and_timeframe_best_first(scanned: Client) -> None:
    signals = scanned.get(f"{API}/continuous/signals").body["signals"]
    assert len({(s["exchange"], s["symbol"], s["timeframe"]) for s in signals}) == len(signals)
    scores = [s["combined_score"] for s in signals]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("symbol=BTC/USDT", 4),
        ("symbol=btcusdt", 4),
        ("symbol=BTC", 4),
        ("symbol=simulated:BTC-USDT", 4),
        ("symbol=WBTC", 0),
        ("symbol=binance:BTC/USDT", 0),
        ("timeframe=5m", 2),
        ("timeframe=day_trade", 2),
        ("timeframe=1h&symbol=ETH/USDT", 1),
        ("timeframe=15m", 0),
        ("limit=3", 3),
        ("limit=0", 0),
        ("min_score=0&limit=20", 8),
    ],
)
def test_filters_mean_what_they_say(scanned: Client, query: str, expected: int) -> None:
    assert scanned.get(f"{API}/continuous/signals?{query}").body["count"] == expected


def test_min_score_keeps_only_scores_from_there(scanned: Client) -> None:
    body = scanned.get(f"{API}/continuous/signals?min_score=60&limit=20").body
    assert all(record["combined_score"] >= 60 for record in body["signals"])


# --- confluence, market state, status, training data ---------------------------------------------------------------


@pytest.mark.parametrize(
    "symbol",
    ["BTC/USDT", "BTC%2FUSDT", "BTC-USDT", "BTC_USDT", "BTCUSDT", "btc/usdt", "simulated:BTC/USDT", "BTC%252FUSDT"],
)
def test_a_symbol_may_be_written_in_many_ways(scanned: Client, symbol: str) -> None:
    answer = scanned.get(f"{API}/continuous/confluence/{symbol}?min_score=60")
    assert answer.status == 200
    assert answer.body["symbol"] == "BTC/USDT"
    assert answer.body["timeframes_analyzed"] == 4
    assert list(answer.body["timeframe_details"]) == ["scalp", "swing", "day_trade", "position"]
    assert scanned.get(f"{API}/training-data/{symbol}?days=30").status == 200


CONFLUENCE_KEYS = {
    "symbol", "exchange", "confluence", "timeframes_analyzed", "average_score", "bullish_timeframes",
    "bearish_timeframes", "dominant_bias", "timeframe_details", "recommendation",
}  # fmt: skip


def test_confluence_has_its_full_set_of_keys_even_for_an_unknown_symbol(scanned: Client) -> None:
    assert set(scanned.get(f"{API}/continuous/confluence/BTC/USDT").body) == CONFLUENCE_KEYS
    nothing = scanned.get(f"{API}/continuous/confluence/XYZ/USDT").body
    assert set(nothing) == CONFLUENCE_KEYS | {"message"}
    assert (nothing["confluence"], nothing["average_score"], nothing["recommendation"]) == (False, 0, "WEAK")


def test_market_state_has_breadth_regime_and_active_signals(scanned: Client) -> None:
    body = scanned.get(f"{API}/continuous/market-state").body
    state = body["market_state"]
    assert is_utc(body["timestamp"])
    assert is_utc(state["timestamp"])
    assert set(state["breadth"]) == {"advancing", "declining", "breadth_ratio", "market_bias"}
    assert state["volatility_regime"] in ("high", "medium", "low", "unknown")
    assert isinstance(state["active_signals"], int)


def test_status_says_how_exchanges_and_streams_are_doing(scanned: Client) -> None:
    def live() -> Any:
        found = scanned.get(f"{API}/continuous/status").body
        well = found["exchanges"]["simulated"]["state"] == "live"  # it is late while the machine stands still
        return found if well and found["streams"]["full_scan"]["runs"] >= 2 else None

    status = wait_for(live)
    assert status["running"] is True
    assert status["exchanges"]["simulated"]["cause"] is None
    assert status["exchanges"]["simulated"]["markets"] == 2
    assert is_utc(status["exchanges"]["simulated"]["last_data"])
    assert list(status["streams"]) == ["prices", "signals", "market_state", "full_scan"]
    for figures in status["streams"].values():
        assert set(figures) == {"last_run", "last_duration_s", "lag_s", "runs", "missed", "last_error"}
        assert figures["last_error"] is None
    assert status["skipped"] == {"simulated:NADA/USDT": "not listed on simulated"}
    assert is_utc(status["started_at"])
    assert status["config"] == StreamConfig(**CONFIG).as_dict()
    assert set(status["buffer_stats"]) == {"ticks", "candles", "signals"}
    assert status["buffer_stats"]["ticks"] == 2
    assert status["buffer_stats"]["candles"] == 8
    assert status["simulated"] is True


def test_training_data_hold_signals_candles_and_clusters(scanned: Client) -> None:
    body = scanned.get(f"{API}/training-data/BTC/USDT?days=2").body
    assert (body["symbol"], body["days"]) == ("BTC/USDT", 2)
    dataset = body["dataset"]
    assert body["summary"] == {
        "total_signals": len(dataset["signals"]),
        "timeframes": list(dataset["ohlcv"]),
        "total_clusters": len(dataset["clustering"]),
    }
    assert dataset["signals"]
    assert list(dataset["ohlcv"]) == ["5m", "4h", "1h", "1d"]
    row = dataset["ohlcv"]["5m"][0]
    assert set(row) >= {"timestamp", "open", "high", "low", "close", "volume"}
    assert is_utc(row["timestamp"])
    assert 570 <= len(dataset["ohlcv"]["5m"]) <= 577  # two days, closed candles only


def read(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:  # a path would be opened twice, and may be replaced in between
        return pd.read_parquet(file)


def records(folder: Path, files: str) -> list[Any]:
    return [record for path in sorted(folder.glob(files)) for record in json.loads(path.read_text())]


def test_files_are_readable_while_the_scanner_runs(scanned: Client) -> None:
    folder = Path(scanned.service.settings.data_dir)
    signals = records(folder, "signals/simulated_BTCUSDT_*.json")
    assert {record["timeframe"] for record in signals} == {"5m", "4h", "1h", "1d"}
    for timeframe in ("5m", "4h", "1h", "1d"):
        path = folder / "ohlcv" / f"simulated_BTCUSDT_{timeframe}.parquet"
        wait_for(path.exists)
        frame = read(path)
        assert list(frame.columns) == ["timestamp", "open", "high", "low", "close", "volume"]
        assert frame["timestamp"].is_monotonic_increasing
        rest = f"{API}/training-data/BTC/USDT?days=3650&timeframe={timeframe}"  # what comes late reaches the file later
        wait_for(lambda path=rest, of=timeframe: len(scanned.get(path).body["dataset"]["ohlcv"][of]) >= 500)
    record = wait_for(lambda: records(folder, "clustering/simulated_*.json"))[0]
    assert record["symbol"].startswith("simulated:")
    assert record["total_clusters"] >= 1


# --- the protocol around it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", f"{API}/continuous/start", 405),
        ("POST", f"{API}/continuous/signals", 405),
        ("GET", f"{API}/continuous/confluence/", 404),
    ],
)
def test_unknown_paths_and_methods_answer_in_json(fresh: Client, method: str, path: str, status: int) -> None:
    answer = fresh.send(method, path)
    assert answer.status == status
    assert set(answer.body) == {"error", "message"}


def test_health_needs_no_scanner(fresh: Client) -> None:
    body = fresh.get("/health").body
    assert (body["status"], body["service"]) == ("healthy", "scanner-api")
    assert is_utc(body["timestamp"])


def test_a_browser_may_call_from_named_origins_only(fresh: Client) -> None:
    named = fresh.get("/health", {"Origin": "http://localhost:5173"})
    assert named.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    strange = fresh.get("/health", {"Origin": "http://evil.example"})
    assert "Access-Control-Allow-Origin" not in strange.headers


def test_symbols_may_be_percent_encoded_whole(scanned: Client) -> None:
    assert scanned.get(f"{API}/continuous/confluence/{quote('simulated:BTC/USDT', safe='')}").status == 200


def test_a_page_of_a_strange_site_may_not_start_or_stop_a_scan(fresh: Client) -> None:
    for path in ("start", "stop"):
        answer = fresh.post(
            f"{API}/continuous/{path}", b"{}", {"Origin": "http://evil.example", "Content-Type": "text/plain"}
        )
        assert answer.status == 403
        assert set(answer.body) == {"error", "message"}
    assert fresh.get(f"{API}/continuous/status").body["running"] is False
    for origin in ("http://localhost:5173", f"http://127.0.0.1:{fresh.port}"):
        assert fresh.post(f"{API}/continuous/stop", None, {"Origin": origin}).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:5001", 200), ("[::1]:5001", 200), ("10.0.0.5", 200), ("evil.example", 403), ("[::1", 403), ("", 403)],
)
def test_a_name_made_to_point_here_makes_no_page_ours(fresh: Client, host: str, status: int) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert fresh.post(f"{API}/continuous/stop", None, headers).status == status


def test_pages_of_the_name_that_is_listened_on_are_ours(tmp_path: Path) -> None:
    headers = {"Host": "scanner.lan:5001", "Origin": "http://scanner.lan:5001"}
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data"), host="Scanner.lan")) as client:
        assert client.post(f"{API}/continuous/stop", None, headers).status == 200
