"""How much memory a scan will take, and how much there is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from scanner.config import StreamConfig
from scanner.order import Capacity
from scanner.runtime.book.table import new_panels
from scanner.settings import variable

SHARE = 0.8  # of the available memory that a scan may plan with
BESIDE_PANELS = 3.0  # times the panels, at most: candles on their way to the store, signals, what ccxt knows of markets
MB = 1_000_000
CONTAINER_FILES = (  # limit and use, as the two versions of control groups call them
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def market_bytes(config: StreamConfig) -> int:
    """Bytes one market takes: its panels on every timeframe and its ticks, and what goes along with them."""
    arrays = (value for panel in new_panels(config, 1).values() for value in vars(panel).values())
    panels = sum(value.nbytes for value in arrays if isinstance(value, np.ndarray))
    return int(panels * BESIDE_PANELS) + 4 * 8 * config.max_ticks_buffer


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that can still be had here: the machine's or the container's, whichever is less; None where neither tells.

    Linux tells both; elsewhere there is no limit to plan with.
    """
    return min((free for free in (_of_machine(root), _of_container(root)) if free is not None), default=None)


def capacity(config: StreamConfig, memory_mb: int = 0) -> Capacity | None:
    """How many markets there is room for, with `memory_mb` in place of what is available unless 0; None for any."""
    each = market_bytes(config)
    setting = variable("memory_mb")
    if memory_mb:
        return Capacity(memory_mb * MB // each, f"each takes about {each / MB:.2f} MB, {setting} allows {memory_mb} MB")
    free = available_bytes()
    if free is None:
        return None
    usable = int(free * SHARE)
    reason = f"each takes about {each / MB:.2f} MB, {usable // MB} MB may be used; {setting} says otherwise"
    return Capacity(usable // each, reason)


def _of_machine(root: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_container(root: Path) -> int | None:
    folder = root / "sys/fs/cgroup"
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):
            return max(int((folder / most).read_text()) - int((folder / used).read_text()), 0)
    return None
