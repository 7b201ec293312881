"""Intervals for measured shares and correlations, and a test of paired shares."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy  # which loads `scipy.special` when it is first used
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_integer
from engine.errors import InvalidInput


class Interval(NamedTuple):
    """The two ends of a confidence interval."""

    low: float
    high: float

    def overlaps(self, other: "Interval") -> bool:
        return self.low <= other.high and other.low <= self.high


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of the share successes / trials, within [0, 1].

    It keeps its coverage for few trials and for shares near 0 and 1, where the normal interval
    leaves [0, 1]. Raises InvalidInput.
    """
    trials = check_integer("trials", trials, 1)
    successes = check_integer("successes", successes, 0, trials)
    if not 0 < confidence < 1:
        raise InvalidInput("confidence", confidence, "a number in (0, 1)")
    z = float(scipy.special.ndtri(0.5 + confidence / 2))
    share = successes / trials
    widening = z * z / trials
    centre = (share + widening / 2) / (1 + widening)
    half = z * math.sqrt(share * (1 - share) / trials + widening / (4 * trials)) / (1 + widening)
    # At the ends the formula gives 0 and 1 exactly, but for rounding.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == trials else centre + half
    return Interval(low, high)


def points(share: float) -> str:
    """Write a difference of shares in percentage points with its sign, '+1.2'; '0.0' where it
    rounds to none."""
    rounded = round(100 * float(share), 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def percentiles(values: NDArray, confidence: float = 0.95) -> Interval:
    """Return the percentile interval of resampled values, without those that are NaN."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return Interval(float(low), float(high))


@lru_cache(maxsize=32)
def resampled(n: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw the indices of `resamples` samples of n, drawn from n with replacement: many intervals
    share them."""
    return np.random.default_rng(seed).integers(n, size=(resamples, n))


@lru_cache(maxsize=8)
def times_drawn(n: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each of n is in each of the `resampled` samples, (resamples, n); the honest
    cases' serve every attack that they are compared with."""
    places = resampled(n, resamples, seed) + n * np.arange(resamples)[:, None]
    counts = np.bincount(places.ravel(), minlength=resamples * n)
    return counts.reshape(resamples, n).astype(np.float64)


def bootstrap_interval(
    values: ArrayLike, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Return the percentile bootstrap interval of the mean of `values` (n,).

    Raises InvalidInput for no values, NaN among them, or a confidence outside (0, 1).
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise InvalidInput("values", sample.shape, "a sequence with at least one number")
    if not np.isfinite(sample).all():
        raise InvalidInput("values", "NaN or infinity", "finite")
    resamples = check_integer("resamples", resamples, 1)
    if not 0 < confidence < 1:
        raise InvalidInput("confidence", confidence, "a number in (0, 1)")
    drawn = resampled(len(sample), resamples, seed)
    return percentiles(sample[drawn].mean(axis=1), confidence)


def sign_test(first: int, second: int) -> float:
    """Two-sided p of the exact sign test (McNemar's): of the trials that told two methods apart,
    `first` went to one and `second` to the other. 1 where there are none. Raises InvalidInput."""
    first, second = (check_integer("trials", value, 0) for value in (first, second))
    return min(1.0, 2 * float(scipy.special.bdtr(min(first, second), first + second, 0.5)))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p (tests,) of several tests: below 0.05 where a test still counts if
    none of them may, by chance, with more than 5%. Raises InvalidInput for p outside [0, 1]."""
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise InvalidInput("p_values", p_values, "a sequence of numbers in [0, 1]")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0)


def mean_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Rank along the last axis, 1 for the smallest; ties share the mean of their ranks. Where a
    value is NaN, all ranks of its row are. `scipy.stats` has the same and takes long to import."""
    given = np.asarray(values)
    order = given.argsort(-1)
    sorted_ = np.take_along_axis(given, order, -1)
    places = np.broadcast_to(np.arange(given.shape[-1]), given.shape)
    begins = np.ones(given.shape, dtype=bool)  # a run of equal values
    begins[..., 1:] = sorted_[..., 1:] != sorted_[..., :-1]
    ends = np.roll(begins, -1, -1)
    first = np.maximum.accumulate(np.where(begins, places, 0), -1)
    last = np.flip(np.minimum.accumulate(np.flip(np.where(ends, places, places.size), -1), -1), -1)
    found = np.empty(given.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, -1)
    return np.where(np.isnan(given).any(-1, keepdims=True), np.nan, found)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return Spearman's correlation along the last axis; NaN where one of the two does not vary."""
    a, b = mean_ranks(first), mean_ranks(second)
    middle = (a.shape[-1] + 1) / 2
    a, b = a - middle, b - middle
    with np.errstate(invalid="ignore"):
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def auc(scores: ArrayLike, positive: ArrayLike) -> NDArray[np.float64]:
    """Return the area under the ROC curve, along the last axis: how often a positive case scores
    higher than another case (ties count half). NaN where all or none are positive."""
    order, hits = mean_ranks(scores), np.asarray(positive, dtype=bool)
    count = hits.sum(-1)
    above = np.where(hits, order, 0).sum(-1) - count * (count + 1) / 2
    with np.errstate(invalid="ignore"):
        return above / (count * (hits.shape[-1] - count))


def paired_interval(
    statistic: Callable[[NDArray, NDArray], NDArray],
    first: ArrayLike,
    second: ArrayLike,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the percentile bootstrap interval of a statistic of pairs (n,), (n,), drawn together.
    Draws for which the statistic is NaN are left out; NaN where it is for all."""
    a, b = np.asarray(first), np.asarray(second)
    drawn = resampled(len(a), resamples, seed)
    values = statistic(a[drawn], b[drawn])
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(math.nan, math.nan)
    return percentiles(values, confidence)


@dataclass(frozen=True, eq=False)
class Detection:
    """A detector's operating points over all thresholds, the highest first: shares of honest cases
    flagged and of others found at `thresholds` and above; auc, the area under that curve, with its
    95% interval."""

    thresholds: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    found: NDArray[np.float64]
    auc: float
    interval: Interval


def detection(
    honest: ArrayLike, manipulated: ArrayLike, resamples: int = 2000, seed: int = 0
) -> Detection:
    """Measure how well a number that is larger for manipulated cases tells them from honest ones.

    The interval is a percentile bootstrap of both groups. Raises InvalidInput.
    """
    groups = [np.asarray(values, dtype=np.float64) for values in (honest, manipulated)]
    for name, values in zip(("honest", "manipulated"), groups, strict=True):
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise InvalidInput(name, values.shape, "a sequence of finite numbers, at least one")
    thresholds = np.append(np.inf, np.unique(np.concatenate(groups))[::-1])
    flagged, found = ((values[:, None] >= thresholds).mean(axis=0) for values in groups)
    below = groups[0][:, None]
    wins = (groups[1] > below) + 0.5 * (groups[1] == below)  # of manipulated over honest cases
    first, second = (times_drawn(len(v), resamples, seed + i) for i, v in enumerate(groups))
    areas = ((first @ wins) * second).sum(axis=1) / wins.size  # halves add up without rounding
    return Detection(thresholds, flagged, found, float(wins.mean()), percentiles(areas))
