"""What comes in over HTTP, as checked values. Refuses; never repairs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from scanner.errors import InvalidInput
from scanner.runtime.freshness_report import FreshnessQuery
from scanner.runtime.query import SignalQuery
from scanner.store.moments import moment_ms

LONGEST_BODY = 1_000_000  # bytes; 5,000 symbols need a tenth of it
LONGEST_NUMBER = 40  # characters
_LOST_PLUS = re.compile(r"(.*T.*) (\d\d:?\d\d)", re.ASCII)


@dataclass(frozen=True)
class Number:
    """A numeric query parameter: its name, default and inclusive range."""

    name: str
    default: float
    low: float
    high: float
    whole: bool = False

    def of(self, arguments: Mapping[str, str]) -> float:
        """The parameter's value, its default when absent. Raises InvalidInput."""
        text = arguments.get(self.name)
        if text is None:
            return self.default
        value = self._read(text)
        if not self.low <= value <= self.high:
            kind = "a whole number" if self.whole else "a number"
            raise InvalidInput(self.name, text, f"is not {kind} from {self.low:g} to {self.high:g}")
        return value

    def _read(self, text: str) -> float:
        """NaN for what is no number; Python would also read 1_0 and digits of other scripts."""
        if len(text) > LONGEST_NUMBER or "_" in text or not text.isascii():
            return math.nan
        try:
            return int(text) if self.whole else float(text)
        except ValueError:
            return math.nan


MIN_SCORE = Number("min_score", 0, 0, 100)
CONFLUENCE_MIN_SCORE = Number("min_score", 60, 0, 100)
LIMIT = Number("limit", 50, 0, 10_000, whole=True)
ROWS = Number("limit", 100, 0, 100_000, whole=True)
FLAGS = {"true": True, "1": True, "false": False, "0": False}
DAYS = Number("days", 30, 1, 3650, whole=True)


def choice(name: str, words: tuple[str, ...], arguments: Mapping[str, str]) -> str:
    """The parameter's value, the first of `words` when absent. Raises InvalidInput."""
    text = arguments.get(name, words[0])
    if text not in words:
        raise InvalidInput(name, text, f"is not one of {', '.join(words)}")
    return text


def flag(name: str, arguments: Mapping[str, str]) -> bool:
    """Whether a parameter is set, no when absent. Raises InvalidInput."""
    text = arguments.get(name, "false")
    if text.lower() not in FLAGS:
        raise InvalidInput(name, text, f"is not one of {', '.join(FLAGS)}")
    return FLAGS[text.lower()]


def moment(name: str, arguments: Mapping[str, str]) -> int | None:
    """The parameter's moment in epoch ms, None when absent; a plus sign of an address reads as a space.

    So a time from one of our answers, which end in ``+00:00``, may be pasted as it is. Raises InvalidInput.
    """
    text = arguments.get(name)
    if text is None:
        return None
    found = moment_ms(_LOST_PLUS.sub(r"\1+\2", text))
    if found is None:
        raise InvalidInput(name, text, "is not a moment such as '2025-10-24T12:00:00Z'")
    return found


def signal_query(arguments: Mapping[str, str]) -> SignalQuery:
    """The filters of ``/signals``. Raises InvalidInput."""
    return SignalQuery(
        symbol=arguments.get("symbol"),
        timeframe=arguments.get("timeframe"),
        min_score=MIN_SCORE.of(arguments),
        limit=int(LIMIT.of(arguments)),
    )


def freshness_query(arguments: Mapping[str, str]) -> FreshnessQuery:
    """The filters of ``/freshness``. Raises InvalidInput."""
    texts = {name: arguments.get(name) for name in ("exchange", "symbol", "timeframe", "state")}
    return FreshnessQuery(**texts, limit=int(ROWS.of(arguments)))


def json_object(body: bytes, known: tuple[str, ...]) -> dict[str, object]:
    """The object in a request body, whatever its content type says; a blank body is the empty object.

    Raises
    ------
    InvalidInput
        The body is no JSON, no object, or has a key that is not in `known`.
    """
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", body[:80].decode("utf-8", "replace"), f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput("body", body[:80].decode("utf-8", "replace"), "is not a JSON object")
    for key in value:
        if key not in known:
            raise InvalidInput(key[:60] or "''", value[key], f"is unknown here; known are {', '.join(known)}")
    return value
