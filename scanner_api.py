"""The HTTP API: ``python scanner_api.py``, or ``gunicorn scanner_api:app``.

`app` starts nothing by itself; POST a start, or set SCANNER_AUTOSTART=1.
"""

from __future__ import annotations

import os
import sys

from scanner.api.app import create_app
from scanner.api.server import serve, with_options
from scanner.commandline import refused
from scanner.errors import ScannerError
from scanner.logs import set_up_logging, stop_on_signals
from scanner.runtime.service import ScannerService
from scanner.settings import Settings

try:
    settings = Settings.from_env(os.environ)
    if __name__ == "__main__":
        settings = with_options(sys.argv[1:], settings)
except ScannerError as error:
    sys.exit(refused("scanner_api", error))

set_up_logging(settings.log_level)
service = ScannerService(settings)
app = create_app(service)

if __name__ == "__main__":
    sys.exit(serve(app, service, stop_on_signals()))
