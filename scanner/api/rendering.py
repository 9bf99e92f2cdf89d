"""What goes out over HTTP: JSON a browser accepts, and one shape for every error."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, Response, jsonify
from flask.json.provider import JSONProvider
from werkzeug.exceptions import HTTPException

from scanner.errors import (
    Busy,
    ExchangeFailure,
    FolderInUse,
    InvalidInput,
    NothingStored,
    NotRunning,
    ScannerError,
    StoreFailure,
    UnknownExchange,
)

log = logging.getLogger(__name__)

NOT_RUNNING = "Scanner not running"  # clients compare this text
STATUS_OF: tuple[tuple[type[ScannerError], int, str], ...] = (
    (InvalidInput, 400, "Invalid input"),
    (UnknownExchange, 400, "Unknown exchange"),
    (NothingStored, 404, "Nothing stored"),
    (FolderInUse, 409, "Data folder in use"),
    (Busy, 429, "Busy"),
    (StoreFailure, 503, "Storage failure"),
    (ExchangeFailure, 502, "Exchange failure"),
    (NotRunning, 503, NOT_RUNNING),
    (ScannerError, 500, "Scanner error"),
)


class OrjsonProvider(JSONProvider):
    """JSON without NaN or Infinity: they become null; numpy numbers and arrays are taken as they are."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return orjson.dumps(obj, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)


def utc_now() -> str:
    return datetime.now(UTC).isoformat()


def error_body(error: str, message: str) -> dict[str, Any]:
    return {"error": error, "message": message}


def register_errors(app: Flask) -> None:
    """One look-up from errors to answers for the whole application."""

    @app.errorhandler(ScannerError)
    def ours(error: ScannerError) -> tuple[Response, int]:
        status, title = next((status, title) for kind, status, title in STATUS_OF if isinstance(error, kind))
        if status == 500:
            log.error("request failed: %s", error, exc_info=error)
        elif isinstance(error, StoreFailure):
            log.error("request failed: %s", error)
        return jsonify(error_body(title, str(error))), status

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error_body(error.name, error.description or error.name)), error.code or 500

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> tuple[Response, int]:
        log.error("request failed unforeseen", exc_info=error)  # the request boundary
        return jsonify(error_body("Internal error", "The cause is in the log.")), 500
