"""Which query parameters each route knows; any other is refused, and so is one without a value, in one place for all.

An answer to a misspelt filter would look like an answer to the filter, and one to ``exchange=$EXCHANGE`` with the
variable unset like one to everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Flask, request

from scanner.errors import InvalidInput

KNOWN: Mapping[str, tuple[str, ...]] = {  # by endpoint; a route that is not here takes none
    "base.signals": ("exchange", "timeframe", "signal", "minStrength"),
    "continuous.signals": ("symbol", "timeframe", "min_score", "limit"),
    "continuous.confluence": ("min_score",),
    "continuous.freshness": ("exchange", "symbol", "timeframe", "state", "limit"),
    "training.training_data": ("days", "exchange", "timeframe", "final_only", "format", "part"),
    "training.features": ("days", "exchange", "timeframe", "timeframes", "as_of", "by", "format"),
    "gaps.gaps": ("exchange", "symbol", "cause", "days", "limit"),
}
CACHE_BUSTER = "_"  # libraries of browsers add it to get past caches; it asks for nothing


def refuse_unknown_parameters(app: Flask) -> None:
    """Refuse requests with a query parameter that their route does not know, that is empty, or that is given twice."""

    @app.before_request
    def refuse() -> None:
        if request.endpoint is not None and request.method != "OPTIONS":  # a preflight only asks whether it may ask
            check_parameters(dict(request.args.lists()), KNOWN.get(request.endpoint, ()))


def check_parameters(given: Mapping[str, Sequence[str]], known: Sequence[str]) -> None:
    """Raises InvalidInput for the first of `given`, values by name, that is unknown, empty or has several values."""
    for name, values in given.items():
        if name == CACHE_BUSTER:
            continue
        if name not in known:
            here = f"known are {', '.join(known)}" if known else "this route takes no query parameters"
            raise InvalidInput(ascii(name[:60])[1:-1] or "''", values[0], f"is unknown here; {here}")
        if len(values) > 1:
            raise InvalidInput(name, list(values), "is given more than once")
        if not values[0].strip():
            raise InvalidInput(name, values[0], "is empty; leave it out where it is to be as if it was not there")
