"""Who may change something: callers that know the key, when one is set, and no page of a strange site.

Reading stays open.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request

from scanner.api.rendering import error_body
from scanner.errors import shown

READING = frozenset({"GET", "HEAD", "OPTIONS"})  # OPTIONS: a browser's preflight carries no key
SCHEME = "bearer"


def require_key(app: Flask, key: str) -> None:
    """Refuse every request that may change something and does not carry ``Authorization: Bearer <key>``."""

    @app.before_request
    def refuse() -> Response | None:
        given = request.headers.get("Authorization", "")
        if request.method in READING or is_authorized(given, key):
            return None
        return refusal(given)


def refuse_strange_pages(app: Flask, origins: Sequence[str], host: str) -> None:
    """Refuse requests that may change something and come from a web page that is neither named nor our own.

    A browser sends such a request even where it hides the answer from the page. Our own are the pages of the address
    that was asked, if that is `host`, which we listen on, localhost or a number: a name of somebody else may be made to
    point here, and then its pages and their requests agree on it.
    """

    @app.before_request
    def refuse() -> tuple[Response, int] | None:
        origin = request.headers.get("Origin")
        if origin is None or request.method in READING or origin in origins or is_ours(origin):
            return None
        message = f"Pages of {shown(origin)} may not change anything here; SCANNER_CORS_ORIGINS names those that may."
        return jsonify(error_body("Forbidden", message)), 403

    def is_ours(origin: str) -> bool:
        if origin != request.host_url.rstrip("/"):
            return False
        name = urlsplit(origin).hostname or ""
        return name in ("localhost", host.lower()) or is_address(name)


def is_address(name: str) -> bool:
    """Whether a host is told by its number."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_authorized(header: str, key: str) -> bool:
    """Whether an Authorization header carries `key`; takes equally long for every wrong key of one length."""
    scheme, _, token = header.partition(" ")
    same = hmac.compare_digest(token.strip().encode(), key.encode())
    return scheme.lower() == SCHEME and same


def refusal(header: str) -> Response:
    """401; tells a caller without a key from one with a wrong key, as RFC 6750 asks, and repeats neither."""
    if not header:
        challenge, message = "Bearer", "This needs the API key: Authorization: Bearer <key>."
    else:
        challenge, message = 'Bearer error="invalid_token"', "This is not the API key."
    answer = jsonify(error_body("Unauthorized", message))
    answer.status_code = 401
    answer.headers["WWW-Authenticate"] = challenge
    return answer
