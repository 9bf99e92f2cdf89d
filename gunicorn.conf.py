"""gunicorn configuration: ``gunicorn scanner_api:app`` from this folder.

One worker: the scanner lives in the process that serves it, and two would scan, spend request weight and write files
twice. Threads serve requests beside it. Requests are not counted: recycling a worker would stop its scan.
"""

import os
import signal
from typing import Any

bind = f"{os.environ.get('SCANNER_HOST', '127.0.0.1')}:{os.environ.get('SCANNER_PORT', '5001')}"
workers = 1
worker_class = "gthread"
threads = 16
max_requests = 0
timeout = 60
graceful_timeout = 8
preload_app = False  # threads do not survive a fork
control_socket_disable = True  # it could raise the number of workers, and wants a home folder to lie in


def on_starting(server: Any) -> None:
    """Refuse what would break the scanner, before any worker exists."""
    from gunicorn.errors import HaltServer

    from scanner.api.server import refuse_strangers
    from scanner.errors import ScannerError
    from scanner.settings import Settings

    reason = None
    if server.cfg.workers != 1:
        reason = (
            f"workers: {server.cfg.workers} is not 1; each worker would run a scanner of its own, spend request weight "
            "twice and fight over the data folder. Raise --threads instead."
        )
    elif server.cfg.preload_app:
        reason = "preload_app: the scanner's threads would be left behind in the master process; leave it off."
    try:
        for address in server.cfg.address:
            if isinstance(address, tuple):
                refuse_strangers(Settings.from_env({**os.environ, "SCANNER_HOST": address[0]}))
    except ScannerError as error:
        reason = str(error)
    if reason:
        server.log.error("refusing to start: %s", reason)
        raise HaltServer(reason, 2)


def post_worker_init(worker: Any) -> None:
    """Begin scanning where SCANNER_AUTOSTART says so; answer whoever waits for a scan when the worker is to end."""
    import scanner_api
    from scanner.api.server import begin

    end = signal.getsignal(signal.SIGTERM)

    def ending(number: int, frame: Any) -> None:
        scanner_api.service.base.end()
        if callable(end):
            end(number, frame)

    signal.signal(signal.SIGTERM, ending)
    begin(scanner_api.service, f"http://{bind}")


def worker_exit(server: Any, worker: Any) -> None:
    """End all scans with their worker."""
    import scanner_api

    scanner_api.service.close()
