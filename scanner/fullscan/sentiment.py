"""The mood of the market, from two public services; never needed, off unless asked for."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import requests

log = logging.getLogger(__name__)

FEAR_GREED_URL = "https://api.alternative.me/fng/"
DOMINANCE_URL = "https://pro-api.coinmarketcap.com/v1/global-metrics/quotes/latest"
TIMEOUT_S = 3.0
MOST_BYTES = 65_536


def fear_greed(url: str = FEAR_GREED_URL, timeout_s: float = TIMEOUT_S) -> float | None:
    """The fear and greed index, 0 (fear) to 100; None when it is not to be had, which is only logged."""
    return _looked_up(url, {}, timeout_s, ("data", 0, "value"))


def btc_dominance(key: str, url: str = DOMINANCE_URL, timeout_s: float = TIMEOUT_S) -> float | None:
    """Bitcoin's share of the whole market in percent; `key` opens the service. None as above."""
    return _looked_up(url, {"X-CMC_PRO_API_KEY": key}, timeout_s, ("data", "btc_dominance"))


def _looked_up(url: str, headers: Mapping[str, str], timeout_s: float, path: tuple[str | int, ...]) -> float | None:
    """A number from 0 to 100 at `path` in the JSON of `url`."""
    try:
        found: Any = json.loads(_body(url, headers, timeout_s))
        for step in path:
            found = found[step]
        number = float(found)
    except (requests.RequestException, TimeoutError, ValueError, LookupError, TypeError) as error:
        log.warning("sentiment: %s: %s", url, type(error).__name__)
        return None
    return number if 0 <= number <= 100 else None


def _body(url: str, headers: Mapping[str, str], timeout_s: float) -> bytes:
    """What `url` answers; whole within the time-out, however slowly it drips."""
    until = time.monotonic() + timeout_s
    with requests.get(url, headers=dict(headers), timeout=timeout_s, stream=True) as answer:
        answer.raise_for_status()
        body = bytearray()
        for byte in answer.iter_content(1):
            body += byte
            if time.monotonic() > until or len(body) > MOST_BYTES:
                raise TimeoutError
    return bytes(body)
