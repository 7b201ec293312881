"""Disagreement as an alarm: does another score rank the samples as influence does?

An honest model need not make two scores agree; the question is whether an attacked one makes them
agree less than honest models do. Two numbers for each other score, larger where it disagrees:

    whole   1 − Spearman's correlation of the two rankings
    top     mean log₁₀ of the other's ranks of the samples that influence puts first
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from engine.attacks.result import Ranking
from engine.data.dataset import Dataset
from engine.data.subset import training_subset, with_training_subset
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.attributions import attribution
from engine.statistics import detection, rank_correlation
from engine.vocabulary import DAMPING, ROUNDING

OTHERS = ("gradient_dot", "cosine", "knn_shapley")  # those that cost no more than influence itself
KINDS = ("whole", "top")
FIRST = 10
L2_FACTOR = 10.0  # honest trainers' l2 lie up to this factor from the lab's, either way
STOPS = (10, 1000)  # of their iterations
LEAST_SHARE = 0.5  # of the training samples that they use


@dataclass(frozen=True)
class TrainedHonest:
    """An honest model, and in words how it was trained."""

    model: LinearModel
    how: str


def honest_models(
    dataset: Dataset, count: int, l2: float, seed: int = 0
) -> Iterator[TrainedHonest]:
    """Yield models of honest trainers who differ in l2 and in when they stop (both drawn on a log
    scale) and in how many of the training samples they hold back."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        weight = l2 * L2_FACTOR ** rng.uniform(-1, 1)
        stop = int(np.exp(rng.uniform(*np.log(STOPS))))
        share = rng.uniform(LEAST_SHARE, 1)
        size = max(round(share * dataset.n_train), dataset.n_classes)
        part = with_training_subset(dataset, training_subset(dataset, size, seed + number))
        model = fit(part, l2=weight, max_iterations=stop)
        yield TrainedHonest(model, f"l2 {weight:.2g}, {stop} iterations, {size} samples")


def disagreements(
    model: LinearModel,
    dataset: Dataset,
    neighbours: Ranking,
    damping: float = DAMPING,
    order: str = "highest_first",
    device: str = "auto",
    dtype: str = "float32",
) -> dict[str, float]:
    """Return both numbers of each other score, named kind_score. neighbours: the ranking by
    kNN-Shapley, which is the same for every model."""

    def by(name: str) -> Ranking:
        return attribution(
            name, model, dataset, damping=damping, order=order, dtype=dtype, device=device
        )

    influence = by("influence")
    first = influence.top(FIRST)
    found = {}
    for name in OTHERS:
        other = neighbours if name == "knn_shapley" else by(name)
        found[f"whole_{name}"] = float(1 - rank_correlation(influence.ranks, other.ranks))
        found[f"top_{name}"] = float(np.log10(other.ranks[first]).mean())
    return found


def alarm(
    known: ArrayLike, unknown: ArrayLike, attacked: ArrayLike, false_alarms: float
) -> dict[str, float]:
    """An alarm that goes off above a threshold: the smallest at which at most the share
    `false_alarms` of the `known` honest models is accused. How it does on `unknown` honest ones and
    on attacked ones: flagged, found; and the area under its ROC curve of all, with its interval."""
    honest: NDArray[np.float64] = np.asarray(known, dtype=np.float64)
    accused = int(false_alarms * len(honest) + ROUNDING)
    threshold = float(np.sort(honest)[-1 - accused])
    curve = detection(np.append(honest, unknown), attacked)
    return {
        "threshold": threshold,
        "flagged": int((np.asarray(unknown) > threshold).sum()),
        "found": int((np.asarray(attacked) > threshold).sum()),
        "auc": curve.auc,
        "auc_low": curve.interval.low,
        "auc_high": curve.interval.high,
    }


def alarms(models: pd.DataFrame, false_alarms: float) -> pd.DataFrame:
    """Make one row per number of `disagreements` in the columns of `models`, whose column `role`
    says 'known' and 'unknown' for honest models and 'attacked' for those
    whose attack succeeded."""
    rows = []
    for kind in KINDS:
        for name in OTHERS:
            values = models.groupby("role")[f"{kind}_{name}"].get_group
            found = alarm(values("known"), values("unknown"), values("attacked"), false_alarms)
            rows.append({"score": name, "kind": kind, **found})
    return pd.DataFrame(rows)
