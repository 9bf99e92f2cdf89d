"""Training data over HTTP, as long as they are: what is held in memory at once is bounded.

What can go wrong is found before the first byte, and answered as everywhere. Should a file become unreadable within an
answer, the connection is broken off: the answer has no end, in no format.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, request

from scanner.api import formats
from scanner.api.parsing import DAYS, choice, flag, moment
from scanner.errors import Busy, InvalidInput
from scanner.runtime.service import ScannerService
from scanner.settings import listed
from scanner.store import flat
from scanner.store.past import CLOCKS

log = logging.getLogger(__name__)

AT_ONCE = 6  # answers; each takes a thread of the server and some 30 MB


def training_routes(service: ScannerService) -> Blueprint:
    """A blueprint that answers from `service`."""
    routes = Blueprint("training", __name__, url_prefix="/api/scanner")
    seats = threading.BoundedSemaphore(AT_ONCE)

    @routes.get("/training-data/<path:symbol>")
    def training_data(symbol: str) -> Response:
        days, kind = int(DAYS.of(request.args)), choice("format", formats.FORMATS, request.args)
        part = choice("part", tuple(flat.PARTS), request.args)
        if kind == "json" and "part" in request.args:
            raise InvalidInput("part", part, "is for csv and parquet; JSON holds all parts")
        with _Seat(seats) as seat:
            selection = service.kept.training_data(
                symbol,
                days,
                request.args.get("exchange"),
                request.args.get("timeframe"),
                final_only=flag("final_only", request.args),
            )
            if kind == "json":
                pieces = formats.dataset_json({"symbol": symbol, "days": days}, selection)
            else:
                pieces = getattr(formats, kind)(flat.tables(selection, part))
            return _answer(pieces, kind, seat)

    @routes.get("/training-data/<path:symbol>/features")
    def features(symbol: str) -> Response:
        days, kind = int(DAYS.of(request.args)), choice("format", formats.FORMATS, request.args)
        with _Seat(seats) as seat:
            table = service.kept.features(
                symbol,
                days,
                request.args.get("exchange"),
                request.args.get("timeframe"),
                moment("as_of", request.args),
                choice("by", tuple(CLOCKS), request.args),
                listed(request.args["timeframes"], "timeframes") if "timeframes" in request.args else None,
            )
            if kind == "json":
                pieces = formats.rows_json({"symbol": symbol, "days": days}, [table])
            else:
                pieces = getattr(formats, kind)(flat.regrouped([table], table.schema))
            return _answer(pieces, kind, seat)

    return routes


class _Seat:
    """A place among those who are answered: given back at the end of an answer, or where there is none."""

    def __init__(self, seats: threading.BoundedSemaphore) -> None:
        self._seats, self._kept = seats, False

    def __enter__(self) -> _Seat:
        if not self._seats.acquire(blocking=False):
            raise Busy(f"{AT_ONCE} answers with training data are on their way; try again when one has arrived")
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self._seats.release()

    def keep_until_closed(self, response: Response) -> None:
        self._kept = True
        response.call_on_close(self._seats.release)


def _answer(pieces: Iterator[bytes], kind: str, seat: _Seat) -> Response:
    """An answer that is made while it is sent."""
    first = next(pieces)  # what fails at once fails with a status
    pieces = _logged(chain([first], pieces))
    packs = kind != "parquet" and request.accept_encodings["gzip"] > 0
    response = Response(formats.packed(pieces) if packs else pieces, content_type=formats.MIME[kind])
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    if kind != "parquet":
        response.vary.add("Accept-Encoding")
    seat.keep_until_closed(response)
    return response


def _logged(pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except Exception:  # the request boundary: nothing but the end of the connection can tell the client
        log.exception("an answer was broken off")
        raise
