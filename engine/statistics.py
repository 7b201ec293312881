"""Intervals for measured shares."""

import math
from typing import NamedTuple

from scipy.special import ndtri

from engine.checks import check_integer
from engine.errors import InvalidInput


class Interval(NamedTuple):
    """The two ends of a confidence interval."""

    low: float
    high: float

    def overlaps(self, other: "Interval") -> bool:
        return self.low <= other.high and other.low <= self.high


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of the share successes / trials, within [0, 1].

    It keeps its coverage for few trials and for shares near 0 and 1, where the normal interval
    leaves [0, 1]. Raises InvalidInput.
    """
    trials = check_integer("trials", trials, 1)
    successes = check_integer("successes", successes, 0, trials)
    if not 0 < confidence < 1:
        raise InvalidInput("confidence", confidence, "a number in (0, 1)")
    z = float(ndtri(0.5 + confidence / 2))
    share = successes / trials
    widening = z * z / trials
    centre = (share + widening / 2) / (1 + widening)
    half = z * math.sqrt(share * (1 - share) / trials + widening / (4 * trials)) / (1 + widening)
    # At the ends the formula gives 0 and 1 exactly, but for rounding.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(low, high)
