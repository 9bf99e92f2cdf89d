"""Noise that is a function of where you look, not of what was drawn before.

A counter-based generator: every (key, index) has its own number, so any candle of any day can be made alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from scanner.core.candles import Float

Keys = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def key(*words: object) -> np.uint64:
    """The key of a noise stream, from anything with a stable text."""
    digest = hashlib.blake2b("|".join(map(str, words)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def bits(keys: Keys | np.uint64, index: NDArray[np.int64]) -> Keys:
    """64 even bits for every index; `keys` broadcasts against `index` (splitmix64's finaliser, twice)."""
    with np.errstate(over="ignore"):
        state = np.asarray(keys + (index.astype(np.uint64) + np.uint64(1)) * _STEP)
        for _ in range(2):
            state = (state ^ (state >> np.uint64(30))) * _MIX_1
            state = (state ^ (state >> np.uint64(27))) * _MIX_2
            state = state ^ (state >> np.uint64(31))
    return state


def uniform(keys: Keys | np.uint64, index: NDArray[np.int64]) -> Float:
    """Uniform in [0, 1)."""
    return np.asarray((bits(keys, index) >> np.uint64(11)) * 2.0**-53, np.float64)


def normals(keys: Keys | np.uint64, index: NDArray[np.int64]) -> tuple[Float, Float]:
    """Two independent standard normals for every index (Box and Muller)."""
    raw = bits(keys, index)
    radius = np.sqrt(-2.0 * np.log(((raw >> np.uint64(32)) + 1.0) * 2.0**-32))
    angle = (raw & np.uint64(0xFFFFFFFF)) * (2.0**-32 * 2 * np.pi)
    return radius * np.cos(angle), radius * np.sin(angle)


def slow(keys: Keys | np.uint64, position: NDArray[np.int64], period: int) -> Float:
    """Slowly varying noise in about [-1.7, 1.7]: random values every `period`, eased in between."""
    left = position // period
    share = (position % period) / period
    share = share * share * (3 - 2 * share)
    low, high = uniform(keys, left), uniform(keys, left + 1)
    return np.asarray((low + (high - low) * share - 0.5) * np.sqrt(12.0))
