"""When to look at an exchange's list of markets again: regularly, and sooner when the last look is to be doubted."""

from __future__ import annotations

RELIST_S = 3600.0  # between two looks
RELIST_SOON_S = 10.0  # after a look that is to be doubted, or after the exchange denied a symbol it had listed


class Relisting:
    """Remembers which markets have gone from the list: for a while it may be the list that is wrong.

    Of a market that has gone it is seen soon whether it is back; the pause doubles up to the regular one.
    """

    def __init__(self) -> None:
        self._gone: frozenset[str] = frozenset()
        self._looks = 0  # since a market has gone

    def pause_s(self, gone: frozenset[str], regular_s: float, soon_s: float) -> float:
        """Real seconds until the next look, after one that has shown `gone` to be gone from the list."""
        self._looks = self._looks + 1 if gone <= self._gone else 0
        self._gone = gone
        return min(soon_s * 2.0 ** min(self._looks, 32), regular_s) if gone else regular_s
