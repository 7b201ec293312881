"""What a score estimates: retraining without a sample, beside its influence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from engine.attacks.result import Ranking
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import Context, Experiment, OnDataset, honest_model
from engine.experiments.cost import Size, refits_seconds
from engine.experiments.files import load_fields, save_fields
from engine.experiments.sensitivity import spread
from engine.options import OneOf, at_least, option
from engine.vocabulary import DAMPING

SPLITS = {"test": "the half that the attacker has", "holdout": "the other half"}


@dataclass(frozen=True)
class LeaveOneOutRequest(OnDataset):
    """Retraining without each of n_samples samples, spread evenly over the ranking that l2 and
    damping give; with n_samples = 0 without each sample that can be left out. l2 is that of the
    training, damping that of the influence scores: equal, so that scores estimate retraining."""

    l2: float = option(DAMPING, check_positive)
    damping: float = option(DAMPING, check_positive)
    n_samples: int = option(60, at_least(0))
    split: str = option("test", OneOf(SPLITS))


@dataclass(frozen=True, eq=False)
class LeaveOneOutResult:
    """table: sample, rank, estimate (−I/n, with the damping asked for), matching (the same with
    damping = l2) and change, of the mean loss on the split. loss: that of the honest model."""

    table: pd.DataFrame
    loss: float
    n_train: int

    def agreement(self, estimate: str = "estimate") -> tuple[float, float]:
        """Return Pearson and Spearman correlation of an estimate with the changes."""
        found, change = self.table[estimate], self.table["change"]
        return float(found.corr(change)), float(found.corr(change, "spearman"))


def run_leave_one_out(
    request: LeaveOneOutRequest, dataset: Dataset, context: Context
) -> LeaveOneOutResult:
    from engine.influence.scores import InfluenceScores, influence_scores
    from engine.scrutiny.leave_one_out import leave_one_out

    model = honest_model(dataset, request.l2, context)

    def scored(damping: float) -> InfluenceScores:
        return influence_scores(
            model, dataset, request.split, damping, dtype="float64", device=context.device
        )

    asked, matching = scored(request.damping), scored(request.l2)
    n = dataset.n_train
    chosen = spread(Ranking(asked.scores, asked.ranks), request.n_samples or n)
    of_class = np.bincount(dataset.y_train, minlength=dataset.n_classes)[dataset.y_train]
    chosen = chosen[of_class[chosen] > 1]  # without its only sample a class cannot be learnt

    found = leave_one_out(
        dataset, chosen.tolist(), request.l2, request.split, context.device, context.report
    )
    table = pd.DataFrame(
        {
            "sample": chosen,
            "rank": asked.ranks[chosen],
            "estimate": -asked.scores[chosen] / n,
            "matching": -matching.scores[chosen] / n,
            "change": found.changes,
        }
    )
    return LeaveOneOutResult(table, found.loss, n)


def describe_leave_one_out(result: LeaveOneOutResult) -> str:
    (pearson, spearman), matched = result.agreement(), result.agreement("matching")
    return (
        f"Influence against retraining without each of {len(result.table):,} samples: Pearson "
        f"{pearson:.3f}, Spearman {spearman:.3f}\n"
        f"  with a damping equal to l2: Pearson {matched[0]:.3f}, Spearman {matched[1]:.3f}"
    )


def leave_one_out_cost(request: LeaveOneOutRequest, size: Size) -> float:
    return refits_seconds(size, request.n_samples or size.n_train)


LEAVE_ONE_OUT = Experiment(
    "leave-one-out",
    "Retrain without single samples: what influence scores estimate",
    LeaveOneOutRequest,
    run_leave_one_out,
    save_fields,
    partial(load_fields, LeaveOneOutResult),
    describe_leave_one_out,
    seconds=leave_one_out_cost,
)
