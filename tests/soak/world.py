"""Two exchanges on loopback, reached by names that may be lost, with faults that come and go by market time."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from scanner.clock import Clock
from scanner.gateway.specs import ExchangeSpec
from scanner.runtime.venue import Venue
from scanner.settings import Settings
from scanner.simulated import Limits, Recording, SimulatedExchange, binance_urls, generated, kucoinfutures_urls
from scanner.simulated.faults import Fault, Frozen
from tests.soak.schedule import BY_NAME, EXCHANGES, Spell

PACE = 50.0  # times real request limits: minutes of market time are short


class Names:
    """Has names under ``.invalid`` stand for this machine, but for those that are `lost`."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self._real = socket.getaddrinfo

    def __enter__(self) -> Names:
        socket.getaddrinfo = self._resolved
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        socket.getaddrinfo = self._real

    def _resolved(self, host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.endswith(".invalid"):
            if name in self.lost:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return self._real(host, *arguments, **options)


class World:
    """Servers of both exchanges on one market clock; `follow` switches faults as `spells` say, from `began_ms` on."""

    def __init__(self, clock: Clock, seed: int, spells: Sequence[Spell] = ()) -> None:
        self.clock, self.began_ms, self.spells = clock, clock.now_ms(), tuple(spells)
        self.names = Names()
        limits = Limits(binance_weight=int(6000 * PACE), kucoin_weight=int(2000 * PACE))
        self.servers = {name: SimulatedExchange(generated(seed), clock, limits=limits) for name in EXCHANGES}
        self._present: dict[str, dict[Spell, tuple[Fault, ...]]] = {name: {} for name in EXCHANGES}

    def venue(self, exchanges: Sequence[str], settings: Settings, recording: Recording | None = None) -> Venue:
        """Where a service finds the exchanges."""
        return Venue(self.specs(), self.clock, [server.start() for server in self.servers.values()])

    def specs(self) -> tuple[ExchangeSpec, ...]:
        urls = {name: server.start().url.replace("127.0.0.1", host(name)) for name, server in self.servers.items()}
        spot, futures = EXCHANGES
        return (
            ExchangeSpec(spot, "binance", binance_urls(urls[spot]), simulated=True, pace=PACE),
            ExchangeSpec(futures, "kucoinfutures", kucoinfutures_urls(urls[futures]), simulated=True, pace=PACE),
        )

    def follow(self) -> None:
        """Begin and end what is due."""
        at_ms = self.clock.now_ms() - self.began_ms
        for name, server in self.servers.items():
            due = {spell for spell in self.spells if spell.exchange == name and spell.from_ms <= at_ms < spell.to_ms}
            before = self._present[name]
            if due == set(before):
                continue
            self._present[name] = {spell: before.get(spell) or self._faults(spell) for spell in due}
            server.faults.clear()
            for spell, faults in self._present[name].items():
                server.faults.set(spell.prefix, *faults)
            (self.names.lost.add if any(s.kind == "names" for s in due) else self.names.lost.discard)(host(name))

    def _faults(self, spell: Spell) -> tuple[Fault, ...]:
        return BY_NAME[spell.kind].faults or (Frozen(self.clock.now_ms()),)

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()


def host(exchange: str) -> str:
    return f"{exchange}.invalid"
