"""Candle volumes in base currency.

ccxt passes a derivative's candle volume on as the exchange gives it. Those below give contracts (lots); the others
give base currency, or ccxt already picks the base column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scanner.core.candles import Float

COUNTED_IN_CONTRACTS = frozenset({"kucoin", "kucoinfutures", "gate", "gateeu", "mexc", "poloniex"})


@dataclass(frozen=True, slots=True)
class Contract:
    """What one contract is worth: `size` of base currency, or of quote currency when `inverse`."""

    size: float
    inverse: bool = False


def contract_of(ccxt_id: str, market: Mapping[str, Any]) -> Contract | None:
    """The contract in which this market's candle volumes are counted; None when they are in base currency."""
    if ccxt_id not in COUNTED_IN_CONTRACTS or not market.get("contract"):
        return None
    size = market.get("contractSize")
    usable = isinstance(size, (int, float)) and np.isfinite(size) and size > 0
    return Contract(float(size) if usable else 1.0, bool(market.get("inverse")))  # type: ignore[arg-type]


def base_volume(volume: Float, price: Float, contract: Contract | None) -> Float:
    """Volume in base currency.

    Parameters
    ----------
    volume : float64[n]
        As the exchange gave it.
    price : float64[n]
        Of the same candles, > 0; an inverse contract is worth `size / price` of base currency.
    contract : Contract or None
        None leaves the volume as it is.

    Returns
    -------
    float64[n]
        KuCoin's 1,000 lots of 0.001 BTC are 1 BTC.
    """
    if contract is None:
        return volume
    if contract.inverse:
        return volume * contract.size / price
    return volume * contract.size
