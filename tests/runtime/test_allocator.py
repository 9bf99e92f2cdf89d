"""What is freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scanner.runtime import allocator

# Strings of odd sizes, every second one freed: pages of holes behind objects that live on.
HOLES = """
from pathlib import Path
from scanner.runtime.allocator import bound_heaps, give_back
bound_heaps()
def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
kept = [bytes(60_000) for _ in range(1000)]
kept[:-1] = []
held = pages()
give_back()
print(held - pages())
"""


@pytest.mark.skipif(allocator.platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="does not tell how much memory it has")
def test_free_memory_below_what_lives_on_goes_back() -> None:
    told = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60)
    assert int(told.stdout) > 10_000


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    allocator._glibc.cache_clear()
    allocator.bound_heaps()
    allocator.give_back()
    assert allocator._glibc() is None
    allocator._glibc.cache_clear()
