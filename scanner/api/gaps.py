"""The gap ledger over HTTP: which stretches of time have no candles, and why."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from scanner.api.parsing import DAYS, LIMIT
from scanner.api.rendering import utc_now
from scanner.errors import InvalidInput
from scanner.markets import EXCHANGE
from scanner.runtime.service import ScannerService
from scanner.store.gaps import CAUSES


def gap_routes(service: ScannerService) -> Blueprint:
    """A blueprint that answers from `service`."""
    routes = Blueprint("gaps", __name__, url_prefix="/api/scanner")

    @routes.get("/continuous/gaps")
    def gaps() -> Response:
        exchange, cause = request.args.get("exchange"), request.args.get("cause")
        if exchange is not None and not EXCHANGE.fullmatch(exchange):
            raise InvalidInput("exchange", exchange, "is not an exchange id such as 'binance'")
        if cause is not None and cause not in CAUSES:
            raise InvalidInput("cause", cause, f"is not one of {', '.join(CAUSES)}")
        found = service.kept.gaps(exchange, request.args.get("symbol"), cause, int(DAYS.of(request.args)))
        shown = found[: int(LIMIT.of(request.args))]
        return jsonify(gaps=shown, count=len(shown), total=len(found), timestamp=utc_now())

    return routes
