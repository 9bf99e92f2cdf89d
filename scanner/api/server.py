"""``python scanner_api.py``: serve the API on one address until told to stop."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Sequence
from typing import Any

from flask import Flask

from scanner.api.connections import HttpServer
from scanner.api.interpreter import share_interpreter
from scanner.commandline import Parser, refused
from scanner.errors import InvalidInput, NotRunning, ScannerError
from scanner.order import EMBEDDED
from scanner.runtime.query import SignalQuery
from scanner.runtime.service import ScannerService
from scanner.settings import Settings, option, variable

log = logging.getLogger(__name__)

PROGRAM = "scanner_api"
BACKLOG = 128  # connections that wait to be accepted
FIRST_SIGNALS_S = 60.0  # how long the server watches for first signals to announce


def with_options(arguments: Sequence[str], settings: Settings) -> Settings:
    """The settings with what the command line says on top. An unknown option ends the program, as argparse does.

    Raises
    ------
    InvalidInput
        A value is wrong; the message names the option.
    """
    build = Parser(
        prog="scanner_api.py",
        description="Serve the scanner's HTTP API.",
        epilog="Every option is also an environment variable, SCANNER_HOST and so on; docs/ has the table.",
    )
    build.add_argument("--host", help=f"address to listen on (default: {settings.host})")
    build.add_argument("--port", help=f"port to listen on (default: {settings.port})")
    build.add_argument("--data-dir", metavar="FOLDER", help=f"training data (default: {settings.data_dir})")
    build.add_argument("--simulated", action="store_const", const="1", help="scan the simulated exchange by default")
    build.add_argument("--replay", metavar="FILE_OR_FOLDER", help="scan recorded candles by default")
    build.add_argument("--speed", metavar="N", help="market seconds per real second, simulated or replayed")
    build.add_argument("--autostart", action="store_const", const="1", help="start scanning at once")
    build.add_argument("--resume", action="store_const", const="1", help="start again what was being scanned")
    return settings.changed(vars(build.parse_args(arguments)), option)


def refuse_strangers(host: str, settings: Settings, called: str = variable("host")) -> None:
    """Refuse to listen beyond loopback without a key, unless the operator says so. Raises InvalidInput."""
    if settings.api_key or settings.allow_anonymous or host == "localhost":
        return
    try:
        inside = ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise InvalidInput(
            called,
            host,
            "is reachable from other machines, and anybody there could start and stop scans; "
            f"set {variable('api_key')} to a secret that callers must know, or listen on 127.0.0.1, "
            f"or set {variable('allow_anonymous')}=1 if that is what you want",
        )


def serve(app: Flask, service: ScannerService, stopping: threading.Event) -> int:
    """Serve until `stopping` is set; the exit status, 2 where serving could not begin."""
    try:
        opened = listening(service.settings)
    except ScannerError as error:
        return refused(PROGRAM, error)
    address = address_of(opened.getsockname())
    share_interpreter()
    server = HttpServer(app, opened)
    server.start()
    try:
        log.info("listening on %s", address)
        begin(service, address)
        announce_first_signals(service, stopping)
        stopping.wait()
    except ScannerError as error:
        return refused(PROGRAM, error)
    finally:
        service.base.end()
        server.end()
        service.close()
        log.info("ended")
    return 0


def listening(settings: Settings) -> socket.socket:
    """A socket on the address of the settings. Raises InvalidInput."""
    host, port = settings.host, settings.port
    refuse_strangers(host, settings)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        expected = f"cannot be listened on: {error.strerror}; --host and --port choose another address"
        raise InvalidInput("address", f"{host}:{port}", expected) from error


def address_of(socket_name: Any) -> str:
    """``http://127.0.0.1:5001`` from what a listening socket says of itself."""
    host, port = socket_name[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def begin(service: ScannerService, address: str) -> None:
    """Start scanning where the settings say so, and say what can be tried; what was being scanned comes first."""
    api = f"{address}/api/scanner"
    run = service.resume()
    if run is None and service.settings.autostart:
        run = service.start(service.order())
    if run is None:
        log.info("nothing is being scanned yet; try: curl -X POST %s/continuous/start", api)
        return
    inside = [exchange for exchange in run.order.exchanges if exchange in EMBEDDED]
    if inside:
        log.info("%s: an exchange inside this process; its data are not real and say so", ", ".join(inside))
    log.info("three things to try:")
    log.info('  curl "%s/continuous/signals?min_score=60&limit=20"', api)
    log.info('  curl "%s/continuous/confluence/BTC/USDT"', api)
    log.info('  curl "%s/continuous/status"', api)


def announce_first_signals(service: ScannerService, stopping: threading.Event) -> None:
    """Log the best of the first signals as soon as there are any."""
    waited = 0.0
    while service.running and waited < FIRST_SIGNALS_S and not stopping.wait(0.25):
        waited += 0.25
        try:
            found = service.signals(SignalQuery(limit=5))
        except NotRunning:
            return
        if not found:
            continue
        log.info("first signals:")
        for record in found:
            log.info(
                "  %s:%s %s %s, score %.1f",
                record["exchange"],
                record["symbol"],
                record["timeframe"],
                record["signal_type"],
                record["combined_score"] or 0.0,
            )
        return
