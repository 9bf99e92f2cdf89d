"""The built-in server keeps connections open, and leaves nothing behind when it ends."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.api.app import create_app
from scanner.api.connections import THREADS, HttpServer
from scanner.api.parsing import LONGEST_BODY
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from tests.waiting import wait_for


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    before = set(threading.enumerate())
    service = ScannerService(Settings(simulated=True, data_dir=str(tmp_path)))
    opened = socket.create_server(("127.0.0.1", 0))
    number = int(opened.getsockname()[1])
    server = HttpServer(create_app(service), opened)
    server.start()
    yield number
    service.base.end()
    server.end()
    service.close()
    wait_for(lambda: set(threading.enumerate()) <= before)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", number), 1)


def asked(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/health")
    response = connection.getresponse()
    response.read()
    return response.status


def test_one_connection_serves_many_requests(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    assert asked(connection) == 200
    first = connection.sock
    assert [asked(connection) for _ in range(5)] == [200] * 5
    assert connection.sock is first
    connection.close()


def test_more_connections_than_threads_may_stay_open(port: int) -> None:
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(3 * THREADS)]
    assert [asked(connection) for connection in connections * 2] == [200] * len(connections) * 2
    for connection in connections:
        connection.close()


def test_a_body_that_is_too_long_is_refused_in_our_words(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/scanner/continuous/start", b" " * (LONGEST_BODY + 1))
    response = connection.getresponse()
    assert response.status == 413
    assert response.getheader("Content-Type") == "application/json"
    connection.close()
