"""A listening socket that has file descriptors to spare: who asks is answered also when the process may open no more.

Without any, no connection can be accepted: a scan that goes on could not say what is not being kept, gunicorn's worker
ends, and waitress tries without a pause, with a traceback in the log each time.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from contextlib import suppress
from socket import socket
from typing import Any

log = logging.getLogger(__name__)

SPARED = 16  # descriptors, for connections that come when nothing else can be opened
NONE_LEFT = (errno.EMFILE, errno.ENFILE)
PAUSE_S = 0.1  # where not even those are left


class SparingSocket(socket):
    """A socket that listens; takes over another's descriptor. One thread accepts.

    Parameters
    ----------
    each : int
        How many descriptors the server needs to answer a connection, its own included.
    """

    def __init__(self, listening: socket, each: int = 1) -> None:
        timeout = listening.gettimeout()
        super().__init__(listening.family, listening.type, listening.proto, fileno=listening.detach())
        self.settimeout(timeout)
        self._each = each
        self._spares: list[int] = []
        self._short = False
        self._spare()

    def accept(self) -> tuple[socket, Any]:
        """As any socket's; where no descriptor can be had it says that nobody waits, after a pause.

        Raises
        ------
        BlockingIOError
            Nobody waits, or nobody can be let in.
        """
        self._spare()
        while True:
            try:
                return super().accept()
            except OSError as error:
                if error.errno not in NONE_LEFT:
                    raise
                self._note_shortage(error)
            if not self._spares:
                time.sleep(PAUSE_S)
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            for spare in self._spares[: self._each]:
                os.close(spare)
            del self._spares[: self._each]

    def close(self) -> None:
        while self._spares:
            os.close(self._spares.pop())
        super().close()

    def _spare(self) -> None:
        """Have `SPARED` descriptors that are good for nothing, or as many as can be had."""
        with suppress(OSError):
            while len(self._spares) < SPARED:
                self._spares.append(os.open(os.devnull, os.O_RDONLY))
            if self._short:
                self._short = False
                log.warning("files can be opened again")

    def _note_shortage(self, error: OSError) -> None:
        if not self._short:
            self._short = True
            log.error("no file can be opened any more: %s; the next connections take what was spared", error.strerror)
