"""``python scanner_api.py``: serve the API on one address until told to stop."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import logging
import sys
import threading
from collections.abc import Sequence

from flask import Flask
from werkzeug.serving import make_server

from scanner.errors import InvalidInput, NotRunning, ScannerError
from scanner.runtime.query import SignalQuery
from scanner.runtime.service import ScannerService
from scanner.settings import Settings, variable

log = logging.getLogger(__name__)

FIRST_SIGNALS_S = 60.0  # how long the server watches for first signals to announce


def with_options(arguments: Sequence[str], settings: Settings) -> Settings:
    """The settings with what the command line says on top. An unknown option ends the program, as argparse does."""
    build = argparse.ArgumentParser(
        prog="scanner_api.py",
        description="Serve the scanner's HTTP API.",
        epilog="Every option is also an environment variable, SCANNER_HOST and so on; docs/ has the table.",
    )
    build.add_argument("--host", help=f"address to listen on (default: {settings.host})")
    build.add_argument("--port", type=int, help=f"port to listen on (default: {settings.port})")
    build.add_argument("--data-dir", metavar="FOLDER", help=f"training data (default: {settings.data_dir})")
    build.add_argument("--simulated", action="store_true", default=None, help="scan the simulated exchange by default")
    build.add_argument("--replay", metavar="FILE_OR_FOLDER", help="scan recorded candles by default")
    build.add_argument("--speed", type=float, metavar="N", help="market seconds per real second, simulated or replayed")
    build.add_argument("--autostart", action="store_true", default=None, help="start scanning at once")
    given = vars(build.parse_args(arguments))
    texts = {variable(name): str(value) for name, value in given.items() if value is not None}
    changed = Settings.from_env({name: "1" if text == "True" else text for name, text in texts.items()})
    chosen = {name: getattr(changed, name) for name, value in given.items() if value is not None}
    return dataclasses.replace(settings, **chosen)


def refuse_strangers(settings: Settings) -> None:
    """Refuse to listen beyond loopback without a key, unless the operator says so. Raises InvalidInput."""
    if settings.api_key or settings.allow_anonymous or settings.host == "localhost":
        return
    try:
        inside = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise InvalidInput(
            variable("host"),
            settings.host,
            "is reachable from other machines, and anybody there could start and stop scans; "
            f"set {variable('api_key')} to a secret that callers must know, or listen on 127.0.0.1, "
            f"or set {variable('allow_anonymous')}=1 if that is what you want",
        )


def serve(app: Flask, service: ScannerService, stopping: threading.Event) -> int:
    """Serve until `stopping` is set; the exit status, 2 where serving could not begin."""
    settings = service.settings
    try:
        refuse_strangers(settings)
        server = make_server(settings.host, settings.port, app, threaded=True)
    except (ScannerError, OSError, SystemExit) as error:
        print(f"scanner_api: cannot listen on {settings.host}:{settings.port}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    thread = threading.Thread(target=server.serve_forever, name="http", kwargs={"poll_interval": 0.1})
    thread.start()
    address = f"http://{settings.host}:{server.server_port}"
    try:
        log.info("listening on %s", address)
        begin(service, address)
        announce_first_signals(service, stopping)
        stopping.wait()
    except ScannerError as error:
        print(f"scanner_api: {error}", file=sys.stderr)  # noqa: T201
        return 2
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        service.close()
        log.info("ended")
    return 0


def begin(service: ScannerService, address: str) -> None:
    """Start scanning where the settings say so, and say what can be tried."""
    api = f"{address}/api/scanner"
    if not service.settings.autostart:
        log.info("nothing is being scanned yet; try: curl -X POST %s/continuous/start", api)
        return
    order = service.order()
    service.start(order)
    kind = "the embedded simulated exchange: none of it is real" if service.settings.simulated else "exchanges"
    log.info("scanning %d symbols on %s (%s)", len(order.symbols), ", ".join(order.exchanges), kind)
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
