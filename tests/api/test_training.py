"""Training data over HTTP: every format, filter and refusal, and what becomes of an answer that cannot be finished."""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from scanner.api import formats, training
from scanner.errors import StoreFailure
from scanner.settings import Settings
from scanner.store import features as past_features
from scanner.store import flat
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, HOUR_MS
from tests.api.conftest import Client, serving, unpacked
from tests.store.making import BTC, SWAP, candles, cluster, make_unreadable, signal
from tests.waiting import wait_for

ROUTE = "/api/scanner/training-data/BTC/USDT"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server over three days of two markets, up to now."""
    folder = tmp_path_factory.mktemp("kept") / "data"
    now_ms = int(pd.Timestamp.now("UTC").timestamp() * 1000) // DAY_MS * DAY_MS
    with TrainingStore(folder) as store:
        for market in (BTC, SWAP):
            for hour in range(0, 72, 6):
                at_ms = now_ms - hour * HOUR_MS
                made = [
                    signal(at_ms, timeframe=timeframe, final=final, exchange=market.exchange, symbol=market.symbol)
                    for timeframe in ("5m", "1h")
                    for final in (True, False)
                ]
                store.append_signals({market: made}, at_ms)
                store.append_clusters({market: [cluster(at_ms, symbol=str(market))]}, at_ms)
            store.append_candles(market, "5m", *candles(now_ms - 3 * DAY_MS, 864))
            store.append_candles(market, "1h", *candles(now_ms - 3 * DAY_MS, 72, step_ms=HOUR_MS))
    with serving(Settings(data_dir=str(folder))) as client:
        yield client


def test_a_bare_symbol_merges_exchanges_oldest_first(kept: Client) -> None:
    body = kept.get(f"{ROUTE}?days=7").body
    assert list(body) == ["symbol", "days", "dataset", "summary"]
    signals, clustering = body["dataset"]["signals"], body["dataset"]["clustering"]
    assert body["summary"] == {"total_signals": 96, "timeframes": ["5m", "1h"], "total_clusters": 24}
    assert [len(part) for part in (signals, clustering, body["dataset"]["ohlcv"]["5m"])] == [96, 24, 1728]
    for records in (signals, clustering, *body["dataset"]["ohlcv"].values()):
        assert all(one["timestamp"] <= other["timestamp"] for one, other in pairwise(records))
    assert {row["exchange"] for row in body["dataset"]["ohlcv"]["1h"]} == {"binance", "kucoinfutures"}


@pytest.mark.parametrize(
    ("path", "signals", "timeframes", "clusters"),
    [
        ("binance:BTC-USDT?days=7", 48, ["5m", "1h"], 12),
        ("BTCUSDT?days=7&exchange=binance", 48, ["5m", "1h"], 12),
        ("binance:BTCUSDT?days=7&exchange=binance&final_only=true", 24, ["5m", "1h"], 12),
        ("BTC/USDT?days=7&timeframe=1h", 48, ["1h"], 0),
        ("BTC/USDT?days=7&timeframe=scalp&final_only=TRUE", 24, ["5m"], 24),
        ("BTC/USDT?days=7&timeframe=4h", 0, [], 0),
        ("BTC/USDT?days=7&final_only=false", 96, ["5m", "1h"], 24),
    ],
)
def test_filters_choose(path: str, signals: int, timeframes: list[str], clusters: int, kept: Client) -> None:
    body = kept.get(f"/api/scanner/training-data/{path}").body
    assert body["summary"] == {"total_signals": signals, "timeframes": timeframes, "total_clusters": clusters}
    assert len(body["dataset"]["signals"]) == signals


@pytest.mark.parametrize(("part", "rows"), [("signals", 96), ("ohlcv", 1728 + 144), ("clustering", 24)])
def test_tables_hold_what_json_holds(part: str, rows: int, kept: Client) -> None:
    text, file = (kept.get(f"{ROUTE}?days=7&part={part}&format={kind}") for kind in ("csv", "parquet"))
    assert (text.headers["Content-Type"], file.headers["Content-Type"]) == (
        formats.MIME["csv"],
        formats.MIME["parquet"],
    )
    table = pq.read_table(io.BytesIO(file.body))
    assert table.schema.equals(flat.PARTS[part])
    frame = pd.read_csv(io.BytesIO(text.body), parse_dates=["timestamp"])
    assert (len(frame), list(frame.columns)) == (rows, table.column_names)
    expected = table.to_pandas()
    for name in ("timestamp", "symbol", "timeframe"):
        assert frame[name].tolist() == expected[name].tolist()
    records = kept.get(f"{ROUTE}?days=7").body["dataset"][part]
    if part != "ohlcv":
        assert expected["timestamp"].tolist() == [pd.Timestamp(record["timestamp"]) for record in records]
    else:
        np.testing.assert_array_equal(frame["close"], 100.0)


def test_signals_are_the_table_that_is_meant_where_none_is_named(kept: Client) -> None:
    csv = [kept.get(f"{ROUTE}?format=csv{part}").body for part in ("", "&part=signals")]
    assert csv[0] == csv[1]
    assert csv[0].startswith(b"exchange,symbol,style,timeframe,timestamp,")


def test_an_empty_table_has_its_columns(kept: Client) -> None:
    text, file = (kept.get(f"{ROUTE}?timeframe=4h&format={kind}").body for kind in ("csv", "parquet"))
    assert text.decode().splitlines() == [",".join(flat.SIGNAL.names)]
    assert pq.read_table(io.BytesIO(file)).schema.equals(flat.SIGNAL)


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [("gzip", True), ("gzip, deflate, br", True), ("identity", False), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_answers_are_packed_for_those_who_take_it(accepts: str, packed: bool, kept: Client) -> None:
    for kind in ("json", "csv"):
        answer = kept.get(f"{ROUTE}?days=7&format={kind}", {"Accept-Encoding": accepts})
        assert (answer.headers.get("Content-Encoding") == "gzip") is packed
        assert answer.headers["Vary"] == "Accept-Encoding"
        if kind == "csv":
            assert unpacked(answer.body, "gzip" if packed else None).startswith(b"exchange,")
    parquet = kept.get(f"{ROUTE}?format=parquet", {"Accept-Encoding": accepts})
    assert "Content-Encoding" not in parquet.headers
    assert parquet.body[:4] == parquet.body[-4:] == b"PAR1"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("days=0", "days: '0' is not a whole number from 1 to 3650"),
        ("days=-1", "days: "),
        ("days=99999999999999999999", "days: "),
        ("days=1.5", "days: "),
        ("days=", "days: "),
        ("exchange=../binance", "exchange: '../binance' is not an exchange id"),
        ("exchange=BINANCE", "exchange: "),
        ("timeframe=7m", "timeframe: '7m' is not one of scalp, day_trade, swing, position, 5m"),
        ("timeframe=../5m", "timeframe: "),
        ("final_only=maybe", "final_only: 'maybe' is not one of true, 1, false, 0"),
        ("final_only=yes", "final_only: 'yes' is not one of true, 1, false, 0"),
        ("format=xml", "format: 'xml' is not one of json, csv, parquet"),
        ("format=csv&part=all", "part: 'all' is not one of signals, ohlcv, clustering"),
        ("part=signals", "part: 'signals' is for csv and parquet"),
    ],
)
def test_wrong_queries_are_refused(query: str, message: str, kept: Client) -> None:
    answer = kept.get(f"{ROUTE}?{query}")
    assert (answer.status, answer.body["error"]) == (400, "Invalid input")
    assert answer.body["message"].startswith(message)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("SOL/USDT?format=csv", 404),
        ("BTC/USDT?exchange=okx", 404),
        ("okx:BTC/USDT", 404),
        ("binance:BTC/USDT?exchange=kucoinfutures", 400),
        ("..%2f..%2fetc%2fpasswd?format=parquet", 400),
        ("BTC/..%2fUSDT", 400),
    ],
)
def test_symbols_that_are_none_or_unknown_are_refused(path: str, status: int, kept: Client) -> None:
    assert kept.get(f"/api/scanner/training-data/{path}").status == status


def test_foreign_files_in_the_folder_are_neither_read_nor_touched(kept: Client) -> None:
    folder = Path(kept.service.settings.data_dir)
    strange = [folder / "signals" / name for name in ("notes.txt", "binance_BTCUSDT_2025-99-99.json", "BTCUSDT.json")]
    for path in strange:
        path.write_text("[foreign")
    assert kept.get(f"{ROUTE}?days=3650").body["summary"]["total_signals"] == 96
    for path in strange:
        assert path.read_text() == "[foreign"
        path.unlink()


def test_a_file_that_cannot_be_read_is_told_before_the_answer_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = pd.Timestamp.now("UTC").strftime("%Y-%m-%d")
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / f"binance_BTCUSDT_{today}.json").touch()
    make_unreadable(monkeypatch)
    with serving(Settings(data_dir=str(tmp_path))) as client:
        for kind in formats.FORMATS:
            answer = client.get(f"{ROUTE}?format={kind}")
            assert (answer.status, answer.body["error"]) == (503, "Storage failure")
            assert f"binance_BTCUSDT_{today}.json: cannot be read" in answer.body["message"]


@pytest.mark.parametrize("kind", formats.FORMATS)
@pytest.mark.parametrize("accepts", ["identity", "gzip"])
def test_an_answer_that_cannot_be_finished_is_broken_off(
    kind: str, accepts: str, kept: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Iterator[bytes]:
        yield b"a line that looks complete\n" * 10_000
        raise StoreFailure("the file is gone")

    monkeypatch.setattr(formats, "dataset_json" if kind == "json" else kind, fails)
    with pytest.raises(http.client.IncompleteRead):
        kept.get(f"{ROUTE}?format={kind}", {"Accept-Encoding": accepts})


def test_too_many_answers_at_once_are_refused_and_seats_are_given_back(
    kept: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object) -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    with monkeypatch.context() as patch:
        patch.setattr(formats, "dataset_json", endless)
        taken = [http.client.HTTPConnection("127.0.0.1", kept.port, timeout=30) for _ in range(training.AT_ONCE)]
        answers = []
        for connection in taken:
            connection.request("GET", ROUTE)
            answers.append(connection.getresponse())
    refused = kept.get(ROUTE)
    assert (refused.status, refused.body["error"]) == (429, "Busy")
    for connection, answer in zip(taken, answers, strict=True):
        answer.close()
        connection.close()
    wait_for(lambda: kept.get(ROUTE).status == 200)
    assert [kept.get(f"{ROUTE}?days=0").status for _ in range(training.AT_ONCE + 1)] == [400] * (training.AT_ONCE + 1)
    for _ in range(training.AT_ONCE + 1):
        assert kept.send("HEAD", ROUTE).status == 200


FEATURES = f"{ROUTE}/features"


def test_features_are_one_row_per_final_signal_in_every_format(kept: Client) -> None:
    as_of = f"as_of={pd.Timestamp.now('UTC').strftime('%Y-%m-%dT%H:%M:%SZ')}"
    body = kept.get(f"{FEATURES}?days=7&{as_of}").body
    assert (list(body), body["symbol"], body["days"]) == (["symbol", "days", "rows"], "BTC/USDT", 7)
    assert len(body["rows"]) == 48
    names = past_features.schema(["1h", "4h", "1d"]).names
    assert all(list(row) == names for row in body["rows"])
    assert body["rows"][0]["candle_time"].endswith("+00:00")
    text, file = (kept.get(f"{FEATURES}?days=7&{as_of}&format={kind}").body for kind in ("csv", "parquet"))
    table = pq.read_table(io.BytesIO(file))
    assert table.schema.equals(past_features.schema(["1h", "4h", "1d"]))
    frame = pd.read_csv(io.BytesIO(text), parse_dates=["candle_time", "known_at"])
    assert [len(frame), table.num_rows] == [48, 48]
    labels = [row["fwd_return_3"] for row in body["rows"]]
    assert labels == table["fwd_return_3"].to_pylist()
    assert 0 in labels
    np.testing.assert_array_equal(frame["fwd_return_3"], table.to_pandas()["fwd_return_3"])
    assert frame["known_at"].tolist() == table.to_pandas()["known_at"].tolist()


def test_the_timeframes_that_join_may_be_named(kept: Client) -> None:
    """Whatever a scan looks at meanwhile, the table has the same columns then."""
    rows = kept.get(f"{FEATURES}?days=7&timeframes=5m,1h,2h").body["rows"]
    assert all(list(row) == past_features.schema(["1h", "2h"]).names for row in rows)


def test_features_of_a_past_moment_are_those_known_then(kept: Client) -> None:
    now = kept.get(f"{FEATURES}?days=7&exchange=binance&timeframe=1h").body["rows"]
    assert len(now) == 12
    then = pd.Timestamp(now[6]["known_at"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    past = kept.get(f"/api/scanner/training-data/binance:BTC-USDT/features?days=7&timeframe=swing&as_of={then}").body
    assert [row["known_at"] for row in past["rows"]] == [row["known_at"] for row in now[:7]]
    assert past["rows"][-1]["fwd_return_1"] is None


def test_features_of_a_moment_before_anything_was_known_say_so(kept: Client) -> None:
    before = kept.get(f"{FEATURES}?days=7").body["rows"][0]["candle_time"][:19] + "Z"
    assert kept.get(f"{FEATURES}?days=7&as_of={before}").body["rows"] == []  # nothing was usable either
    assert kept.get(f"{FEATURES}?days=7&as_of={before}&by=usable_at").body["rows"] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("days=0", "days: "),
        ("by=now", "by: 'now' is not one of known_at, usable_at"),
        ("days=1_0", "days: '1_0' is not a whole number from 1 to 3650"),
        ("days=%D9%A3", r"days: '\u0663' is not a whole number"),  # a three in Arabic
        ("as_of=soon", "as_of: 'soon' is not a moment"),
        ("as_of=", "as_of: "),
        ("as_of=2999-01-01", "as_of: '2999-01-01T00:00:00+00:00' has not come yet"),
        ("timeframe=7m", "timeframe: "),
        ("timeframes=1h,7m", "timeframes: '7m' is not one of"),
        ("timeframes=1h,,4h", "timeframes: '1h,,4h' is not a list"),
        ("exchange=..", "exchange: "),
        ("format=xml", "format: "),
        ("part=signals", "part: 'signals' is unknown here"),
        ("final_only=true", "final_only: 'true' is unknown here"),
    ],
)
def test_wrong_queries_for_features_are_refused(query: str, message: str, kept: Client) -> None:
    answer = kept.get(f"{FEATURES}?{query}")
    assert (answer.status, answer.body["error"]) == (400, "Invalid input")
    assert answer.body["message"].startswith(message)


def test_a_moment_may_be_pasted_from_an_answer(kept: Client) -> None:
    last = kept.get(f"{FEATURES}?days=7").body["rows"][-1]["usable_at"]
    assert last.endswith("+00:00")
    as_it_is, quoted = (kept.get(f"{FEATURES}?days=7&as_of={text}") for text in (last, last.replace("+", "%2B")))
    assert as_it_is.status == 200
    assert as_it_is.body == quoted.body


def test_features_of_what_was_never_kept_are_told_apart(kept: Client) -> None:
    assert kept.get("/api/scanner/training-data/SOL/USDT/features").status == 404
    assert kept.get("/api/scanner/training-data/..%2f..%2fx/features").status == 400
    assert kept.get(f"{FEATURES}?as_of=2001-01-01").body["rows"] == []
