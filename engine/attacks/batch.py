"""A batch of a sweep: attacks that differ in their targets alone, and their rows in the table."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.attack import attack_each_k
from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, StepInfo
from engine.checks import check_choice
from engine.data.dataset import Dataset
from engine.devices import DTYPES, choose_threads, memory_available, resolve_device
from engine.errors import InvalidInput
from engine.influence.problem import InfluenceProblem
from engine.models.linear import LinearModel
from engine.models.model import Model

ATTACKS_AT_ONCE = 10  # in a batch, at most: what an interruption loses
# Floats alive at the peak of a step, per run, in units of n·K, m·K and K·D: measured with
# `python -m tests.benchmarks sweep`, and rounded up.
ROWS_ALIVE, TEST_ROWS_ALIVE, PARAMETERS_ALIVE = 16, 6, 24
# Of a network, in units of what reverse mode keeps of one sample: 'mlp' took 12, 'cnn' 17.
KEPT_ALIVE = 20


@dataclass(frozen=True)
class Batch:
    """Attacks that differ in their targets alone.

    targets: one set of training indices an attack, in the whole data set's numbers, whatever
    `train_size` is (0: all of it). ks: ascending; the options' own k is the first. l2: of the
    honest model's training.
    """

    targets: tuple[tuple[int, ...], ...]
    ks: tuple[int, ...]
    train_size: int
    l2: float
    options: AttackOptions

    def __str__(self) -> str:
        o = self.options
        shown = ", ".join("+".join(map(str, t[:5])) for t in self.targets[:5])
        return (
            f"the attacks on targets {shown}{', …' if len(self.targets) > 5 else ''} with "
            f"k {self.ks}, radius {o.radius:g}, objective '{o.objective}', "
            f"restarts {o.restarts}, train_size {self.train_size or 'all'}, seed {o.seed}"
        )


@dataclass(frozen=True, eq=False)
class Setting:
    """A training set of a sweep with its honest model: what batches of one size and seed share.

    indices: (n,) of its samples in the whole data set. ranks: (n_train,) honest ranks on test, 0
    where a sample is not in it.
    """

    dataset: Dataset
    indices: NDArray[np.int64]
    model: Model
    ranks: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Task:
    """A batch with what it needs, as it is sent to a process."""

    batch: Batch
    setting: Setting
    device: str
    processes: int


def bytes_per_run(dataset: Dataset, dtype: str, model: Model | None = None) -> int:
    """Return an upper estimate of the memory that one run takes beside the features, in bytes; None
    for a linear model."""
    item = DTYPES[check_choice("dtype", dtype, DTYPES)].itemsize
    if model is not None and not isinstance(model, LinearModel):
        return item * floats_of_network(dataset, model)
    K, D = dataset.n_classes, dataset.n_features + 1
    m = max(len(dataset.y_test), len(dataset.y_holdout))
    floats = ROWS_ALIVE * dataset.n_train * K + TEST_ROWS_ALIVE * m * K + PARAMETERS_ALIVE * K * D
    return item * floats


def floats_of_network(dataset: Dataset, model: Model) -> int:
    """Return the floats alive at the peak of a step, per run."""
    from engine.influence.network import ROWS_PER_CHUNK  # here: it takes its time to import
    from engine.models.network import Network, floats_kept

    assert isinstance(model, Network)
    rows = min(dataset.n_train, ROWS_PER_CHUNK)
    kept = KEPT_ALIVE * rows * floats_kept(model.module, dataset.n_features)
    return kept + ROWS_ALIVE * dataset.n_train + PARAMETERS_ALIVE * model.parameters.size


def bytes_of_features(dataset: Dataset, dtype: str, model: Model | None = None) -> int:
    """Return the most memory that an attack keeps of the features beside the data set itself, in
    bytes: each split in the problem's basis, and that basis; the training features once more in the
    order in which products take them, or those and the test features rounded to half of the bits,
    twice. A training split on disk stays there. None for a linear model."""
    item, D = DTYPES[check_choice("dtype", dtype, DTYPES)].itemsize, dataset.n_features + 1
    rows = 2 * len(dataset.y_test) + len(dataset.y_holdout)
    if model is not None and not isinstance(model, LinearModel):
        return item * (rows + dataset.n_train) * D
    copies = 0 if dataset.on_disk else 2
    return item * (rows + copies * dataset.n_train) * D + 8 * D**2


def check_memory(
    options: AttackOptions, dataset: Dataset, device: str, model: Model | None = None
) -> None:
    """Raise InvalidInput where one attack's runs would take more than there is on the device."""
    each = bytes_per_run(dataset, options.dtype, model)
    free = memory_available(resolve_device(device))
    there = max(free - bytes_of_features(dataset, options.dtype, model), 0)
    if options.runs * each > there:
        raise InvalidInput(
            "restarts",
            options.restarts,
            f"at most {there // (each * len(options.learning_rates))} here: {options.runs} runs on "
            f"'{dataset.name}' take about {options.runs * each / 1e9:.1f} GB beside the features, "
            f"and {there / 1e9:.1f} GB are free for them",
        )


def attacks_at_once(
    options: AttackOptions,
    dataset: Dataset,
    set_size: int,
    memory_gb: float,
    model: Model | None = None,
) -> int:
    """Return how many attacks a batch may hold. Raises InvalidInput where the budget holds not
    one."""
    of_set = 3 * DTYPES[options.dtype].itemsize * set_size * dataset.n_train
    one = options.runs * (bytes_per_run(dataset, options.dtype, model) + of_set)
    fitting = int(memory_gb * 1e9 // one)
    if fitting < 1:
        raise InvalidInput(
            "memory_gb",
            memory_gb,
            f"at least {one / 1e9:.3g}: one attack of {options.runs} runs on '{dataset.name}' "
            "takes that (or ask for fewer restarts)",
        )
    return min(fitting, ATTACKS_AT_ONCE)


def row(result: AttackResult, task: Task, targets: tuple[int, ...]) -> dict[str, object]:
    """Return one attack at one k as a row of the table; `targets` in the whole data set's numbers.

    For a set of targets the ranks are the worst among the min(k, t) best-placed. success and shares
    are the returned model's, on test, and, as transfer, on holdout; accuracies are on holdout,
    `any_run_accuracy` the highest among the runs that succeed; shares and collateral as in
    AttackResult. stuck: no run arrived. Per run: runs_in_top (how many targets are in the top k),
    runs_in_top_holdout, runs_accuracy (holdout). precision: that of the steps' solves, where
    another than 'full' was asked for.
    """
    asked, runs = task.batch.options, result.runs
    needed = min(result.k, len(targets))

    def worst(ranks: NDArray[np.int64]) -> int:
        return int(np.sort(ranks)[needed - 1])

    returned = runs[runs["returned"]].iloc[0]
    honest, own = result.before, list(result.targets)
    before, before_holdout = honest.ranks[own], result.before_holdout.ranks[own]
    inside_holdout = int((result.ranks_holdout <= result.k).sum())
    arrived = runs["in_top_test"] >= needed
    arrived_holdout = runs["in_top_holdout"] >= needed
    accuracy = runs["accuracy_holdout"]
    return {
        "dataset": task.setting.dataset.name,
        "train_size": task.setting.dataset.n_train,
        "seed": asked.seed,
        "set_size": len(targets),
        "target": targets[0],
        "targets": " ".join(map(str, targets)),
        "objective": asked.objective,
        "restarts": asked.restarts,
        "radius": asked.radius,
        "k": result.k,
        "order": asked.order,
        "damping": asked.damping,
        "rank_before": worst(before),
        "rank_before_holdout": worst(before_holdout),
        "rank_test": worst(result.ranks_test),
        "rank_holdout": worst(result.ranks_holdout),
        "success": result.success,
        "success_holdout": inside_holdout >= needed,
        "share_of_targets": result.share_of_targets,
        "share_of_topk": result.share_of_topk,
        "share_of_targets_holdout": inside_holdout / len(targets),
        "share_of_topk_holdout": inside_holdout / result.k,
        "accuracy_before": result.accuracy_before,
        "accuracy_after": result.accuracy_after,
        "any_run_success": result.any_run_success,
        "any_run_accuracy": float(accuracy[arrived].max()) if arrived.any() else np.nan,
        "any_run_success_holdout": bool(arrived_holdout.any()),
        "any_run_accuracy_holdout": (
            float(accuracy[arrived_holdout].max()) if arrived_holdout.any() else np.nan
        ),
        "rank_correlation": result.rank_correlation,
        "topk_kept": result.topk_kept,
        "predictions_changed": result.predictions_changed,
        "distance": result.distance,
        "steps": int(returned["steps"]),
        "runs": len(runs),
        "runs_stuck": int((~runs["reached"]).sum()),
        "stuck": not bool(runs["reached"].any()),
        "runs_in_top": runs["in_top_test"].tolist(),
        "runs_in_top_holdout": runs["in_top_holdout"].tolist(),
        "runs_accuracy": accuracy.tolist(),
        **({} if task.batch.options.precision == "full" else {"precision": result.precision}),
    }


def run_batch(
    task: Task,
    problem: InfluenceProblem | None = None,
    on_step: Callable[[StepInfo], None] | None = None,
) -> tuple[pd.DataFrame, float]:
    """Return the rows of a batch, in the order of its targets and k, and the seconds that it
    took."""
    batch, setting = task.batch, task.setting
    choose_threads(setting.dataset.size, task.processes)
    began = time.perf_counter()
    places = np.searchsorted(setting.indices, np.asarray(batch.targets))
    found = attack_each_k(
        setting.model,
        setting.dataset,
        places.tolist(),
        batch.ks,
        batch.options,
        device=task.device,
        on_step=on_step,
        problem=problem,
    )
    rows = [
        row(result, task, targets)
        for targets, by_k in zip(batch.targets, found, strict=True)
        for result in by_k.values()
    ]
    return pd.DataFrame(rows), time.perf_counter() - began
