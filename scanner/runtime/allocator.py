"""What the C library keeps of the memory that was freed. Does something with glibc only.

glibc gives each thread a heap of its own and returns what is freed only from the end of it: a scan of 2,000 markets,
whose histories come as short-lived Python objects beside long-lived arrays, would hold 100 MB that nobody uses.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from typing import Any

# names and values of <malloc.h>
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
ARENAS = 2
OWN_PAGES = 4 * 2**20  # bytes; arrays of this size and more go back to the system as soon as they are freed


def bound_heaps() -> None:
    """Let all threads share a few heaps, and large arrays have pages of their own. For a process that scans."""
    library = _glibc()
    if library is not None:
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, OWN_PAGES)


def give_back() -> None:
    """Return to the system what is free; a matter of milliseconds, in which other threads run on."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@functools.cache
def _glibc() -> Any:
    """The C library; None where it is another one."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
