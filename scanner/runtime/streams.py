"""The scheduler: four streams, each on its own thread, at a fixed cadence and never overlapping itself.

Decides when a stream runs and keeps the figures about it; what a stream does is passed in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from apscheduler.events import (
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobSubmissionEvent,
)
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

SHORTEST_S = 0.25  # at high market speed a stream still leaves the machine and the exchange this long


class OwnThread(BasePoolExecutor):  # type: ignore[misc]
    """One thread for one stream: in a shared pool two hung streams starve a healthy one."""

    def __init__(self, name: str) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix=f"stream-{name}")
        super().__init__(self.pool)


class WaitTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires again after as many seconds as it is told when it fires."""

    def __init__(self, wait_s: Callable[[], float]) -> None:
        self._wait_s = wait_s

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now + timedelta(seconds=max(self._wait_s(), SHORTEST_S / 2))


@dataclass
class StreamFigures:
    """What `status` shows of one stream."""

    last_run: datetime | None = None
    last_duration_s: float | None = None
    lag_s: float | None = None
    runs: int = 0
    missed: int = 0
    last_error: str | None = None
    due: datetime | None = None
    behind: bool = False  # the newest due run was missed

    def as_dict(self) -> dict[str, Any]:
        return {
            "last_run": self.last_run.isoformat() if self.last_run else None,
            "last_duration_s": self.last_duration_s,
            "lag_s": self.lag_s,
            "runs": self.runs,
            "missed": self.missed,
            "last_error": self.last_error,
        }


class Streams:
    """Named functions run at fixed intervals, each by a thread of its own.

    Parameters
    ----------
    jobs : mapping of name to (interval_s, function)
        The first run is at once; a run that is still busy when the next is due makes that one missed.
    waits : mapping of name to function
        Of streams that do not just keep their interval: seconds from now, when a run begins, until the next.
    """

    def __init__(
        self,
        jobs: Mapping[str, tuple[float, Callable[[], None]]],
        waits: Mapping[str, Callable[[], float]] = MappingProxyType({}),
    ) -> None:
        self._jobs, self._waits = dict(jobs), dict(waits)
        self._figures = {name: StreamFigures() for name in jobs}
        self._lock = threading.Lock()
        self._threads = {name: OwnThread(name) for name in jobs}
        self._idle = {name: threading.Event() for name in jobs}
        for idle in self._idle.values():
            idle.set()
        self._scheduler = BackgroundScheduler(executors=self._threads, timezone=UTC, daemon=True)

    def start(self) -> None:
        self._scheduler.add_listener(self._noted, EVENT_JOB_SUBMITTED | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        begin = datetime.now(UTC)
        for name, (interval_s, function) in self._jobs.items():
            self._scheduler.add_job(
                self._run,
                self._trigger(name, interval_s),
                args=(name, function),
                id=name,
                executor=name,
                next_run_time=begin,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=max(1, round(interval_s)),
            )
        self._scheduler.start()

    def _trigger(self, name: str, interval_s: float) -> BaseTrigger:
        if name in self._waits:
            return WaitTrigger(self._waits[name])
        return IntervalTrigger(seconds=max(interval_s, SHORTEST_S), timezone=UTC)

    def pause(self) -> None:
        """Begin no further run."""
        if self._scheduler.running:
            self._scheduler.pause()

    def stop(self, deadline_s: float) -> list[str]:
        """End every stream; what they wait for must have been cancelled. Returns the streams still busy."""
        ends = time.monotonic() + deadline_s
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        busy = [name for name, idle in self._idle.items() if not idle.wait(max(ends - time.monotonic(), 0.0))]
        for name, thread in self._threads.items():
            thread.pool.shutdown(wait=name not in busy, cancel_futures=True)
        if busy:
            log.error("streams still busy at the deadline of %.1f s: %s", deadline_s, ", ".join(busy))
        return busy

    def figures(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            return {name: figures.as_dict() for name, figures in self._figures.items()}

    def _run(self, name: str, function: Callable[[], None]) -> None:
        figures, began = self._figures[name], time.monotonic()
        self._idle[name].clear()
        started = datetime.now(UTC)
        error = None
        try:
            function()
        except Exception as caught:  # the job boundary: the cause goes to the log and to status
            log.exception("stream %s failed", name)
            error = f"{type(caught).__name__}: {caught}"
        finally:
            with self._lock:
                figures.last_run, figures.runs = started, figures.runs + 1
                figures.last_duration_s = round(time.monotonic() - began, 4)
                figures.lag_s = _seconds(started - figures.due) if figures.due else None
                figures.last_error = error
            self._idle[name].set()

    def _noted(self, event: JobEvent) -> None:
        with self._lock:
            figures = self._figures[event.job_id]
            if isinstance(event, JobSubmissionEvent) and event.code == EVENT_JOB_SUBMITTED:
                figures.due, figures.behind = event.scheduled_run_times[-1], False
                if figures.last_run is not None and figures.last_run >= figures.due:  # it was over before this was told
                    figures.lag_s = _seconds(figures.last_run - figures.due)
            else:
                figures.missed += 1
                if figures.runs and not figures.behind:
                    log.warning("stream %s misses runs: the one before is still busy", event.job_id)
                figures.behind = True


def _seconds(late: timedelta) -> float:
    return round(max(late.total_seconds(), 0.0), 4)
