"""The base routes: scans on demand, one symbol on several timeframes, position sizes. Parse, call, render."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, jsonify, request

from scanner.api.base_parsing import (
    AGREEMENT_KEYS,
    SCAN_KEYS,
    SignalFilter,
    flag,
    number_from,
    signal_filter,
    signal_of,
)
from scanner.api.base_reports import metadata_of
from scanner.api.base_signals import filters_offered, select, signals_of
from scanner.api.parsing import json_object
from scanner.api.rendering import error_body, utc_now
from scanner.errors import InvalidInput
from scanner.fullscan.position import DEFAULTS as POSITION_DEFAULTS
from scanner.fullscan.position import calculate_position
from scanner.runtime.base.jobs import Ticket
from scanner.runtime.base.scans import BaseScans
from scanner.runtime.base.table import ScanOrder, ScanReport

Answer = Response | tuple[Response, int]

DEFAULT_SYMBOL = "BTC/USDT"
DEFAULT_TIMEFRAMES = ["short", "medium", "daily"]
PRICES = ("entryPrice", "stopLoss")
BAD_PRICES = "Invalid entry price or stop loss"  # clients compare this text


def base_routes(scans: BaseScans) -> Blueprint:
    """A blueprint that answers from `scans`."""
    routes = Blueprint("base", __name__, url_prefix="/api")
    timeframe_of = scans.orders.timeframe_of

    @routes.post("/scanner/scan")
    def scan() -> Answer:
        body = json_object(request.get_data(), SCAN_KEYS)
        order = scans.orders.scan(
            body.get("exchange"),
            body.get("timeframe"),
            flag(body, "fullAnalysis", True),
            flag(body, "parallel", False),
        )
        wanted = SignalFilter(
            signal=signal_of(body.get("signal")), min_strength=number_from(body, "minStrength", 50.0, 0, 100)
        )
        waits = flag(body, "sync", False)
        ticket, report = scans.wait_for(order) if waits else (scans.submit(order), None)
        return jsonify(_found(report, wanted)) if report is not None else (jsonify(_accepted(order, ticket)), 202)

    def _found(report: ScanReport, wanted: SignalFilter) -> dict[str, Any]:
        began = time.monotonic()
        signals = select(signals_of(report.rows), wanted, _interval)
        return {
            "signals": signals,
            "metadata": metadata_of(report, len(signals), wanted, time.monotonic() - began),
        }

    def _interval(timeframe: str) -> str:
        return timeframe_of(timeframe, "timeframe")

    @routes.get("/scanner/signals")
    def signals() -> Answer:
        wanted = signal_filter(request.args, timeframe_of)
        table = scans.table
        found = select(signals_of(table.rows), wanted, _interval)
        about: dict[str, Any] = {"count": len(found), "last_scan": table.last_scan and table.last_scan.isoformat()}
        if not table.by_exchange:
            about["message"] = "Nothing has been scanned yet; POST /api/scanner/scan first."
        return jsonify(signals=found, filters=filters_offered(table.by_exchange), metadata=about)

    @routes.get("/scanner/status")
    def status() -> Answer:
        return jsonify(**scans.status(), timestamp=utc_now())

    @routes.post("/scanner/initialize")
    def initialize() -> Answer:
        body = json_object(request.get_data(), ("exchange",))
        exchange = scans.orders.exchange(body.get("exchange"))
        about = {"exchange": exchange, "timestamp": utc_now()}
        if not scans.initialize(exchange):
            return jsonify(status="already_initialized", message="An exchange has answered already.", **about)
        message, note = f"Trying {exchange}.", "GET /api/scanner/status tells when it has answered."
        return jsonify(status="accepted", message=message, note=note, **about), 202

    @routes.post("/scanner/reset")
    def reset() -> Answer:
        scans.reset()
        return jsonify(status="reset", message="What scans had found is forgotten.", timestamp=utc_now())

    @routes.post("/scanner/multi-timeframe")
    def multi_timeframe() -> Answer:
        body = json_object(request.get_data(), AGREEMENT_KEYS)
        symbol, timeframes = body.get("symbol"), body.get("timeframes")
        least = number_from(body, "minOpportunity", 65.0, 0, 100)
        return jsonify(
            scans.agreement(
                DEFAULT_SYMBOL if symbol is None else symbol,
                DEFAULT_TIMEFRAMES if timeframes is None else timeframes,
                least,
            )
        )

    @routes.post("/position/calculate")
    def position() -> Answer:
        body = json_object(request.get_data(), tuple(POSITION_DEFAULTS))
        try:
            return jsonify(calculate_position({key: value for key, value in body.items() if value is not None}))
        except InvalidInput as error:
            if error.field not in PRICES:
                raise
            return jsonify(error_body(BAD_PRICES, str(error))), 400

    return routes


def _accepted(order: ScanOrder, ticket: Ticket) -> dict[str, Any]:
    """The answer to a scan that goes on in the background; the same one asked twice is one scan."""
    names = ", ".join(order.exchanges)
    ahead = f" {ticket.ahead} before it." if ticket.ahead else ""
    return {
        "status": "already_scanning" if ticket.joined else "accepted",
        "message": f"This scan of {names} is on its way already." if ticket.joined else f"Scanning {names}.{ahead}",
        "mode": order.mode,
        "exchanges": list(order.exchanges),
        "timeframe": order.timeframe,
        "timestamp": utc_now(),
        "note": "GET /api/scanner/status: scanning turns false when it has ended; last_error tells what failed.",
    }
