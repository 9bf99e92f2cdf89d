"""A real server on loopback, scanning the simulated exchange."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scanner.api.app import create_app
from scanner.api.connections import HttpServer
from scanner.runtime.service import ScannerService
from scanner.settings import Settings


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Message  # whatever the letters of a name


class Client:
    """Sends a request line as it is: no normalising of paths, no content type unless given."""

    def __init__(self, service: ScannerService, port: int) -> None:
        self.service, self.port = service, port

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, data, headers)

    def send(self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            raw = response.read()
            is_json = response.getheader("Content-Type", "").startswith("application/json")
            body = strict_json(unpacked(raw, response.getheader("Content-Encoding"))) if is_json else raw
            return Answer(response.status, body, response.headers)
        finally:
            connection.close()


def unpacked(raw: bytes, how: str | None) -> bytes:
    return gzip.decompress(raw) if how == "gzip" else raw


def strict_json(raw: bytes) -> Any:
    """Parse as a browser would: NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(raw, parse_constant=refuse) if raw else None


@contextmanager
def serving(settings: Settings, **options: Any) -> Iterator[Client]:
    service = ScannerService(settings, **options)
    opened = socket.create_server(("127.0.0.1", 0))
    port = opened.getsockname()[1]
    server = HttpServer(create_app(service), opened)
    server.start()
    try:
        yield Client(service, port)
    finally:
        service.base.end()
        server.end()
        service.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Client]:
    """A server on which nothing has been started, with an empty data folder."""
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data"))) as client:
        yield client
