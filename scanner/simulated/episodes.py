"""Planted episodes: scripted price and volume, so that every signal type can be seen with fixed-percentage scores.

An episode is a script of 45 steps: a calm lead-in that sets the averages, eleven steps of action, and a way back to the
price as it would have been. A step is one 5m candle, or `stretch` of them for the slower coins. Price is scripted as a
displacement of the undisturbed price, which is nearly still meanwhile. Each place (a coin's position) plays an episode
every 45 steps, five steps after the place before it, and each episode scores 60 or more for six steps: among nine
neighbours of the same stretch there is always one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Bool, Float, Int

LEAD_IN, ACTION, WAY_BACK = 13, 11, 21
LENGTH = LEAD_IN + ACTION + WAY_BACK
STAGGER = 5  # steps between the episodes of neighbouring places
PLACES = LENGTH // STAGGER


@dataclass(frozen=True)
class Script:
    """The action of one episode."""

    name: str
    steps: tuple[float, ...]  # change of the displacement, a fraction of the undisturbed price
    volumes: tuple[float, ...]  # times the usual volume


# The numbers were searched for, against the detectors' formulas: hot from the sixth step to the last, small moves.
# Strong signals need a momentum score from 66.7 to 70 with exactly two reversion factors; the script holds it at 68.4
# on its eighth and ninth step.
SCRIPTS = (
    Script(  # MOMENTUM_BUY: a burst on volume, then follow-through on less; WEAK_BUY before it
        "breakout",
        (0.0154, 0.0324, 0.0435, 0.0526, 0.0051, 0.0322, 0.0201, 0.0167, 0.0537, 0.0045, 0.0108),
        (1.67, 4.11, 10.06, 13.31, 9.53, 6.0, 6.0, 6.05, 6.69, 7.54, 8.51),
    ),
    Script(  # REVERSION_BEARISH: one way up, 15 % and more in five candles, volume past its peak
        "pump",
        (0.0048, 0.0124, 0.0454, 0.0234, 0.0258, 0.0451, 0.0299, 0.0471, 0.0447, 0.0405, 0.012),
        (4.81, 6.11, 7.53, 8.4, 6.95, 5.69, 4.94, 4.35, 3.8, 3.03, 2.42),
    ),
    Script(  # STRONG_BUY
        "climb",
        (0.0502, 0.0356, 0.0413, 0.0495, 0.0266, 0.0319, 0.0188, 0.0206, 0.019, 0.0046, 0.0045),
        (1.39, 2.57, 4.46, 5.36, 6.01, 6.83, 7.52, 8.12, 6.16, 4.56, 3.27),
    ),
    Script(  # MOMENTUM_SELL, WEAK_SELL before it
        "breakdown",
        (-0.0549, 0.0052, -0.0548, -0.052, -0.0047, -0.0175, -0.0123, -0.0476, -0.027, -0.0204, -0.0067),
        (2.46, 4.04, 7.22, 11.03, 4.79, 4.75, 4.85, 5.12, 5.42, 4.6, 3.89),
    ),
    Script(  # REVERSION_BULLISH
        "dump",
        (-0.0172, -0.0296, -0.0167, -0.0201, -0.0454, -0.043, -0.0514, -0.0366, -0.0183, -0.0047, -0.0184),
        (1.3, 2.26, 3.6, 5.6, 5.0, 4.42, 8.17, 12.75, 11.12, 9.7, 8.48),
    ),
    Script(  # STRONG_SELL
        "slide",
        (-0.054, -0.0455, -0.0599, -0.0211, -0.006, -0.014, -0.0355, -0.0339, -0.0128, -0.0048, -0.006),
        (2.13, 3.03, 4.32, 6.03, 5.36, 4.8, 7.98, 12.96, 9.74, 7.5, 5.76),
    ),
)


def at_boundaries(boundary: Int, place: Int, stretch: Int) -> Float:
    """Price against the undisturbed price at the ends of 5m candles; all arguments broadcast.

    Parameters
    ----------
    boundary : int64[...]
        Multiples of 5 minutes since the epoch.
    place, stretch : int64[...]
        The coin's position, and 5m candles in one of its steps.
    """
    script, step, share = _where(boundary, place, stretch)
    return np.asarray(1 + _DISPLACEMENT[script, step] * (1 - share) + _DISPLACEMENT[script, step + 1] * share)


def in_candles(candle: Int, place: Int, stretch: Int) -> tuple[Bool, Float]:
    """Whether a 5m candle is scripted, and its volume against the usual; arguments as for `at_boundaries`."""
    script, step, _ = _where(candle, place, stretch)
    return step < LEAD_IN + ACTION, _VOLUME[script, step]


def script_of(place: Int, round_: Int) -> Int:
    """Which script a place plays in its n-th round: three of the six in turn; neighbours play them in order."""
    return (place + (PLACES - 1) * round_) % len(SCRIPTS)


def _where(index: Int, place: Int, stretch: Int) -> tuple[Int, Int, Float]:
    """Script, step and share of the step gone by, at each index."""
    since = index - place % PLACES * STAGGER * stretch
    round_ = since // (LENGTH * stretch)
    inside = since % (LENGTH * stretch)
    return script_of(place, round_), inside // stretch, inside % stretch / stretch


def _displacement(script: Script) -> Float:
    """Displacement at the ends of the steps, float64[LENGTH + 1]."""
    action = np.cumsum(script.steps)
    return np.concatenate([np.zeros(LEAD_IN + 1), action, action[-1] * _fading()])


def _volume(script: Script) -> Float:
    """Volume of the steps against the usual, float64[LENGTH]."""
    return np.concatenate([np.ones(LEAD_IN), script.volumes, 1 + (0.6 * script.volumes[-1] - 1) * _fading()])


def _fading() -> Float:
    return (1 - np.arange(1, WAY_BACK + 1) / WAY_BACK) ** 2


_DISPLACEMENT = np.stack([_displacement(script) for script in SCRIPTS])
_VOLUME = np.stack([_volume(script) for script in SCRIPTS])
