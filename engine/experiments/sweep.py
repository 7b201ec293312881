"""Sweeps and their batches as experiments: a sweep is put together from stored batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from engine.attacks.options import SweepOptions
from engine.attacks.rates import CELL, success_rates
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.base import (
    ANY_INDEX,
    Context,
    Experiment,
    OnDataset,
    chosen_or_there,
    honest_model_of,
    values_of,
)
from engine.experiments.files import load_table, save_table
from engine.options import OneOf, Options, ascending, at_least, distinct, option
from engine.vocabulary import LINEAR, MODELS

if TYPE_CHECKING:
    from engine.attacks.batch import Batch  # it imports torch

LISTS = ("runs_in_top", "runs_in_top_holdout", "runs_accuracy")  # columns with an entry a run


@dataclass(frozen=True)
class SweepRequest(SweepOptions, OnDataset):
    """A sweep: its options, how many targets to draw and the kind of the honest models."""

    n_targets: int = option(50, at_least(1, ANY_INDEX))
    radii: Sequence[float] = option((0.05, 0.1, 0.3, 0.5, 1.0), distinct(check_positive))
    ks: Sequence[int] = option((1, 3, 10, 30), ascending(at_least(1)))
    model: str = option(LINEAR, OneOf(MODELS), added=True)

    def __len__(self) -> int:
        """Count the attacks (targets or sets, whatever the number of k) of the batch."""
        grid = (self.radii, self.objectives, self.restarts, self.set_sizes, self.train_sizes)
        attacks = self.n_targets * len(self.seeds)
        for values in grid:
            attacks *= len(values)
        return attacks


@dataclass(frozen=True)
class BatchRequest(Options):
    """One batch of a sweep on a data set, and the kind of its honest model."""

    dataset: str
    batch: dict[str, object]  # as `asked` makes it
    model: str = option(LINEAR, OneOf(MODELS), added=True)


def asked(batch: Batch) -> dict[str, object]:
    """Return a batch as it is hashed and stored, flat: `ks` replaces the options' k."""
    options = values_of(batch.options)
    del options["k"]
    own = {f.name: getattr(batch, f.name) for f in fields(batch) if f.name != "options"}
    return own | options


def run_sweep(request: SweepRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    from engine.attacks.sweep import Execution, sweep_with

    def part(batch: Batch) -> BatchRequest:
        return BatchRequest(request.dataset, asked(batch), request.model)

    def find(batch: Batch) -> pd.DataFrame | None:
        return context.find(BATCH.name, part(batch))

    def keep(batch: Batch, table: pd.DataFrame, seconds: float) -> None:
        context.keep(BATCH.name, part(batch), table, seconds)

    execution = Execution(
        device=context.device,
        jobs=context.jobs,
        cluster=context.cluster,
        cluster_fallback=context.cluster_fallback,
        find=find,
        keep=keep,
        on_progress=context.progress,
        honest=lambda dataset: honest_model_of(request.model, dataset, request.l2, context),
    )
    rows = min([size for size in request.train_sizes if size], default=dataset.n_train)
    count = chosen_or_there(request, "n_targets", rows - max(request.ks))
    return sweep_with(request, dataset, count, execution)


def run_batch(request: BatchRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """Refuse: a batch is computed as a part of its sweep. Raises InvalidInput."""
    raise InvalidInput("experiment", BATCH.name, "a sweep: batches are computed as its parts")


def load_attacks(folder: Path) -> pd.DataFrame:
    table = load_table(folder)
    for name in LISTS:  # arrays, when read again
        table[name] = [values.tolist() for values in table[name]]
    return table


def describe_table(result: pd.DataFrame) -> str:
    """Write the success rates as the paper counts them: some run, on the attacker's test set."""
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
