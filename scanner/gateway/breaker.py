"""When to leave an exchange alone: a breaker that opens on failures and lets one probe through before it closes.

Pure: the time is an argument (seconds of any steady clock), and so is the jitter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scanner.errors import Banned, ExchangeFailure, RateLimited, RefusedRegion

THRESHOLD = 3  # failures in a row that open it
FIRST_PAUSE_S = 0.5
LIMITED_S = 30.0  # when a 429 does not say how long
BANNED_S = 120.0  # likewise 418; the shortest ban known
REGION_S = 10.0  # first pause after a refusal, which may have been a firewall's whim; doubles from there
REGION_INTERVALS = 6.0  # longest, in price intervals: one cheap probe in 30 s harms nobody, and it heals in time
PROBE_S = 30.0  # a probe that has not come back after this is forgotten


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed (all may pass), open until `open_until`, then half open: one probe decides.

    `longest_pause_s` caps the pauses after plain failures, so that an exchange that is back is noticed in time.
    """

    longest_pause_s: float = 5.0
    failures: int = 0  # in a row
    refusals: int = 0  # of the region, in a row
    open_until: float = float("-inf")
    told: bool = False  # the pause was asked for (limit, ban, region); a late success does not end it
    probe_since: float | None = None

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def wait_s(self, now: float) -> float:
        """Seconds until something may pass again; 0 when it may."""
        return max(0.0, self.open_until - now)

    def admit(self, now: float) -> tuple[Breaker, bool]:
        """Whether a request may pass now. Half open, only the first asker may, as the probe."""
        if self.is_open(now):
            return self, False
        if not self._is_tripped:
            return self, True
        if self.probe_since is not None and now - self.probe_since < PROBE_S:
            return self, False
        return replace(self, probe_since=now), True

    def released(self) -> Breaker:
        """After an admitted request was not made after all."""
        return replace(self, probe_since=None)

    def succeeded(self, now: float) -> Breaker:
        """After a good answer."""
        if self.told and self.is_open(now):
            return self
        return Breaker(self.longest_pause_s)

    def failed(self, failure: ExchangeFailure, now: float, jitter: float) -> Breaker:
        """After a failure; `jitter` is a random number from 0 to 1."""
        if isinstance(failure, RefusedRegion):
            return self._refused(now, jitter)
        if isinstance(failure, RateLimited):
            return self._pause(now, self._told_wait_s(failure) * (1 + jitter / 10), told=True)
        if self.is_open(now):
            return self  # began before it opened; says nothing new
        failures = self.failures + 1
        if failures < THRESHOLD:
            return replace(self, failures=failures, probe_since=None)
        return self._pause(now, pause_s(failures - THRESHOLD, self.longest_pause_s, jitter))

    @property
    def _is_tripped(self) -> bool:
        return self.told or self.failures >= THRESHOLD

    def _refused(self, now: float, jitter: float) -> Breaker:
        if self.told and self.is_open(now):
            return self
        longest_s = REGION_INTERVALS * self.longest_pause_s
        wait_s = min(REGION_S * 2.0**self.refusals, longest_s) * (1 - jitter / 10)
        return replace(self._pause(now, wait_s, told=True), refusals=min(self.refusals + 1, 16))

    def _told_wait_s(self, failure: RateLimited) -> float:
        if failure.retry_after_s is not None:
            return max(failure.retry_after_s, FIRST_PAUSE_S)
        return BANNED_S if isinstance(failure, Banned) else LIMITED_S

    def _pause(self, now: float, wait_s: float, *, told: bool = False) -> Breaker:
        until = max(self.open_until, now + wait_s) if told else now + wait_s
        return replace(self, failures=self.failures + (not told), open_until=until, told=told, probe_since=None)


def pause_s(attempt: int, longest_s: float, jitter: float) -> float:
    """Pause before try number `attempt` + 1: doubling up to `longest_s`, of which jitter takes up to half."""
    return float(min(FIRST_PAUSE_S * 2.0 ** min(attempt, 32), longest_s) * (1 - jitter / 2))
