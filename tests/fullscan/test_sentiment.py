"""The mood of the market over loopback: right, wrong, slow and absent."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scanner.fullscan.sentiment import btc_dominance, fear_greed


class Service(ThreadingHTTPServer):
    daemon_threads = True
    status, body, drip, seen = 200, b"", False, ""


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.seen = self.headers.get("X-CMC_PRO_API_KEY", "")
        self.send_response(self.server.status)
        self.send_header("Content-Length", "100000" if self.server.drip else str(len(self.server.body)))
        self.end_headers()
        if self.server.drip:
            self._drip()
        else:
            self.wfile.write(self.server.body)

    def _drip(self) -> None:
        pause = threading.Event()
        try:
            while not pause.wait(0.05):
                self.wfile.write(b" ")
        except OSError:
            pass

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.server_port}/"


def test_the_index_is_read(service):
    service.body = json.dumps({"data": [{"value": "76", "value_classification": "Greed"}]}).encode()
    assert fear_greed(url(service), timeout_s=60) == 76.0


def test_the_share_of_bitcoin_is_read_with_the_key(service, caplog):
    service.body = json.dumps({"data": {"btc_dominance": 58.25}}).encode()
    with caplog.at_level(logging.DEBUG):
        assert btc_dominance("secret-key", url(service), timeout_s=60) == 58.25
    assert service.seen == "secret-key"
    assert "secret-key" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", b'{"data":[]}', b'{"data":[{"value":"x"}]}', b'{"data":[{"value":101}]}', b"[1]", b"NaN"],
)
def test_anything_else_is_nothing(service, body):
    service.body = body
    assert fear_greed(url(service), timeout_s=60) is None


def test_a_refusal_is_nothing_and_the_log_says_so_without_the_key(service, caplog):
    service.status, service.body = 401, b"{}"
    assert btc_dominance("secret-key", url(service), timeout_s=60) is None
    assert "HTTPError" in caplog.text
    assert "secret-key" not in caplog.text


def test_nobody_there_is_nothing():
    assert fear_greed("http://127.0.0.1:9/", timeout_s=0.5) is None


def test_a_dripping_answer_is_cut_at_the_time_out(service):
    service.drip = True
    began = time.monotonic()
    assert fear_greed(url(service), timeout_s=0.4) is None
    assert time.monotonic() - began < 60  # all of it takes more than an hour
