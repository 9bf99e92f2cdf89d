"""Where a scan on demand asks: the exchange's own address, or an embedded exchange that is up for as long as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from scanner.gateway.specs import ExchangeSpec
from scanner.order import EMBEDDED, REPLAYS
from scanner.runtime.venue import Venue

VenueOpener = Callable[[Sequence[str]], Venue]


@contextmanager
def specs_of(
    exchanges: Sequence[str], running: Venue | None, open_venue: VenueOpener
) -> Iterator[dict[str, ExchangeSpec]]:
    """How to reach each of `exchanges`.

    Embedded exchanges are those of the `running` venue where it has them, so that both see one market; else new ones,
    which end with the context.

    Raises
    ------
    InvalidInput, UnknownExchange
        An id is unknown, or a replay is asked for and nothing is recorded.
    """
    with ExitStack() as stack:
        found: dict[str, ExchangeSpec] = {}
        real = [exchange for exchange in exchanges if exchange not in EMBEDDED]
        if real:
            found |= {spec.id: spec for spec in open_venue(real).specs}
        for replays in (False, True):
            group = [e for e in exchanges if e in EMBEDDED and (e in REPLAYS) == replays]
            if group:
                found |= {spec.id: spec for spec in _embedded(group, running, open_venue, stack)}
        yield {exchange: found[exchange] for exchange in exchanges}


def _embedded(
    group: Sequence[str], running: Venue | None, open_venue: VenueOpener, stack: ExitStack
) -> tuple[ExchangeSpec, ...]:
    """Embedded exchanges on servers that `stack` gives back."""
    shared = running.share(group) if running is not None else None
    if running is not None and shared is not None:
        stack.callback(running.close)
        return shared
    venue = open_venue(group)
    stack.callback(venue.close)
    return venue.specs
