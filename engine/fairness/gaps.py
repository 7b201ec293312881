"""Hard gaps between two groups, and their bootstrap.

A gap depends on a row only through its cell: group, label and prediction. Drawing rows with
replacement is drawing the cells' counts from a multinomial: exact, and one call.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PREDICTED, HONEST = 2, 3  # axes of the cells: group, label, predicted, predicted without the attack


@dataclass(frozen=True)
class Gaps:
    """Signed: P(ŷ=1 | s=1) − P(ŷ=1 | s=0), the same among the rows with label 1, and the accuracy.
    Floats, or arrays over resamples; NaN where a group has no such row. But for the sign they are
    fairlearn's, to rounding (tests/outside/test_other_libraries.py)."""

    dp: float
    eop: float
    accuracy: float


def count_cells(
    group: NDArray, y: NDArray, predicted: NDArray, honest: NDArray
) -> NDArray[np.int64]:
    """Count the rows of each combination, (2, 2, 2, 2)."""
    index = group * 8 + y * 4 + predicted * 2 + honest
    return np.bincount(index.astype(np.int64), minlength=16).reshape(2, 2, 2, 2)


def gaps_of_cells(cells: NDArray, of: int = PREDICTED) -> Gaps:
    """Return the gaps of counts (..., group, label, predicted, honest); `of`: whose predictions."""
    counts = cells.sum(axis=-1 if of == PREDICTED else -2)  # (..., group, label, prediction)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = counts[..., 1].sum(-1) / counts.sum((-2, -1))
        true_rates = counts[..., 1, 1] / counts[..., 1, :].sum(-1)
        right = counts[..., 0, 0] + counts[..., 1, 1]
        accuracy = right.sum(-1) / counts.sum((-3, -2, -1))
    return Gaps(rates[..., 1] - rates[..., 0], true_rates[..., 1] - true_rates[..., 0], accuracy)


def resample_cells(cells: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw the cells of `resamples` bootstrap samples, (resamples, 2, 2, 2, 2)."""
    n = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(n, cells.ravel() / n, size=resamples)
    return drawn.reshape(resamples, *cells.shape)
