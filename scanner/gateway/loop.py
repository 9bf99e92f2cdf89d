"""One thread with one asyncio loop: everything asynchronous lives and ends here."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from scanner.errors import NotRunning

log = logging.getLogger(__name__)
T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads. Started once, stopped once; `stop` leaves no task, thread or loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; does nothing when it runs.

        Raises
        ------
        NotRunning
            It was stopped before.
        """
        with self._lock:
            if self._loop is not None:
                return
            if self._thread is not None:
                raise NotRunning(f"{self.name} was stopped; make a new one")
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name=self.name, daemon=True)
            self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T], deadline_s: float | None = None) -> concurrent.futures.Future[T]:
        """Run `work` on the loop; after `deadline_s` it is cancelled and its future raises TimeoutError.

        Raises
        ------
        NotRunning
            The loop is not running.
        """
        with self._lock:
            if self._loop is None:
                work.close()
                raise NotRunning(f"{self.name} is not running")
            return asyncio.run_coroutine_threadsafe(_within(work, deadline_s), self._loop)

    def stop(self, deadline_s: float, farewell: Callable[[], Awaitable[None]] | None = None) -> bool:
        """Cancel all tasks, run `farewell`, end the thread; True when it ended within `deadline_s`.

        Does nothing when the loop is not running.
        """
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return True
        until = time.monotonic() + deadline_s
        asyncio.run_coroutine_threadsafe(_wind_down(loop, deadline_s * 0.8, farewell), loop)
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            log.warning("%s did not end within %.1f s", self.name, deadline_s)
        return not self._thread.is_alive()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _within(work: Coroutine[Any, Any, T], deadline_s: float | None) -> T:
    async with asyncio.timeout(deadline_s):
        return await work


async def _wind_down(
    loop: asyncio.AbstractEventLoop, within_s: float, farewell: Callable[[], Awaitable[None]] | None
) -> None:
    """End everything in `within_s`: half of it for the tasks, the rest for the farewell."""
    try:
        await _cancel_tasks(within_s / 2)
        if farewell is not None:
            async with asyncio.timeout(within_s / 2):
                await farewell()
        await _cancel_tasks(0.1)
    except TimeoutError:
        log.warning("closing took longer than %.1f s", within_s / 2)
    finally:
        loop.stop()


async def _cancel_tasks(within_s: float) -> None:
    ends = asyncio.get_running_loop().time() + within_s
    while any(map(_is_unbegun, asyncio.all_tasks())) and asyncio.get_running_loop().time() < ends:
        await asyncio.sleep(0)  # the task of a connection just accepted would drop its socket
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=within_s)


def _is_unbegun(task: asyncio.Task[Any]) -> bool:
    work = task.get_coro()
    return inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED
