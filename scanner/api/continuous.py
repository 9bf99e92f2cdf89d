"""The continuous scanner's routes, and the health check: parse, call, render."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from scanner.api.parsing import CONFLUENCE_MIN_SCORE, freshness_query, json_object, signal_query
from scanner.api.rendering import NOT_RUNNING, error_body, utc_now
from scanner.config import StreamConfig
from scanner.errors import NotRunning
from scanner.runtime.service import ScannerService
from scanner.universe import Universe

Answer = Response | tuple[Response, int]


def continuous_routes(service: ScannerService) -> Blueprint:
    """A blueprint that answers from `service`."""
    routes = Blueprint("continuous", __name__, url_prefix="/api/scanner")

    @routes.post("/continuous/start")
    def start() -> Answer:
        body = json_object(request.get_data(), ("symbols", "universe", "exchanges", "config"))
        config = StreamConfig.from_mapping(body["config"]) if body.get("config") is not None else None
        universe = Universe.from_mapping(body["universe"]) if body.get("universe") is not None else None
        order = service.order(body.get("symbols"), body.get("exchanges"), config, universe)
        run = service.start(order)
        if run is None:
            return jsonify(status="already_running", message="A scan is already running; stop it first.")
        return jsonify(
            status="started",
            symbols=list(run.order.symbols),
            universe=run.order.universe.as_dict() if run.order.universe is not None else None,
            exchanges=list(run.order.exchanges),
            timeframes=run.order.config.styles,
            warnings=list(run.order.warnings),
            message="Scanning; status shows how each exchange is doing.",
        )

    @routes.post("/continuous/stop")
    def stop() -> Answer:
        if service.stop():
            return jsonify(status="stopped", message="Stopped; what was found stays readable.")
        return jsonify(status="not_running", message="Nothing was running.")

    @routes.get("/continuous/status")
    def status() -> Answer:
        return jsonify(service.status())

    @routes.get("/continuous/signals")
    def signals() -> Answer:
        try:
            found = service.signals(signal_query(request.args))
        except NotRunning as error:
            return jsonify({**error_body(NOT_RUNNING, str(error)), "signals": []}), 503
        return jsonify(signals=found, count=len(found), timestamp=utc_now())

    @routes.get("/continuous/confluence/<path:symbol>")
    def confluence(symbol: str) -> Answer:
        return jsonify(service.confluence(symbol, CONFLUENCE_MIN_SCORE.of(request.args)))

    @routes.get("/continuous/market-state")
    def market_state() -> Answer:
        return jsonify(market_state=service.market_state(), timestamp=utc_now())

    @routes.get("/continuous/freshness")
    def freshness() -> Answer:
        found = service.freshness(freshness_query(request.args))
        return jsonify(**found, count=len(found["markets"]), timestamp=utc_now())

    return routes


def health_routes(service: ScannerService) -> Blueprint:
    """``/health``: cheap, and independent of every exchange. ``/ready``: whether what is shown can be relied on."""
    routes = Blueprint("health", __name__)

    @routes.get("/health")
    def health() -> Answer:
        return jsonify(status="healthy", service="scanner-api", timestamp=utc_now())

    @routes.get("/ready")
    def ready() -> Answer:
        reasons = service.unready()
        return jsonify(ready=not reasons, reasons=reasons, timestamp=utc_now()), 503 if reasons else 200

    return routes
