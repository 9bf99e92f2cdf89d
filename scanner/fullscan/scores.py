"""The scores of a row. Each is 0..100 unless said otherwise; formulas are in docs/.

Names as in the rows: `ms` and `ml` are the short and long momentum (fractions), `macd` is in price units, `ts` the
trend score (0..10), `vr` the volume ratio, `bb` the position between the Bollinger bands, `k` the stochastic. What is
None is missing and counts as undecided.
"""

from __future__ import annotations

from scanner.fullscan.profile import VolumeProfile

OPPORTUNITY, COMPOSITE, VOLUME, STRENGTH = 0.50, 0.25, 0.15, 0.10  # weights in the combined score


def unit(value: float) -> float:
    """`value` within 0..1."""
    return min(max(value, 0.0), 1.0)


def opportunity_score(
    ms: float,
    ml: float,
    rsi: float,
    macd: float,
    bb: float | None,
    ts: float,
    vr: float,
    k: float | None,
    bearish_divergence: bool = False,
) -> float:
    """How good an entry this is: a pullback in an up-trend scores best; a bearish divergence halves it."""
    total = (
        0.25 * _rsi_factor(rsi)
        + 0.20 * _band_factor(bb)
        + 0.15 * _stochastic_factor(k, ml)
        + 0.15 * _momentum_factor(ms, ml)
        + 0.10 * _volume_factor(vr, rsi)
        + 0.10 * unit(ts / 10)
        + 0.05 * _macd_factor(macd, ml)
    )
    return _percent(total * (0.5 if bearish_divergence else 1.0))


def _rsi_factor(rsi: float) -> float:
    return _step(rsi, (30, 0.3), (45, 1.0), (55, 0.8), (70, 0.5), above=0.2)


def _band_factor(bb: float | None) -> float:
    return 0.5 if bb is None else _step(bb, (0.3, 1.0), (0.5, 0.9), (0.7, 0.6), above=0.2)


def _stochastic_factor(k: float | None, ml: float) -> float:
    if k is None:
        return 0.5
    return _step(k, (20, 1.0 if ml > 0 else 0.3), (40, 0.9), (60, 0.7), (80, 0.4), above=0.1)


def _momentum_factor(ms: float, ml: float) -> float:
    if ml > 0.001:
        return 1.0 if -0.005 < ms < 0.002 else 0.4 if ms > 0.005 else 0.6
    if ml < -0.001:
        return 1.0 if -0.002 < ms < 0.005 else 0.5
    return 0.5


def _volume_factor(vr: float, rsi: float) -> float:
    if vr > 1.5:
        return 1.0 if rsi < 55 else 0.3
    return 0.8 if vr > 1.2 else 0.6 if vr > 0.8 else 0.4


def _macd_factor(macd: float, ml: float) -> float:
    if ml > 0 and -0.5 < macd < 0:
        return 1.0
    if macd > 0:
        return 0.7 if macd < 2 else 0.3
    return 0.5


def _step(value: float, *steps: tuple[float, float], above: float) -> float:
    """The result of the first step whose bound lies above `value`."""
    return next((result for bound, result in steps if value < bound), above)


def composite_score(
    ms: float, ml: float, rsi: float, macd: float, ts: float, vr: float, ichimoku: bool, fib: float = 0.0
) -> float:
    """How much is going on, in either direction. The weights add up to more than 1; the score is cut at 100."""
    total = (
        0.20 * unit(1000 * abs(ms))
        + 0.15 * unit(500 * abs(ml))
        + 0.20 * unit(abs(rsi - 50) / 30)
        + 0.15 * unit(50 * abs(macd))
        + 0.20 * unit(ts / 10)
        + 0.10 * unit((vr - 1) / 1.5)
        + 0.10 * ichimoku
        + 0.15 * unit(fib / 100)
    )
    return _percent(total)


def confidence_score(ms: float, ml: float, rsi: float, macd: float, ts: float, vr: float) -> float:
    """How much the parts agree that something is going on, 0..1.

    The volume part falls from about 1 just below a ratio of 1 to 0 at it: that is how the formula was always used.
    """
    volume = min((vr - 1) / 1.5, 1.0) if vr >= 1 else max(0.0, 1 + (vr - 1) / 0.8)
    total = (
        0.18 * min(abs(ms), 0.1) / 0.1
        + 0.12 * min(abs(ml), 0.2) / 0.2
        + 0.18 * min(abs(rsi - 50) / 30, 1.0)
        + 0.18 * min(abs(macd), 0.05) / 0.05
        + 0.22 * unit(ts / 10)
        + 0.12 * volume
    )
    return round(unit(total), 3)


def volume_composite_score(vr: float, profile: VolumeProfile | None, poc_distance: float | None) -> float:
    """How much volume stands behind the price."""
    heaviest = profile.heaviest_share if profile is not None else 0.0
    near = 0.0 if poc_distance is None else unit(1 - abs(poc_distance) / 0.05)
    return _percent(0.5 * unit((vr - 1) / 1.5) + 0.3 * heaviest + 0.2 * near)


def signal_strength(ms: float, ml: float, rsi: float, macd: float, vr: float) -> float:
    """Which way and how far: 50 is undecided, buyers above, sellers below."""
    moved = min(1000 * abs(ms), 15) + min(500 * abs(ml), 15)
    total = 50.0 + (moved if ms > 0 and ml > 0 else -moved)
    total += 5 if 40 < rsi < 60 else -10 if rsi > 70 or rsi < 30 else 0
    total += min(50 * abs(macd), 10) * (1 if macd > 0 else -1)
    total += 5 if vr > 1.2 else -3 if vr < 0.8 else 0
    return min(max(total, 0.0), 100.0)


def combined_score(opportunity: float, composite: float, volume: float, strength: float) -> float:
    """The score rows are ranked by."""
    total = OPPORTUNITY * opportunity + COMPOSITE * composite + VOLUME * volume + STRENGTH * strength
    return min(max(total, 0.0), 100.0)


def _percent(share: float) -> float:
    """A share as 0..100 with two decimals."""
    return round(100 * unit(share), 2)
