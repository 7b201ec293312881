"""What the scaling attack on fairness can be told: no torch, no SciPy, so that requests know it."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.checks import check_positive
from engine.options import (
    OneOf,
    Options,
    ascending,
    at_least,
    not_negative,
    option,
    optional,
    truth,
)
from engine.vocabulary import ACCURACY_TOLERANCE, DEFAULT_SCALES, METRICS


@dataclass(frozen=True, kw_only=True)
class FairnessOptions(Options):
    """The scaling attack (Section 5). Raises InvalidInput for a value that it cannot have.

    metric: which gap the pipeline lowers, a name in `engine.vocabulary.METRICS`.
    scales: of the base model, α > 0; 1, the honest one, is always looked at beside them.
    l2: of the training; beta, gamma: of the programme. None takes the data set's own.
    search: also look for the scale with the largest gap on validation, among those that cost at
        most `tolerance` of accuracy there.
    top_k: of the influence rankings that are compared.
    resamples, seed: of the bootstrap behind the intervals on test.
    """

    metric: str = option("dp", OneOf(METRICS))
    scales: Sequence[float] = option(DEFAULT_SCALES, ascending(check_positive))
    l2: float | None = option(None, optional(check_positive))
    beta: float | None = option(None, optional(not_negative))
    gamma: float | None = option(None, optional(not_negative))
    search: bool = option(True, truth)
    tolerance: float = option(ACCURACY_TOLERANCE, not_negative)
    top_k: int = option(100, at_least(1))
    resamples: int = option(2000, at_least(1))
    seed: int = option(0, at_least(0))


FAIRNESS_DEFAULTS = FairnessOptions()  # the defaults of every scaling attack
