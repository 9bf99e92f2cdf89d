"""Jobs one after another: what was asked for runs in order, nothing twice, nothing without bound."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, NamedTuple

from scanner.errors import Busy, NotRunning

log = logging.getLogger(__name__)


class Ticket(NamedTuple):
    """A place in the queue: the outcome to come, how many jobs come first, whether the same job was there already."""

    outcome: Future[Any]
    ahead: int
    joined: bool


class JobQueue:
    """Runs jobs on one thread, which lives as long as there are any. `close` ends it, for good.

    Parameters
    ----------
    name : str
        Of the thread.
    most : int
        Jobs that may wait besides the one that runs.
    """

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, tuple[Callable[[], Any], Future[Any]]] = OrderedDict()  # the first one runs
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def is_busy(self) -> bool:
        return bool(self._jobs)

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return max(len(self._jobs) - 1, 0)

    def submit(self, key: Hashable, work: Callable[[], Any]) -> Ticket:
        """Run `work` when its turn comes; the job that runs or waits under the same key serves instead.

        Raises
        ------
        Busy
            Too many jobs wait.
        NotRunning
            The queue was closed.
        """
        with self._lock:
            if self._closed:
                raise NotRunning(f"{self.name} was closed")
            if key in self._jobs:
                return Ticket(self._jobs[key][1], list(self._jobs).index(key), True)
            if len(self._jobs) > self.most:
                raise Busy(f"{self.most} scans wait already; try again when some are done")
            outcome: Future[Any] = Future()
            self._jobs[key] = work, outcome
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
            return Ticket(outcome, len(self._jobs) - 1, False)

    def drop_waiting(self) -> None:
        """Forget the jobs that have not begun; their outcomes are cancelled."""
        with self._lock:
            dropped = list(self._jobs.items())[1:]
            for key, (_, outcome) in dropped:
                del self._jobs[key]
                outcome.cancel()

    def close(self, deadline_s: float) -> bool:
        """Take no more jobs, drop those that wait, and wait for the one that runs; True when it has ended."""
        with self._lock:
            self._closed, thread = True, self._thread
        self.drop_waiting()
        if thread is not None:
            thread.join(deadline_s)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            key, work, outcome = job
            try:
                result = work()
            except Exception as error:  # the job boundary
                log.exception("%s: a job failed", self.name)
                self._done(key)
                outcome.set_exception(error)
            else:
                self._done(key)
                outcome.set_result(result)

    def _next(self) -> tuple[Hashable, Callable[[], Any], Future[Any]] | None:
        with self._lock:
            if not self._jobs:
                self._thread = None
                return None
            key, (work, outcome) = next(iter(self._jobs.items()))
            outcome.set_running_or_notify_cancel()
            return key, work, outcome

    def _done(self, key: Hashable) -> None:
        with self._lock:
            del self._jobs[key]
