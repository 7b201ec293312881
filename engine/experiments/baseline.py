"""The loss-reweighing baseline as an experiment, on given targets or those that a sweep draws."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from engine.attacks.rates import highest, reweighing_rates
from engine.checks import (
    check_choice,
    check_integer,
    check_positive,
    check_targets,
    check_weights,
)
from engine.data.dataset import Dataset
from engine.experiments.base import (
    ANY_INDEX,
    Context,
    Experiment,
    check_name,
    honest_model,
    settle,
)
from engine.experiments.files import load_table, save_table
from engine.vocabulary import DTYPES, ORDERS, TARGET_WEIGHTS


@dataclass(frozen=True)
class BaselineRequest:
    """Loss reweighing; fields as in `fit` and `loss_reweighing`.

    targets: given; with none, n_targets are drawn outside the honest top `outside` by the seed, as
    a sweep whose largest k that is draws them.
    """

    dataset: str = "digits"
    targets: tuple[int, ...] = ()
    n_targets: int = 50
    outside: int = 30
    target_weights: tuple[float, ...] = TARGET_WEIGHTS
    steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 0.001
    damping: float = 0.25
    l2: float = 0.01
    order: str = "highest_first"
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        drawn = not self.targets
        settle(
            self,
            dataset=check_name(self.dataset),
            targets=() if drawn else check_targets(self.targets, ANY_INDEX),
            # with targets given these have no say, and equal requests must have one key
            n_targets=check_integer("n_targets", self.n_targets, 1) if drawn else 0,
            outside=check_integer("outside", self.outside, 1) if drawn else 0,
            target_weights=check_weights(self.target_weights),
            steps=check_integer("steps", self.steps, 1),
            batch_size=check_integer("batch_size", self.batch_size, 1),
            learning_rate=check_positive("learning_rate", self.learning_rate),
            damping=check_positive("damping", self.damping),
            l2=check_positive("l2", self.l2),
            order=check_choice("order", self.order, ORDERS),
            seed=check_integer("seed", self.seed, 0),
            dtype=check_choice("dtype", self.dtype, DTYPES),
        )


def run_baseline(request: BaselineRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """One row per target and weight: target, rank_before, rank_before_holdout, accuracy_before, and
    the columns of `ReweighingResult.table`."""
    from engine.attacks.reweighing import loss_reweighing_each
    from engine.attacks.sweep import draw_targets
    from engine.influence.scores import influence_scores

    options = asdict(request)
    del options["dataset"], options["l2"]
    targets, count, outside = (options.pop(n) for n in ("targets", "n_targets", "outside"))
    model = honest_model(dataset, request.l2, context)
    if not targets:
        how = {n: options[n] for n in ("damping", "order", "dtype")}
        ranks = influence_scores(model, dataset, device=context.device, **how).ranks
        drawn = draw_targets(np.flatnonzero(ranks > outside), count, 1, request.seed)
        targets = [target for (target,) in drawn]

    def report(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            context.report(done, total)

    results = loss_reweighing_each(
        model,
        dataset,
        targets,
        options.pop("target_weights"),
        **options,
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
    """The highest success rate over the weights for a few k."""
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
