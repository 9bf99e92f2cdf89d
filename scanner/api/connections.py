"""The built-in HTTP server: waitress on a socket of ours. Connections stay open; a pool of threads answers."""

from __future__ import annotations

import threading
from socket import socket

from flask import Flask
from waitress import create_server, wasyncore

from scanner.api.parsing import LONGEST_BODY
from scanner.api.sparing import SparingSocket

THREADS = 16  # requests answered at once, some of which wait for a scan
KEPT_OPEN_S = 75  # whoever asks once a minute keeps the connection
MOST_CONNECTIONS = 1000
LOOK_S = 1.0
ENDING_S = 1.0  # for answers that are being written


class HttpServer:
    """Answers from `app` on a socket that is bound, from `start` to `end`; owns the socket."""

    def __init__(self, app: Flask, opened: socket) -> None:
        self._map: dict[int, object] = {}
        self._over = threading.Event()
        self._server = create_server(
            app,
            map=self._map,
            sockets=[SparingSocket(opened)],
            threads=THREADS,
            channel_timeout=KEPT_OPEN_S,
            connection_limit=MOST_CONNECTIONS,
            asyncore_use_poll=True,
            max_request_body_size=16 * LONGEST_BODY,  # what is only too long for us is refused in our words
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._thread = threading.Thread(target=self._run, name="http")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Take no more requests, and leave no thread or connection; what is being answered gets `ENDING_S`."""
        self._over.set()
        self._server.pull_trigger()
        self._thread.join()
        self._server.task_dispatcher.shutdown(timeout=ENDING_S)
        wasyncore.close_all(self._map)

    def _run(self) -> None:
        while not self._over.is_set():
            wasyncore.loop(timeout=LOOK_S, use_poll=True, map=self._map, count=1)
