"""The loss-reweighing baseline as an experiment, on given targets or those that a sweep draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.attacks.options import ReweighingOptions
from engine.attacks.rates import highest, reweighing_rates
from engine.checks import check_integer, check_positive, check_targets, check_weights
from engine.data.dataset import Dataset
from engine.experiments.base import (
    ANY_INDEX,
    Context,
    Experiment,
    OnDataset,
    draw_outside,
    honest_model,
)
from engine.experiments.files import load_table, save_table
from engine.options import option, settle
from engine.vocabulary import L2, TARGET_WEIGHTS


def any_samples(name: str, value: object) -> tuple[int, ...]:
    """Check for distinct training indices, perhaps none."""
    return check_targets(value, ANY_INDEX) if value else ()


def weights(name: str, value: object) -> tuple[float, ...]:
    """Check for weights on the target, each >= 1."""
    return check_weights(value)


@dataclass(frozen=True)
class BaselineRequest(ReweighingOptions, OnDataset):
    """Loss reweighing: its options, and l2 of the honest model's training and of the others'.

    targets: given; with none, n_targets are drawn outside the honest top `outside` by the seed, as
    a sweep with that largest k does.
    """

    targets: tuple[int, ...] = option((), any_samples)
    n_targets: int = 50
    outside: int = 30
    target_weights: tuple[float, ...] = option(TARGET_WEIGHTS, weights)
    l2: float = option(L2, check_positive)

    def __post_init__(self) -> None:
        super().__post_init__()
        drawn = not self.targets
        settle(  # with targets given these have no say, and equal requests must have one key
            self,
            n_targets=check_integer("n_targets", self.n_targets, 1) if drawn else 0,
            outside=check_integer("outside", self.outside, 1) if drawn else 0,
        )


def run_baseline(request: BaselineRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """Return one row per target and weight: target, rank_before, rank_before_holdout,
    accuracy_before, and the columns of `ReweighingResult.table`."""
    from engine.attacks.reweighing import reweigh

    model = honest_model(dataset, request.l2, context)
    targets: Sequence[int] = request.targets
    if not targets:
        targets = draw_outside(request, model, dataset, request.outside, context)

    def report(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            context.report(done, total)

    results = reweigh(
        request,
        model,
        dataset,
        targets,
        request.target_weights,
        device=context.device,
        on_step=report,
    )
    tables = []
    for result in results:
        table = result.table.copy()
        table.insert(0, "target", result.target)
        for name in ("rank_before", "rank_before_holdout", "accuracy_before"):
            table[name] = getattr(result, name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def describe_baseline(result: pd.DataFrame) -> str:
    """Say the highest success rate over the weights for a few k."""
    ks = [k for k in (1, 3, 10, 30) if (result["rank_before"] > k).any()]
    if not ks:
        return f"{len(result)} rows; every target was at the top before."
    rates = highest(reweighing_rates(result, ks), over="target_weight").query("split == 'test'")
    shown = rates[
        ["k", "regime", "target_weight", "attacks", "rate", "low", "high", "accuracy_drop"]
    ]
    return (
        f"{len(result)} rows (a target and weight each); success at the best weight, 95% "
        "intervals, mean fall of accuracy of the successes:\n"
        + shown.to_string(index=False, float_format=lambda value: f"{value:.3g}")
    )


BASELINE = Experiment(
    "baseline",
    "Loss reweighing: train with a high weight on the target",
    BaselineRequest,
    run_baseline,
    save_table,
    load_table,
    describe_baseline,
)
