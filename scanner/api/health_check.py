"""``python -m scanner.api.health_check``: does the API of this machine answer? For containers, which have no curl.

Exit status 0 when ``/health`` says healthy, 1 otherwise. Nothing but the standard library is loaded.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping

DEFAULT_PORT, TIMEOUT_S = "5001", 4.0


def is_healthy(environ: Mapping[str, str]) -> bool:
    """Ask the port that SCANNER_PORT names, on the loopback address and past every proxy."""
    try:
        port = int(environ.get("SCANNER_PORT", DEFAULT_PORT))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.request("GET", "/health")
        response = connection.getresponse()
        return response.status == 200 and json.loads(response.read())["status"] == "healthy"
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(0 if is_healthy(os.environ) else 1)
