"""Sweeps: many attacks over targets, radii, k, objectives, set sizes, training sizes and seeds.

A sweep is cut into batches (`engine.attacks.batch`); how, depends on the request and on the size of
the data alone. Batches are computed in this process, in several, or on a cluster
(`engine.parallel`), and each is handed out as soon as it is finished, so that an interrupted sweep
goes on where it stopped. Nothing is reused across radii.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.attack import already_inside, check_ks, one_run_serves
from engine.attacks.batch import Batch, Setting, Task, attacks_at_once, run_batch
from engine.attacks.objectives import OBJECTIVES
from engine.attacks.result import StepInfo
from engine.checks import check_choice, check_integer, check_positive, check_targets
from engine.data.dataset import Dataset
from engine.data.subset import training_subset, with_training_subset
from engine.devices import choose_threads, is_small, resolve_device
from engine.errors import ClusterUnavailable, InvalidInput
from engine.influence.build import build_problem
from engine.influence.problem import InfluenceProblem
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.model import Model
from engine.parallel import compute_all, is_distributed, on_cluster
from engine.progress import OnProgress, Progress, ignore

TELL_SECONDS = 0.5  # between two reports of a step
SMALL_PROCESSES = 4  # more would only wait for the last batch


def draw_targets(
    outside: NDArray[np.int64], attacks: int, set_size: int, seed: int
) -> tuple[tuple[int, ...], ...]:
    """`attacks` target sets from the samples `outside`; their first members differ, and the sets of
    a smaller size are contained in those of a larger one."""
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


def check_sets(targets: Sequence[Any], n: int) -> tuple[tuple[int, ...], ...]:
    """Explicit targets: an index or a set of them an attack, no attack twice."""
    sets = tuple(check_targets(t, n) for t in targets)
    if not sets:
        raise InvalidInput("targets", targets, "a number of targets, or at least one of them")
    if len({frozenset(s) for s in sets}) < len(sets):
        raise InvalidInput("targets", targets, "distinct: every attack once")
    return sets


def make_setting(
    dataset: Dataset,
    train_size: int,
    seed: int,
    damping: float,
    order: str,
    dtype: str,
    device: str,
    honest: Callable[[Dataset], Model],
) -> Setting:
    """The training set of that size (0: all of it), its honest model and ranks."""
    n = dataset.n_train
    indices = np.arange(n) if train_size == 0 else training_subset(dataset, train_size, seed)
    part = dataset if train_size == 0 else with_training_subset(dataset, indices)
    model = honest(part)
    found = influence_scores(model, part, damping=damping, order=order, dtype=dtype, device=device)
    ranks = np.zeros(n, dtype=np.int64)
    ranks[indices] = found.ranks
    return Setting(part, indices, model, ranks)


def make_batches(
    sets: tuple[tuple[int, ...], ...],
    ks: tuple[int, ...],
    template: Batch,
    at_once: int,
) -> Iterator[Batch]:
    """The batches of one cell: as few runs as serve every k, `at_once` attacks each."""
    together = [ks] if one_run_serves(template.objective, len(sets[0])) else [(k,) for k in ks]
    for some_ks in together:
        for first in range(0, len(sets), at_once):
            yield replace(template, ks=some_ks, targets=sets[first : first + at_once])


def sweep(
    dataset: Dataset,
    targets: int | Sequence[int | Sequence[int]] = 50,
    radii: Sequence[float] = (0.3,),
    ks: Sequence[int] = (1,),
    objectives: Sequence[str] = ("higher_ranked",),
    restarts: Sequence[int] = (5,),
    set_sizes: Sequence[int] = (1,),
    train_sizes: Sequence[int] = (0,),
    seeds: Sequence[int] = (0,),
    learning_rates: Sequence[float] = (0.01, 0.1),
    steps: int = 100,
    damping: float = 0.25,
    l2: float = 0.01,
    order: str = "highest_first",
    dtype: str = "float32",
    device: str = "auto",
    memory_gb: float = 2.0,
    jobs: int = 0,
    cluster: str | None = None,
    cluster_fallback: bool = False,
    find: Callable[[Batch], pd.DataFrame | None] | None = None,
    keep: Callable[[Batch, pd.DataFrame, float], None] | None = None,
    on_progress: OnProgress = ignore,
    honest: Callable[[Dataset], Model] | None = None,
) -> pd.DataFrame:
    """All attacks of the grid as one tidy table: a row an attack and k.

    targets: how many to draw (for each seed, outside the honest top of the largest k), or the
        targets themselves, each an index or a set; `set_sizes` then has no say.
    restarts: of Algorithm 3, 0 starts once at θ*. train_sizes: samples to train on, drawn by the
        seed, nested and balanced; 0 stands for all.
    memory_gb: budget of a process beside the features; what does not fit is cut into batches.
    jobs: processes, 0 for a choice by the size of the data (1 for large data, whose products use
        all cores). Within `joblib.parallel_config(backend="dask")`, or with the address of a dask
        scheduler as `cluster`, the cluster computes instead; with `cluster_fallback`, this machine
        does where that address does not answer.
    find, keep: a stock of finished batches. on_progress: told of every batch, and, where batches
        are computed in this process, of every step; it may raise to stop the sweep.
    honest: trains the model; `fit` with this l2 where none is given.

    Columns: the request (dataset, train_size, seed, set_size, target, targets, objective, restarts,
    radius, k, order, damping); rank_before, rank_test and their `_holdout` (for a set: the worst
    among the min(k, t) best-placed); success of the returned model and `any_run_success`, on test
    and, as transfer, on holdout; accuracies on holdout before and after, `any_run_accuracy` the
    highest among the runs that succeed; shares and collateral as in AttackResult; steps, runs,
    runs_stuck, stuck (no run arrived); and, per run, runs_in_top (how many targets are in the top
    k), runs_in_top_holdout and runs_accuracy (holdout). `success_rates` sums it up.
    Raises InvalidInput, DeviceUnavailable, NotConverged, ClusterUnavailable, WorkerDied.
    """
    n = dataset.n_train
    ks = check_ks(ks, n - 1)
    radii = [check_positive("radius", radius) for radius in given("radii", radii)]
    for name in given("objectives", objectives):
        check_choice("objective", name, OBJECTIVES)
    restarts = [check_integer("restarts", r, 0) for r in given("restarts", restarts)]
    set_sizes = [check_integer("set_size", t, 1, n) for t in given("set_sizes", set_sizes)]
    train_sizes = [check_integer("train_size", s, 0, n) for s in given("train_sizes", train_sizes)]
    if (
        0 in train_sizes
    ):  # n is the same training set: in the table each attack would be there twice
        train_sizes = [s for s in train_sizes if s != n]
    seeds = [check_integer("seed", s, 0) for s in given("seeds", seeds)]
    rates = tuple(
        check_positive("learning_rates", r) for r in given("learning_rates", learning_rates)
    )
    memory_gb = check_positive("memory_gb", memory_gb)
    jobs = check_integer("jobs", jobs, 0)
    resolve_device(device)
    explicit = check_sets(targets, n) if isinstance(targets, Iterable) else None
    if explicit is None:
        targets = check_integer("targets", targets, 1, n)
    train = honest or (lambda part: fit(part, l2=l2, device=device))

    tasks: list[Task] = []
    for seed in seeds:
        settings = {
            size: make_setting(dataset, size, seed, damping, order, dtype, device, train)
            for size in dict.fromkeys(train_sizes)
        }
        groups = grouped(explicit, targets, set_sizes, seed, settings, ks)
        for size, sets, objective, starts, radius in product(
            settings, groups, objectives, restarts, radii
        ):
            part, model = settings[size].dataset, settings[size].model
            at_once = attacks_at_once(
                part, starts, len(rates), len(sets[0]), dtype, memory_gb, model
            )
            template = Batch(
                targets=(),
                ks=(),
                radius=radius,
                objective=objective,
                restarts=starts,
                learning_rates=rates,
                steps=check_integer("steps", steps, 1),
                train_size=size,
                seed=seed,
                damping=damping,
                l2=l2,
                order=order,
                dtype=dtype,
            )
            for batch in make_batches(sets, ks, template, at_once):
                check_attackable(batch, settings[size])
                tasks.append(Task(batch, settings[size], device, 1))
    return run_tasks(tasks, jobs, cluster, cluster_fallback, find, keep, on_progress)


def given(name: str, values: Sequence[Any]) -> list[Any]:
    """The distinct values of an axis, in their order."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise InvalidInput(name, values, "a sequence with at least one entry")
    return list(dict.fromkeys(values))


def grouped(
    explicit: tuple[tuple[int, ...], ...] | None,
    attacks: Any,
    set_sizes: Sequence[int],
    seed: int,
    settings: dict[int, Setting],
    ks: tuple[int, ...],
) -> list[tuple[tuple[int, ...], ...]]:
    """The target sets, by size: those given, or drawn outside every setting's honest top."""
    ranks = np.stack([s.ranks for s in settings.values()])
    for size, setting in settings.items():
        if max(ks) >= len(setting.indices):
            kept = f"below the {len(setting.indices)} training samples of train_size={size}"
            raise InvalidInput("ks", max(ks), kept)
    if explicit is None:
        outside = np.flatnonzero((ranks > max(ks)).all(axis=0))
        return [draw_targets(outside, attacks, size, seed) for size in set_sizes]
    for size, setting in settings.items():
        missing = sorted({t for s in explicit for t in s if setting.ranks[t] == 0})
        if missing:
            raise InvalidInput(
                "targets",
                missing,
                f"among the {len(setting.indices)} training samples that train_size={size} keeps "
                f"with seed {seed}; give a number of targets to have them drawn there",
            )
    by_size: dict[int, list[tuple[int, ...]]] = {}
    for one in explicit:
        by_size.setdefault(len(one), []).append(one)
    return [tuple(sets) for sets in by_size.values()]


def check_attackable(batch: Batch, setting: Setting) -> None:
    """Raise InvalidInput for a target that is in the top before any attack: now, and not when the
    sweep comes to it."""
    k = batch.ks[0]
    for targets in batch.targets:
        if (setting.ranks[list(targets)] <= k).sum() >= min(k, len(targets)):
            raise already_inside(targets, k)


def run_tasks(
    tasks: Sequence[Task],
    jobs: int,
    cluster: str | None,
    fallback: bool,
    find: Callable[[Batch], pd.DataFrame | None] | None,
    keep: Callable[[Batch, pd.DataFrame, float], None] | None,
    tell: OnProgress,
) -> pd.DataFrame:
    """Every task's rows, in the tasks' order: those that are there already, and the others as they
    are computed."""
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
            workers = connect(stack, cluster, fallback, say)
            processes = process_count(jobs, workers, tasks, len(missing))
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
        self.built: tuple[Any, InfluenceProblem] | None = None
        self.said = float("-inf")

    def __call__(self, task: Task) -> tuple[pd.DataFrame, float]:
        batch = task.batch
        choose_threads(task.setting.dataset.size)
        wanted = (task.setting, batch.damping, batch.order, batch.dtype)
        if self.built is None or self.built[0] != wanted:
            self.built = None  # two at once would need twice the memory
            problem = build_problem(
                task.setting.model,
                task.setting.dataset,
                batch.damping,
                batch.order,
                batch.dtype,
                task.device,
            )
            self.built = (wanted, problem)

        def on_step(info: StepInfo) -> None:
            if time.monotonic() - self.said > TELL_SECONDS:
                self.said = time.monotonic()
                self.say(Progress(step=info.step, steps=batch.steps))

        return run_batch(task, self.built[1], on_step)


def process_count(jobs: int, workers: int | None, tasks: Sequence[Task], missing: int) -> int:
    """How many processes share this machine's cores. On a cluster each task has a worker's own."""
    if workers is not None or is_distributed():
        return 1
    if jobs:
        return jobs
    small = all(is_small(task.setting.dataset.size) for task in tasks)
    on_cpu = resolve_device(tasks[0].device).type == "cpu"
    return min(os.cpu_count() or 1, SMALL_PROCESSES, missing) if small and on_cpu else 1


def connect(stack: ExitStack, cluster: str | None, fallback: bool, say: OnProgress) -> int | None:
    """Enter the cluster, where one is asked for; its number of workers, None for this machine."""
    if cluster is None:
        return None
    try:
        return stack.enter_context(on_cluster(cluster))
    except ClusterUnavailable as error:
        if not fallback:
            raise
        say(Progress(notice=f"{error} Computing on this machine instead, as asked."))
        return None
