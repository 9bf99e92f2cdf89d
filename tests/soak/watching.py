"""What a soak sees while it runs: each fault is told with its cause, stays with its exchange, and heals in time."""

from __future__ import annotations

import gc
import re
import threading
import time
from asyncio import Task
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scanner.runtime.freshness import DELISTED, LATE, LIVE, Freshness, cause_of
from scanner.runtime.run import Run
from scanner.timeframes import MINUTE_MS
from tests.soak.schedule import BY_NAME, EXCHANGES, Spell

AHEAD_S = 100.0  # an exchange whose clock is two minutes off shows at least this


@dataclass
class Seen:
    """What `status` and freshness have said of one spell while it lasted."""

    states: set[str] = field(default_factory=set)
    causes: set[str] = field(default_factory=set)
    ahead_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Resources:
    """What a process holds: threads by name, unfinished tasks of any loop, sockets and files."""

    threads: tuple[str, ...]
    tasks: int
    sockets: int
    files: int

    @classmethod
    def now(cls) -> Resources:
        gc.collect()
        tasks = sum(isinstance(thing, Task) and not thing.done() for thing in gc.get_objects())
        links = [_link(entry) for entry in Path("/proc/self/fd").iterdir()]
        sockets = sum(link.startswith("socket:") for link in links)
        return cls(tuple(sorted(t.name for t in threading.enumerate())), tasks, sockets, len(links) - sockets)


def _link(entry: Path) -> str:
    with suppress(OSError):  # the one that lists the folder has gone by now
        return str(entry.readlink())
    return ""


class Watcher:
    """Looks at a run again and again.

    Parameters
    ----------
    heal_s : float
        Real seconds within which an exchange is to be live after its last fault.
    noticed_ms : int
        Market time that a delisting may go unnoticed.
    """

    def __init__(self, run: Run, spells: Iterable[Spell], heal_s: float, noticed_ms: int) -> None:
        self._run, self._spells, self._heal_s, self._noticed_ms = run, tuple(spells), heal_s, noticed_ms
        self.seen: dict[Spell, Seen] = {spell: Seen() for spell in self._spells}
        self.healed_s: dict[str, list[float]] = {name: [] for name in EXCHANGES}
        self.violations: list[str] = []
        self._ended: dict[str, float] = {}  # steady time of the end of the last fault
        self._since: dict[str, float] = {}  # steady time since which an exchange without faults has not been well

    def look(self, at_ms: int) -> None:
        """Take note of how everything is, `at_ms` after the beginning."""
        states, freshness = self._run.exchange_states(), {each.exchange: each for each in self._run.freshness()}
        for name in EXCHANGES:
            present = [s for s in self._spells if s.exchange == name and s.from_ms <= at_ms < s.to_ms]
            suffers = any(s.kind != "delisted" or at_ms < s.from_ms + self._noticed_ms for s in present)
            state, fresh = states[name], freshness.get(name)
            causes = {state.cause or "", *(_causes(fresh) if fresh else ())}
            for spell in present:
                seen = self.seen[spell]
                seen.states.add(state.state)
                seen.causes |= causes
                seen.ahead_s.append(state.ahead_ms / 1000)
            well = state.state == "live" and fresh is not None and _is_live(fresh)
            self._judge(name, suffers, well, f"{state.state}, {'; '.join(sorted(causes - {''}))}", at_ms)

    def _judge(self, name: str, suffers: bool, well: bool, how: str, at_ms: int) -> None:
        now = time.monotonic()
        if suffers:
            self._ended[name] = now
            self._since.pop(name, None)
            return
        if well:
            if name in self._ended:
                self.healed_s[name].append(now - self._ended.pop(name))
            self._since.pop(name, None)
            return
        since = self._ended.get(name, self._since.setdefault(name, now))
        if now - since > self._heal_s:
            self.violations.append(
                f"minute {at_ms / MINUTE_MS:.0f}: {name} suffers from nothing and is not well after "
                f"{now - since:.1f} s: {how}"
            )
            self._ended.pop(name, None)
            self._since[name] = now

    def untold(self) -> list[str]:
        """Spells of which status has not said what it must, of those that had their exchange for themselves."""
        found = []
        for spell, seen in self.seen.items():
            alone = not any(other is not spell and _overlap(other, spell) for other in self._spells)
            if alone and (why := _untold(spell, seen)):
                found.append(f"{spell}: {why}; told: {sorted(seen.states)}, {sorted(seen.causes)}")
        return found


def _untold(spell: Spell, seen: Seen) -> str | None:
    kind = BY_NAME[spell.kind]
    if kind.name in ("ahead", "behind"):
        sign = 1 if kind.name == "ahead" else -1
        return None if max(sign * ahead for ahead in [0.0, *seen.ahead_s]) > AHEAD_S else "the clock was not told"
    if kind.states and not seen.states & set(kind.states):
        return f"no state of {kind.states}"
    if not any(re.search(kind.cause, cause) for cause in seen.causes):
        return f"no cause like {kind.cause!r}"
    return None


def _overlap(one: Spell, other: Spell) -> bool:
    return (
        "delisted" not in (one.kind, other.kind)
        and one.exchange == other.exchange
        and one.from_ms < other.to_ms
        and other.from_ms < one.to_ms
    )


def _is_live(fresh: Freshness) -> bool:
    return bool(((fresh.state == LIVE) | (fresh.state == LATE) | (fresh.state == DELISTED)).all())


def _causes(fresh: Freshness) -> set[str]:
    places = np.ndindex(fresh.state.shape)
    return {cause for t, m in places if (cause := cause_of(fresh, t, m)) is not None}
