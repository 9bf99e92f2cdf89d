"""gunicorn configuration: ``gunicorn scanner_api:app`` from this folder.

One worker: the scanner lives in the process that serves it, and two would scan, spend request weight and write files
twice. Threads serve requests beside it. Requests are not counted: recycling a worker would stop its scan.
"""

import os
import signal
import sys
import time
from typing import Any

_host, _port = os.environ.get("SCANNER_HOST", "127.0.0.1"), os.environ.get("SCANNER_PORT", "5001")
bind = f"[{_host}]:{_port}" if ":" in _host else f"{_host}:{_port}"
workers = os.environ.get("WEB_CONCURRENCY", "1")  # what is asked for there is refused rather than passed over
worker_class = "gthread"
threads = 16
keepalive = 75  # seconds; whoever polls once a minute keeps the connection, and an idle one takes no thread
max_requests = 0
timeout = 60
graceful_timeout = 8
preload_app = False  # threads do not survive a fork
control_socket_disable = True  # it would be one for all servers of a user, and could add workers

BOOT_FAILED = 3  # the exit status by which a worker tells gunicorn not to try again


def on_starting(server: Any) -> None:
    """Refuse what would break the scanner, before any worker exists."""
    from scanner.errors import ScannerError

    try:
        reason = _unfit(server.cfg)
    except ScannerError as error:
        reason = str(error)
    if reason:
        server.log.error("refusing to start: %s", reason)
        sys.exit(2)


def _unfit(cfg: Any) -> str:
    """Why this configuration cannot serve the scanner, '' when it can; wrong settings raise InvalidInput."""
    from scanner.api.server import refuse_strangers
    from scanner.settings import Settings

    if cfg.workers != 1:
        return (
            f"workers: {cfg.workers} is not 1; each worker would run a scanner of its own, spend request weight twice "
            "and fight over the data folder. Raise --threads instead."
        )
    if cfg.preload_app:
        return "preload_app: the scanner's threads would be left behind in the master process; leave it off."
    settings = Settings.from_env(os.environ)
    for address in cfg.address:
        if isinstance(address, tuple):
            refuse_strangers(address[0], settings, "bind")
    return ""


def post_worker_init(worker: Any) -> None:
    """Begin scanning where SCANNER_AUTOSTART says so; answer whoever waits for a scan when the worker is to end."""
    import scanner_api
    from scanner.api.interpreter import share_interpreter
    from scanner.api.server import address_of, begin
    from scanner.api.sparing import SparingSocket
    from scanner.errors import FolderInUse, ScannerError

    share_interpreter()
    for listener in worker.sockets:
        listener.sock = SparingSocket(listener.sock, each=2)  # it waits for the first request by a selector
    _answer_who_waits(scanner_api.service)
    names = [listener.getsockname() for listener in worker.sockets]
    address = next((address_of(name) for name in names if isinstance(name, tuple)), f"http://{bind}")
    ends = time.monotonic() + graceful_timeout + 2  # on a reload the worker before this one still owns the data folder
    while True:
        try:
            return begin(scanner_api.service, address)
        except FolderInUse as error:
            if time.monotonic() > ends:
                worker.log.error("cannot scan: %s", error)
                sys.exit(BOOT_FAILED)
            time.sleep(0.25)
        except ScannerError as error:
            worker.log.error("cannot scan: %s", error)
            sys.exit(BOOT_FAILED)


def nworkers_changed(server: Any, new_value: int, old_value: int | None) -> None:
    """Stay at one worker when a signal asks for more."""
    if old_value is not None and new_value > 1:
        server.log.error("staying at one worker: each would run a scanner of its own")
        server.num_workers = 1


def pre_exec(server: Any) -> None:
    """Stay at one master when SIGUSR2 asks for a second beside it; this runs in the process that would become it."""
    server.log.error("staying at one master: a second one would scan beside the first; SIGHUP reloads")
    os._exit(0)  # what the first master owns is not to be cleared away here


def _answer_who_waits(service: Any) -> None:
    """Have requests that wait for a scan answered as soon as the worker is to end."""
    end = signal.getsignal(signal.SIGTERM)

    def ending(number: int, frame: Any) -> None:
        service.base.end()
        if callable(end):
            end(number, frame)

    signal.signal(signal.SIGTERM, ending)


def worker_exit(server: Any, worker: Any) -> None:
    """End all scans with their worker."""
    import scanner_api

    scanner_api.service.close()
