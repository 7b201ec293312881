"""Sweeps: many attacks over targets, radii, k, objectives, set sizes, training sizes and seeds.

A sweep is cut into batches (`engine.attacks.batch`). The cuts depend on the request and the size of
the data alone. Batches are computed in this process, in several, or on a cluster
(`engine.parallel`), and each is handed out as soon as it is finished, so that an interrupted sweep
goes on where it stopped. Nothing is reused across radii.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.attack import already_inside, check_ks, one_run_serves, problem_of
from engine.attacks.batch import Batch, Setting, Task, attacks_at_once, run_batch
from engine.attacks.options import SWEEP_DEFAULTS, AttackOptions, SweepOptions
from engine.attacks.result import StepInfo
from engine.checks import check_integer, check_targets, is_one_number
from engine.data.dataset import Dataset
from engine.data.subset import training_subset, with_training_subset
from engine.devices import choose_threads, is_small, resolve_device
from engine.errors import ClusterUnavailable, InvalidInput
from engine.influence.problem import InfluenceProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.model import Model, check_dataset
from engine.options import Options, at_least, option, taken_from
from engine.parallel import CONNECT_SECONDS, compute_all, is_distributed, on_cluster
from engine.progress import OnProgress, Progress, ignore

TELL_SECONDS = 0.5  # between two reports of a step
SMALL_PROCESSES = 4  # more would only wait for the last batch


def draw_targets(
    outside: NDArray[np.int64], attacks: int, set_size: int, seed: int
) -> tuple[tuple[int, ...], ...]:
    """`attacks` target sets from the samples `outside`; their first members differ, and the sets of
    a smaller size are contained in those of a larger one. Raises InvalidInput."""
    if not len(outside):
        expected = "at most 0, as no sample is outside the honest top k; choose a smaller k"
        raise InvalidInput("targets", attacks, expected)
    if set_size > len(outside) or attacks > len(outside):
        what, asked = ("set_size", set_size) if set_size > len(outside) else ("targets", attacks)
        raise InvalidInput(
            what, asked, f"at most {len(outside)}, the samples outside the honest top k"
        )
    heads = np.random.default_rng(seed).permutation(outside)[:attacks]
    sets = []
    for head in heads.tolist():
        others = np.random.default_rng([seed, head]).permutation(outside[outside != head])
        sets.append((head, *others[: set_size - 1].tolist()))
    return tuple(sets)


def check_sets(targets: Sequence[object], n: int) -> tuple[tuple[int, ...], ...]:
    """Check explicit targets: an index or a set of indices per attack, no attack twice.

    Raises InvalidInput.
    """
    sets = tuple(check_targets(t, n) for t in targets)
    if not sets:
        raise InvalidInput("targets", targets, "a number of targets, or at least one of them")
    if len({frozenset(s) for s in sets}) < len(sets):
        raise InvalidInput("targets", targets, "distinct: every attack once")
    return sets


@dataclass(frozen=True, kw_only=True)
class Execution(Options):
    """Say how a sweep is computed; no field changes a number.

    jobs: processes, 0 for a choice by the size of the data (1 for large data, whose products use
    all cores). cluster: the address of a dask scheduler to compute on instead; with
    `cluster_fallback`, this machine does where that address does not answer within
    `connect_seconds`. find, keep: a stock of finished batches. on_progress: told of every batch,
    and, where batches are computed in this process, of every step; it may raise to stop the sweep.
    honest: trains the model; `fit` with the options' l2 where none is given.
    """

    device: str = "auto"
    jobs: int = option(0, at_least(0))
    cluster: str | None = None
    cluster_fallback: bool = False
    connect_seconds: float = CONNECT_SECONDS
    find: Callable[[Batch], pd.DataFrame | None] | None = None
    keep: Callable[[Batch, pd.DataFrame, float], None] | None = None
    on_progress: OnProgress = ignore
    honest: Callable[[Dataset], Model] | None = None


def make_setting(
    dataset: Dataset, train_size: int, seed: int, options: SweepOptions, execution: Execution
) -> Setting:
    """Make the training set of that size (0: all of it), its honest model and ranks."""
    n = dataset.n_train
    indices = np.arange(n) if train_size == 0 else training_subset(dataset, train_size, seed)
    part = dataset if train_size == 0 else with_training_subset(dataset, indices)
    if execution.honest is None:
        model: Model = fit(part, l2=options.l2, device=execution.device)
    else:
        model = execution.honest(part)
    found = influence_scores(
        model,
        part,
        damping=options.damping,
        order=options.order,
        dtype=options.dtype,
        device=execution.device,
    )
    ranks = np.zeros(n, dtype=np.int64)
    ranks[indices] = found.ranks
    return Setting(part, indices, model, ranks)


def make_batches(
    sets: tuple[tuple[int, ...], ...], ks: tuple[int, ...], template: Batch, at_once: int
) -> Iterator[Batch]:
    """Make the batches of one cell: as few runs as serve every k, `at_once` attacks each."""
    serves = one_run_serves(template.options.objective, len(sets[0]))
    for some_ks in [ks] if serves else [(k,) for k in ks]:
        options = replace(template.options, k=some_ks[0])
        for first in range(0, len(sets), at_once):
            some = sets[first : first + at_once]
            yield replace(template, targets=some, ks=some_ks, options=options)


def sweep(
    dataset: Dataset,
    targets: int | Sequence[int | Sequence[int]] = 50,
    radii: Sequence[float] = SWEEP_DEFAULTS.radii,
    ks: Sequence[int] = SWEEP_DEFAULTS.ks,
    objectives: Sequence[str] = SWEEP_DEFAULTS.objectives,
    restarts: Sequence[int] = SWEEP_DEFAULTS.restarts,
    set_sizes: Sequence[int] = SWEEP_DEFAULTS.set_sizes,
    train_sizes: Sequence[int] = SWEEP_DEFAULTS.train_sizes,
    seeds: Sequence[int] = SWEEP_DEFAULTS.seeds,
    learning_rates: Sequence[float] = SWEEP_DEFAULTS.learning_rates,
    steps: int = SWEEP_DEFAULTS.steps,
    damping: float = SWEEP_DEFAULTS.damping,
    l2: float = SWEEP_DEFAULTS.l2,
    order: str = SWEEP_DEFAULTS.order,
    dtype: str = SWEEP_DEFAULTS.dtype,
    device: str = "auto",
    memory_gb: float = SWEEP_DEFAULTS.memory_gb,
    jobs: int = 0,
    cluster: str | None = None,
    cluster_fallback: bool = False,
    find: Callable[[Batch], pd.DataFrame | None] | None = None,
    keep: Callable[[Batch, pd.DataFrame, float], None] | None = None,
    on_progress: OnProgress = ignore,
    honest: Callable[[Dataset], Model] | None = None,
    precision: str = SWEEP_DEFAULTS.precision,
    gauge_free: bool = SWEEP_DEFAULTS.gauge_free,
) -> pd.DataFrame:
    """Make all attacks of the grid and return one table: a row per attack and k.

    targets: how many to draw (for each seed, outside the honest top of the largest k), or the
        targets themselves, each an index or a set; `set_sizes` then has no say.
    radii … memory_gb, precision, gauge_free: the grid and what all its attacks share, see
        `SweepOptions`.
    device, jobs … honest: how it is computed, see `Execution`. Within
        `joblib.parallel_config(backend="dask")` that cluster computes.

    Columns: the request (dataset, train_size, seed, set_size, target, targets, objective, restarts,
    radius, k, order, damping), and what `engine.attacks.batch.row` says of ranks, success,
    accuracies, collateral and runs. `success_rates` sums it up.
    Raises InvalidInput, DeviceUnavailable, NotConverged, ClusterUnavailable, WorkerDied.
    """
    options = SweepOptions(
        radii=radii, ks=ks, objectives=objectives, restarts=restarts, set_sizes=set_sizes,
        train_sizes=train_sizes, seeds=seeds, learning_rates=learning_rates, steps=steps,
        damping=damping, l2=l2, order=order, dtype=dtype, memory_gb=memory_gb,
        precision=precision, gauge_free=gauge_free,
    )  # fmt: skip
    execution = Execution(
        device=device, jobs=jobs, cluster=cluster, cluster_fallback=cluster_fallback,
        find=find, keep=keep, on_progress=on_progress, honest=honest,
    )  # fmt: skip
    return sweep_with(options, dataset, targets, execution)


def sweep_with(
    options: SweepOptions,
    dataset: Dataset,
    targets: int | Sequence[int | Sequence[int]],
    execution: Execution,
) -> pd.DataFrame:
    """Do the same as `sweep`, with the options as one object and the execution as another."""
    check_dataset(dataset)
    resolve_device(execution.device)
    return run_tasks(make_tasks(options, dataset, targets, execution), execution)


def make_tasks(
    options: SweepOptions,
    dataset: Dataset,
    targets: int | Sequence[int | Sequence[int]],
    execution: Execution,
) -> list[Task]:
    """Make the batches of a sweep, each with the training set and honest model that it needs.

    Raises InvalidInput for what the data set cannot have, before any attack is computed.
    """
    n = dataset.n_train
    ks = check_ks(options.ks, n - 1)
    sizes = [check_integer("train_size", size, 0, n) for size in options.train_sizes]
    if 0 in sizes:  # n is the same training set: in the table each attack would be there twice
        sizes = [size for size in sizes if size != n]
    for size in options.set_sizes:
        check_integer("set_size", size, 1, n)
    asked = None
    if isinstance(targets, Iterable) and not is_one_number(targets):
        asked = check_sets(list(targets), n)
    attacks = check_integer("targets", targets, 1, n) if asked is None else 0
    tasks: list[Task] = []
    for seed in options.seeds:
        settings = {size: make_setting(dataset, size, seed, options, execution) for size in sizes}
        check_below(ks[-1], settings)
        if asked is None:
            ranks = np.stack([setting.ranks for setting in settings.values()])
            outside = np.flatnonzero((ranks > ks[-1]).all(axis=0))
            groups = [draw_targets(outside, attacks, size, seed) for size in options.set_sizes]
        else:
            check_kept(asked, seed, settings)
            groups = by_size(asked)
        grid = product(settings, groups, options.objectives, options.restarts, options.radii)
        for size, sets, objective, starts, radius in grid:
            one = taken_from(
                AttackOptions,
                options,
                radius=radius,
                objective=objective,
                restarts=starts,
                seed=seed,
            )
            setting, template = settings[size], Batch((), (), size, options.l2, one)
            at_once = attacks_at_once(
                one, setting.dataset, len(sets[0]), options.memory_gb, setting.model
            )
            for batch in make_batches(sets, ks, template, at_once):
                check_attackable(batch, setting)
                tasks.append(Task(batch, setting, execution.device, 1))
    return tasks


def check_below(k: int, settings: Mapping[int, Setting]) -> None:
    """Raise InvalidInput where a training set does not reach beyond the top k."""
    for size, setting in settings.items():
        if k >= len(setting.indices):
            kept = f"below the {len(setting.indices)} training samples of train_size={size}"
            raise InvalidInput("ks", k, kept)


def check_kept(
    asked: Sequence[tuple[int, ...]], seed: int, settings: Mapping[int, Setting]
) -> None:
    """Raise InvalidInput where a training set lacks a target that was asked for."""
    for size, setting in settings.items():
        missing = sorted({t for targets in asked for t in targets if setting.ranks[t] == 0})
        if missing:
            raise InvalidInput(
                "targets",
                missing,
                f"among the {len(setting.indices)} training samples that train_size={size} keeps "
                f"with seed {seed}; give a number of targets to have them drawn there",
            )


def by_size(asked: Sequence[tuple[int, ...]]) -> list[tuple[tuple[int, ...], ...]]:
    """Group the target sets by their size."""
    groups: dict[int, list[tuple[int, ...]]] = {}
    for targets in asked:
        groups.setdefault(len(targets), []).append(targets)
    return [tuple(sets) for sets in groups.values()]


def check_attackable(batch: Batch, setting: Setting) -> None:
    """Raise InvalidInput for a target that is in the top before any attack: now, and not when the
    sweep comes to it."""
    k = batch.ks[0]
    for targets in batch.targets:
        if (setting.ranks[list(targets)] <= k).sum() >= min(k, len(targets)):
            raise already_inside(targets, k)


def run_tasks(tasks: Sequence[Task], execution: Execution) -> pd.DataFrame:
    """Return every task's rows, in the tasks' order: those that are there already, and the others
    as they are computed."""
    find, keep, tell = execution.find, execution.keep, execution.on_progress
    tables: dict[int, pd.DataFrame] = {}
    for i, task in enumerate(tasks):
        found = None if find is None else find(task.batch)
        if found is not None:
            tables[i] = found
    missing = [i for i in range(len(tasks)) if i not in tables]
    attacks = sum(len(task.batch.targets) for task in tasks)

    def say(more: Progress) -> None:
        finished = sum(len(tasks[i].batch.targets) for i in tables)
        tell(replace(more, done=finished, total=attacks))

    say(Progress(found=len(tables)))
    if missing:
        with ExitStack() as stack:
            workers = connect(stack, execution, say)
            processes = process_count(execution.jobs, workers, tasks, len(missing))
            todo = [replace(tasks[i], processes=processes) for i in missing]

            def done(number: int, computed: tuple[pd.DataFrame, float]) -> None:
                table, seconds = computed
                tables[missing[number]] = table
                if keep is not None:
                    keep(todo[number].batch, table, seconds)
                say(Progress(last=str(todo[number].batch)))

            work: Callable[[Task], tuple[pd.DataFrame, float]] = run_batch
            if processes == 1 and not is_distributed():
                work = Here(say)  # the same, with steps reported
            compute_all(work, todo, done, processes, lambda task: str(task.batch))
    return pd.concat([tables[i] for i in range(len(tasks))], ignore_index=True)


class Here:
    """`run_batch` in this process: tells of its steps, and builds a setting's problem once."""

    def __init__(self, say: OnProgress) -> None:
        self.say = say
        self.built: tuple[object, InfluenceProblem] | None = None
        self.said = float("-inf")

    def __call__(self, task: Task) -> tuple[pd.DataFrame, float]:
        batch = task.batch
        choose_threads(task.setting.dataset.size)
        o = batch.options
        wanted = (task.setting, o.damping, o.order, o.dtype)
        if self.built is None or self.built[0] != wanted:
            self.built = None  # two at once would need twice the memory
            setting = task.setting
            problem = problem_of(o, setting.model, setting.dataset, task.device)
            self.built = (wanted, problem)

        def on_step(info: StepInfo) -> None:
            if time.monotonic() - self.said > TELL_SECONDS:
                self.said = time.monotonic()
                self.say(Progress(step=info.step, steps=o.steps))

        return run_batch(task, self.built[1], on_step)


def process_count(jobs: int, workers: int | None, tasks: Sequence[Task], missing: int) -> int:
    """Return how many processes share this machine's cores. On a cluster each task has a worker's
    own."""
    if workers is not None or is_distributed():
        return 1
    if jobs:
        return min(jobs, max(missing, 2))  # more have nothing to do
    small = all(is_small(task.setting.dataset.size) for task in tasks)
    on_cpu = resolve_device(tasks[0].device).type == "cpu"
    return min(os.cpu_count() or 1, SMALL_PROCESSES, missing) if small and on_cpu else 1


def connect(stack: ExitStack, execution: Execution, say: OnProgress) -> int | None:
    """Enter the cluster where one is asked for: its number of workers, None for this machine."""
    if execution.cluster is None:
        return None
    try:
        return stack.enter_context(on_cluster(execution.cluster, execution.connect_seconds))
    except ClusterUnavailable as error:
        if not execution.cluster_fallback:
            raise
        say(Progress(notice=f"{error} Computing on this machine instead, as asked."))
        return None
