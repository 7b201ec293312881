"""What a fairness attack returns: NumPy and pandas only, so that a page opens it anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_positive
from engine.errors import InvalidInput
from engine.vocabulary import ACCURACY_TOLERANCE, ROUNDING


@dataclass(frozen=True)
class About:
    """The data set and the pipeline's parameters, as a page says them."""

    name: str
    title: str
    notes: tuple[str, ...]
    n_train: int
    n_val: int
    n_test: int
    n_features: int
    label_names: tuple[str, str]
    group_names: tuple[str, str]
    rates_test: tuple[float, float]
    share_group_1: float
    metric: str
    l2: float
    beta: float
    gamma: float
    top_k: int
    gap_before: float
    accuracy_before: float

    @property
    def majority(self) -> float:
        """Return the test accuracy of always predicting the more frequent label."""
        low, high = self.rates_test
        favourable = self.share_group_1 * high + (1 - self.share_group_1) * low
        return max(favourable, 1 - favourable)


@dataclass(frozen=True, eq=False)
class FairnessResult:
    """The pipeline at every scale α of the base model, α·θ*.

    table: one row per scale, ascending, the columns of `fairness_scaling`; searched: the same for
    the scales that the search for the worst one tried (none where it was not asked for), with
    `chosen` for the one it found on the validation set; of the others nothing is known on test.
    on_gap, removed: (scales, n_train), the influence on the gap and the share removed of every
    training row (NaN: no solution), in the order of `table`.
    """

    about: About
    table: pd.DataFrame
    searched: pd.DataFrame
    on_gap: NDArray[np.float32]
    removed: NDArray[np.float32]

    def row(self, scale: float) -> pd.Series:
        """Return the row of one scale. Raises InvalidInput."""
        return self.table.iloc[self.place(scale)]

    def place(self, scale: float) -> int:
        """Return the index of a scale in `table`, `on_gap` and `removed`. Raises InvalidInput."""
        scales = self.table["scale"].to_numpy()
        found = np.flatnonzero(scales == check_positive("scale", scale))
        if not len(found):
            raise InvalidInput("scale", scale, f"one of {scales.tolist()}")
        return int(found[0])

    @property
    def warning(self) -> str:
        """Return what to say where a model is worse than always predicting the more frequent label;
        '' where none is."""
        accuracies = {
            "base model": self.about.accuracy_before,
            "downstream model at scale 1": float(self.row(1)["accuracy_test"]),
        }
        worse = [
            f"the {name} on {accuracy:.1%}"
            for name, accuracy in accuracies.items()
            if accuracy < self.about.majority - ROUNDING
        ]
        if not worse:
            return ""
        return (
            "Worse than always predicting the more frequent label, which is right on "
            f"{self.about.majority:.1%} of the test rows: {' and '.join(worse)}. Its gaps say "
            "little."
        )

    @property
    def worst(self) -> pd.Series | None:
        """Return what the search found; None where it was not asked for, or found nothing."""
        chosen = self.searched[self.searched["chosen"]]
        return None if chosen.empty else chosen.iloc[0]


def unnoticed(table: pd.DataFrame, tolerance: float = ACCURACY_TOLERANCE) -> pd.Series:
    """Mark the scales that cost at most `tolerance` of downstream test accuracy, beside α = 1."""
    honest = table.loc[table["scale"] == 1, "accuracy_test"].iloc[0]
    return table["accuracy_test"] >= honest - tolerance - ROUNDING


def largest_effect(table: pd.DataFrame, tolerance: float = ACCURACY_TOLERANCE) -> pd.Series | None:
    """Return the scale with the largest effect that goes unnoticed; None where there is none."""
    able = table[unnoticed(table, tolerance) & table["effect"].notna()]
    return None if able.empty else able.iloc[able["effect"].argmax()]
