"""The detector formulas once more, one window at a time in plain Python: an oracle for planted episodes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

WINDOW = 100


@dataclass(frozen=True)
class Verdict:
    """What one window of candles is called, and the numbers behind it."""

    signal: str
    combined: float
    momentum: float
    factors: tuple[bool, bool, bool, bool]  # streak, volume exhaustion, excessive gain, RSI extreme
    validated: bool


def verdict(opens, closes, volumes) -> Verdict:
    """The signal of the newest candle; arguments are sequences of equal length, oldest first."""
    opens, closes, volumes = (list(map(float, column))[-WINDOW:] for column in (opens, closes, volumes))
    move = closes[-1] / closes[-10] - 1
    boost = cluster_boost(opens[-20:], closes[-20:], volumes[-20:])
    ratio = mean(volumes[-5:]) / mean(volumes[-20:])
    momentum = min(abs(move) * ratio * 100 * boost, 100.0)
    gain = closes[-1] / closes[-6] - 1
    strength = rsi(closes)
    factors = (streak(closes[-10:]) >= 4, is_exhausted(volumes[-10:]), abs(gain) >= 0.15, not 30 <= strength <= 70)
    reversion = 25.0 * sum(factors)
    combined = 0.6 * momentum + 0.4 * reversion
    return Verdict(kind(momentum, move, reversion, gain, combined), combined, momentum, factors, boost > 1)


def kind(momentum: float, move: float, reversion: float, gain: float, combined: float) -> str:
    side = "BUY" if move > 0 else "SELL"
    if reversion > 50:
        return "REVERSION_BEARISH" if gain > 0 else "REVERSION_BULLISH"
    if momentum > 70:
        return f"MOMENTUM_{side}"
    if combined > 60:
        return f"STRONG_{side}"
    return f"WEAK_{side}" if combined >= 40 else "NEUTRAL"


def cluster_boost(opens, closes, volumes) -> float:
    """1 + cluster strength when the last cluster was followed through, else 1."""
    threshold = 2 * mean(volumes)
    clusters: list[tuple[bool, int]] = []  # (bullish, index of its last candle)
    for i, volume in enumerate(volumes):
        bullish = closes[i] > opens[i]
        if volume <= threshold:
            continue
        if clusters and clusters[-1] == (bullish, i - 1):
            clusters[-1] = (bullish, i)
        else:
            clusters.append((bullish, i))
    if not clusters:
        return 1.0
    share = sum(bullish for bullish, _ in clusters) / len(clusters)
    dominance = max(share, 1 - share)
    bullish, end = clusters[-1]
    after = range(end + 1, min(end + 4, len(closes)))
    follow = sum(closes[i] > opens[i] if bullish else closes[i] < opens[i] for i in after) / 3
    return 1 + dominance * follow if dominance >= 0.7 and follow >= 0.5 else 1.0


def streak(closes) -> int:
    changes = [b / a - 1 for a, b in itertools.pairwise(closes)]
    moves = [change > 0 for change in changes if abs(change) > 0.001]
    length = 0
    for move in reversed(moves):
        if move != moves[-1]:
            break
        length += 1
    return length


def is_exhausted(volumes) -> bool:
    """Newest three candles 1.5 times the average of ten, and falling by 10 % a candle."""
    if mean(volumes) <= 0 or min(volumes[-3:-1]) <= 0:
        return False
    changes = (volumes[-1] / volumes[-2] - 1, volumes[-2] / volumes[-3] - 1)
    return mean(volumes[-3:]) / mean(volumes) >= 1.5 and mean(changes) <= -0.1


def rsi(closes, length: int = 14) -> float:
    """Wilder's, started at zero as the `ta` library does; 50 for a flat market."""
    up = down = 0.0
    for a, b in itertools.pairwise(closes):
        up += (max(b - a, 0.0) - up) / length
        down += (max(a - b, 0.0) - down) / length
    if down == 0:
        return 50.0 if up == 0 else 100.0
    return 100 - 100 / (1 + up / down)


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)
