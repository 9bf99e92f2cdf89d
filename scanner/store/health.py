"""How writing goes: what fails at present, and why."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scanner.errors import StoreFailure

logger = logging.getLogger(__name__)

EVERYWHERE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE}  # what no file alone is the cause of


class Failure(NamedTuple):
    """Why something cannot be written, the operating system's number for it, and the file that it refused."""

    cause: str
    code: int | None = None
    path: str | Path | None = None


class Health:
    """The failures of a store by file; a file that can be written again is healthy again."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._failing: dict[str, Failure] = {}

    def note(self, what: str, error: Exception | None) -> None:
        """Remember how the last attempt on `what` went; the log hears of changes only."""
        failure = None if error is None else _failure(error)
        with self._lock:
            before = self._failing.pop(what, None)
            if failure is not None:
                self._failing[what] = failure
        if failure is not None and before is None:
            logger.error("%s cannot be written: %s", what, failure.cause)
        elif failure is None and before is not None:
            logger.warning("%s can be written again", what)

    def raise_failures(self, names: Iterable[str], refused: Mapping[Any, int] | None = None) -> None:
        """Raise StoreFailure, with what was `refused`, if one of `names` fails; ``ohlcv/`` names all in that folder."""
        wanted = set(names)
        with self._lock:
            failing = {what: failure for what, failure in self._failing.items() if wanted & {what, _folder_of(what)}}
        if failing:
            raise StoreFailure(_message(failing), refused)

    def raise_general(self) -> None:
        """Raise StoreFailure for a failure that no file alone is the cause of: the next file will fare no better."""
        for what, failure in self._now().items():
            if failure.code in EVERYWHERE:
                raise StoreFailure(_message({what: failure}))

    def failing(self) -> dict[str, str]:
        """What cannot be written at present, and why."""
        return {what: failure.cause for what, failure in self._now().items()}

    def refused_files(self) -> dict[str, Path]:
        """What cannot be written though its records can: by name, and the file that was refused."""
        named = {what: failure.path or self._base / what for what, failure in self._now().items() if failure.code}
        return {what: Path(path) for what, path in named.items()}

    def report(self) -> dict[str, Any]:
        """``state``: ok or degraded; ``cause``: what cannot be written, or None."""
        failing = self._now()
        whole = str(self._base)
        if whole in failing:  # which explains the others
            failing = {whole: failing[whole]} | failing
        state = "degraded" if failing else "ok"
        return {"state": state, "cause": _message(failing) if failing else None}

    def _now(self) -> dict[str, Failure]:
        with self._lock:
            return dict(self._failing)


def _folder_of(what: str) -> str:
    return what.partition("/")[0] + "/"


def _failure(error: Exception) -> Failure:
    if isinstance(error, OSError):
        return Failure(error.strerror or str(error), error.errno, error.filename)
    return Failure(str(error))


def _message(failing: dict[str, Failure]) -> str:
    what, failure = next(iter(failing.items()))
    others = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
    return f"{what} cannot be written: {failure.cause}{others}"
