"""Which exchange is meant: its id in our records, its ccxt class, and where it lives if not at its own address."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import ccxt.async_support as ccxt

from scanner.errors import InvalidInput, UnknownExchange
from scanner.markets import EXCHANGE


@dataclass(frozen=True)
class ExchangeSpec:
    """One exchange to watch.

    Records carry `id`; `ccxt_id` names the ccxt class that is spoken. `urls` replaces ccxt's API addresses, key by
    key. A `simulated` exchange has no address but those, so it can never ask a real one by mistake; when it allows
    more requests than the real one, because its market time runs fast, `pace` says how many times as many.
    `state_dir` is the folder where the processes of this host account for their requests together; None: each alone.
    """

    id: str
    ccxt_id: str
    urls: Mapping[str, str] | None = None
    simulated: bool = False
    pace: float = 1.0
    state_dir: Path | None = None

    @property
    def account(self) -> str:
        """What the account of its requests is called: everybody who asks the same exchange there has the same."""
        if not (self.simulated and self.urls):
            return self.ccxt_id
        return f"{urlsplit(next(iter(self.urls.values()))).netloc}-{self.ccxt_id}"


def known_exchanges() -> tuple[str, ...]:
    """Every exchange id there is, in alphabetical order."""
    return tuple(ccxt.exchanges)


def real_exchange(exchange_id: object, state_dir: Path | None = None) -> ExchangeSpec:
    """The exchange of this id at its own address.

    Raises
    ------
    InvalidInput
        `exchange_id` is not written like an id.
    UnknownExchange
        There is no such exchange; the message names those it may be a misspelling of.
    """
    if not isinstance(exchange_id, str) or not EXCHANGE.fullmatch(exchange_id):
        raise InvalidInput("exchange", exchange_id, "is not an exchange id such as 'binance'")
    if exchange_id not in ccxt.exchanges:
        raise UnknownExchange(f"exchange: '{exchange_id}' is not known{_suggestion(exchange_id)}")
    return ExchangeSpec(exchange_id, exchange_id, state_dir=state_dir)


def _suggestion(exchange_id: str) -> str:
    close = difflib.get_close_matches(exchange_id, ccxt.exchanges, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else "; 'binance' would be one"
