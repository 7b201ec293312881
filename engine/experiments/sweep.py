"""Sweeps and their batches as experiments: a sweep is put together from stored batches."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engine.attacks.rates import CELL, success_rates
from engine.checks import check_choice, check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.base import (
    ANY_INDEX,
    LINEAR,
    Context,
    Experiment,
    added_field,
    check_name,
    check_rates,
    honest_model_of,
    settle,
)
from engine.experiments.files import load_table, save_table
from engine.vocabulary import DTYPES, MODELS, OBJECTIVES, ORDERS

LISTS = ("runs_in_top", "runs_in_top_holdout", "runs_accuracy")  # columns with an entry a run


@dataclass(frozen=True)
class SweepRequest:
    """A sweep; fields as in `fit` and `sweep`, n_targets for the targets to draw."""

    dataset: str = "digits"
    n_targets: int = 50
    radii: tuple[float, ...] = (0.05, 0.1, 0.3, 0.5, 1.0)
    ks: tuple[int, ...] = (1, 3, 10, 30)
    objectives: tuple[str, ...] = ("higher_ranked",)
    restarts: tuple[int, ...] = (5,)
    set_sizes: tuple[int, ...] = (1,)
    train_sizes: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    learning_rates: tuple[float, ...] = (0.01, 0.1)
    steps: int = 100
    damping: float = 0.25
    l2: float = 0.01
    order: str = "highest_first"
    dtype: str = "float32"
    memory_gb: float = 2.0
    model: str = added_field(LINEAR)

    def __post_init__(self) -> None:
        settle(
            self,
            dataset=check_name(self.dataset),
            n_targets=check_integer("n_targets", self.n_targets, 1, ANY_INDEX),
            radii=axis("radii", self.radii, check_positive),
            ks=tuple(sorted(axis("ks", self.ks, check_integer, 1))),
            objectives=axis("objectives", self.objectives, check_choice, OBJECTIVES),
            restarts=axis("restarts", self.restarts, check_integer, 0),
            set_sizes=axis("set_sizes", self.set_sizes, check_integer, 1),
            train_sizes=axis("train_sizes", self.train_sizes, check_integer, 0),
            seeds=axis("seeds", self.seeds, check_integer, 0),
            learning_rates=check_rates(self.learning_rates),
            steps=check_integer("steps", self.steps, 1),
            damping=check_positive("damping", self.damping),
            l2=check_positive("l2", self.l2),
            order=check_choice("order", self.order, ORDERS),
            dtype=check_choice("dtype", self.dtype, DTYPES),
            memory_gb=check_positive("memory_gb", self.memory_gb),
            model=check_choice("model", self.model, MODELS),
        )

    def __len__(self) -> int:
        """How many attacks (targets or sets, whatever the number of k) it asks for."""
        grid = (self.radii, self.objectives, self.restarts, self.set_sizes, self.train_sizes)
        attacks = self.n_targets * len(self.seeds)
        for values in grid:
            attacks *= len(values)
        return attacks


@dataclass(frozen=True)
class BatchRequest:
    """One batch of a sweep on a data set: the fields of `engine.attacks.batch.Batch`, and the kind
    of the honest model."""

    dataset: str
    batch: dict[str, Any]
    model: str = added_field(LINEAR)


def axis(name: str, values: object, check: Any, *limits: Any) -> tuple[Any, ...]:
    """The distinct values of one axis of a sweep, each checked."""
    if not isinstance(values, list | tuple) or not values:
        raise InvalidInput(name, values, "a sequence with at least one entry")
    return tuple(dict.fromkeys(check(name, value, *limits) for value in values))


def run_sweep(request: SweepRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    from engine.attacks.batch import Batch
    from engine.attacks.sweep import sweep

    options = asdict(request)
    name, options["targets"] = options.pop("dataset"), options.pop("n_targets")
    kind = options.pop("model")

    def asked(batch: Batch) -> BatchRequest:
        return BatchRequest(name, asdict(batch), kind)

    def find(batch: Batch) -> pd.DataFrame | None:
        return context.find(BATCH.name, asked(batch))

    def keep(batch: Batch, table: pd.DataFrame, seconds: float) -> None:
        context.keep(BATCH.name, asked(batch), table, seconds)

    return sweep(
        dataset,
        **options,
        device=context.device,
        jobs=context.jobs,
        cluster=context.cluster,
        cluster_fallback=context.cluster_fallback,
        find=find,
        keep=keep,
        on_progress=context.progress,
        honest=lambda part: honest_model_of(kind, part, request.l2, context),
    )


def run_batch(request: BatchRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    raise InvalidInput("experiment", BATCH.name, "a sweep: batches are computed as its parts")


def load_attacks(folder: Path) -> pd.DataFrame:
    table = load_table(folder)
    for name in LISTS:  # arrays, when read again
        table[name] = [values.tolist() for values in table[name]]
    return table


def describe_table(result: pd.DataFrame) -> str:
    """The success rates as the paper counts them: some run, on the attacker's test set."""
    rates = success_rates(result).query("form == 'any_run' and split == 'test'")
    varied = [c for c in CELL if len(result[c].unique()) > 1 or c in ("radius", "k")]
    shown = rates[[*varied, "regime", "attacks", "rate", "low", "high", "accuracy_drop"]]
    return (
        f"{len(result)} rows (an attack and k each) on '{result['dataset'].iloc[0]}'; success of "
        "some run, 95% intervals, mean fall of accuracy of the successes:\n"
        + shown.to_string(index=False, float_format=lambda value: f"{value:.3g}")
    )


SWEEP = Experiment(
    "sweep",
    "Attack many targets over radii, k, objectives, set sizes and training sizes",
    SweepRequest,
    run_sweep,
    save_table,
    load_attacks,
    describe_table,
    parallel=True,
)
BATCH = Experiment(
    "batch",
    "A batch of a sweep",
    BatchRequest,
    run_batch,
    save_table,
    load_attacks,
    describe_table,
    part=True,
)
