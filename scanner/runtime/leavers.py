"""Takes markets out of a judgement of freshness that are not scanned any more, though a book may still hold them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

import numpy as np

from scanner.markets import Market
from scanner.runtime.freshness import Freshness


def without(found: Freshness, leavers: Collection[Market]) -> Freshness:
    """The same of the other markets: every array has one entry per market on its last axis."""
    stay = np.array([market not in leavers for market in found.markets], dtype=bool)
    if stay.all():
        return found
    kept: dict[str, Any] = {
        each.name: value[..., stay]
        for each in fields(found)
        if isinstance(value := getattr(found, each.name), np.ndarray)
    }
    markets = tuple(market for market in found.markets if market not in leavers)
    return replace(found, markets=markets, **kept)
