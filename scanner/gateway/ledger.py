"""The account of one exchange's request weight, as the processes of a host keep it together: values, no file.

Times are epoch seconds, so that they hold in every process and after a restart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

FORMAT = "request weight 1"
AHEAD_S = 5.0  # a time further ahead than this was written under another clock


@dataclass(frozen=True)
class Share:
    """What one process has spent or may spend any moment, and what is still kept for its prices."""

    told_at: float
    spent: tuple[tuple[float, int], ...] = ()  # (when, weight); what may still be spent, at the time it lapses
    kept: int = 0

    def recent(self, now: float, window_s: float) -> Share:
        """Without what has left the window; nothing lies further ahead than any process reserves."""
        spent = tuple((min(at, now + AHEAD_S), weight) for at, weight in self.spent if now - at < window_s)
        return replace(self, spent=spent, told_at=min(self.told_at, now))


@dataclass(frozen=True)
class Closed:
    """The exchange has shut this host out until a time; `kind` is ``banned`` or ``limited``."""

    until: float
    kind: str
    cause: str


@dataclass(frozen=True)
class Ledger:
    """The shares of all processes, by a name each gives itself, and whether the exchange is closed to them."""

    shares: Mapping[str, Share] = field(default_factory=dict)
    closed: Closed | None = None

    def told(self, name: str, share: Share, closed: Closed | None, now: float, window_s: float) -> Ledger:
        """With what one process tells, without what is over; of two closures the longer one holds."""
        shares = {who: share.recent(now, window_s) for who, share in {**self.shares, name: share}.items()}
        alive = {who: share for who, share in shares.items() if share.spent or now - share.told_at < window_s}
        return Ledger(alive, _longer(self.closed, closed, now))

    def others(self, name: str) -> list[tuple[float, int]]:
        """What the other processes have spent or may spend."""
        return [entry for who, share in self.shares.items() if who != name for entry in share.spent]

    def kept_by_others(self, name: str) -> int:
        """What is kept for the prices of the other processes."""
        return sum(share.kept for who, share in self.shares.items() if who != name)

    def written(self) -> str:
        """As JSON, which `read_ledger` reads."""
        shares = {name: [share.told_at, share.kept, share.spent] for name, share in self.shares.items()}
        closed = None if self.closed is None else [self.closed.until, self.closed.kind, self.closed.cause]
        return json.dumps({"format": FORMAT, "shares": shares, "closed": closed})


def read_ledger(text: str, now: float, longest_s: float) -> Ledger:
    """The ledger that `text` holds; no closure lasts longer than `longest_s` from now.

    Raises
    ------
    ValueError
        It is no ledger.
    """
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {str(content['format'])[:40]!r}, not {FORMAT!r}")
        shares = {str(name): _share(*entry) for name, entry in content["shares"].items()}
        closed = None if content["closed"] is None else _closed(content["closed"], now + longest_s)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no account of request weight ({type(error).__name__})") from error
    return Ledger(shares, closed)


def _share(told_at: Any, kept: Any, spent: Any) -> Share:
    return Share(_time(told_at), tuple((_time(at), _weight(weight)) for at, weight in spent), _weight(kept))


def _closed(entry: Any, latest: float) -> Closed:
    until, kind, cause = entry
    return Closed(min(_time(until), latest), "banned" if kind == "banned" else "limited", str(cause))


def _time(value: Any) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no time")
    return float(value)


def _weight(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 10**9:
        raise ValueError(f"{str(value)[:40]!r} is no weight")
    return value


def _longer(one: Closed | None, other: Closed | None, now: float) -> Closed | None:
    known = [closed for closed in (one, other) if closed is not None and closed.until > now]
    return max(known, key=lambda closed: closed.until, default=None)
