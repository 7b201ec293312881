"""One attack as an experiment."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.attacks.result import AttackResult, StepInfo
from engine.checks import check_choice, check_integer, check_positive, check_targets
from engine.data.dataset import Dataset
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
from engine.experiments.files import (
    model_arrays,
    ranking_arrays,
    read_model,
    read_parts,
    read_ranking,
    write_parts,
)
from engine.progress import Progress, Runs
from engine.vocabulary import DTYPES, MODELS, OBJECTIVES, ORDERS


@dataclass(frozen=True)
class AttackRequest:
    """One attack; fields as in `fit` and `attack`; model: a kind in `engine.vocabulary`."""

    dataset: str = "digits"
    targets: tuple[int, ...] = (16,)
    k: int = 1
    radius: float = 0.3
    objective: str = "higher_ranked"
    restarts: int = 5
    learning_rates: tuple[float, ...] = (0.01, 0.1)
    steps: int = 100
    damping: float = 0.25
    l2: float = 0.01
    order: str = "highest_first"
    seed: int = 0
    dtype: str = "float32"
    model: str = added_field(LINEAR)

    def __post_init__(self) -> None:
        settle(
            self,
            dataset=check_name(self.dataset),
            targets=check_targets(self.targets, ANY_INDEX),
            k=check_integer("k", self.k, 1),
            radius=check_positive("radius", self.radius),
            objective=check_choice("objective", self.objective, OBJECTIVES),
            restarts=check_integer("restarts", self.restarts, 0),
            learning_rates=check_rates(self.learning_rates),
            steps=check_integer("steps", self.steps, 1),
            damping=check_positive("damping", self.damping),
            l2=check_positive("l2", self.l2),
            order=check_choice("order", self.order, ORDERS),
            seed=check_integer("seed", self.seed, 0),
            dtype=check_choice("dtype", self.dtype, DTYPES),
            model=check_choice("model", self.model, MODELS),
        )


def run_attack(request: AttackRequest, dataset: Dataset, context: Context) -> AttackResult:
    from engine.attacks.attack import attack
    from engine.attacks.batch import check_memory

    rates = len(request.learning_rates)
    options = asdict(request)
    del options["dataset"]
    model = honest_model_of(options.pop("model"), dataset, options.pop("l2"), context)
    check_memory(dataset, request.restarts, rates, request.dtype, context.device, model)

    def report(info: StepInfo) -> None:
        context.progress(progress_of(info, request.steps))

    return attack(model, dataset, **options, device=context.device, on_step=report)


def progress_of(info: StepInfo, steps: int) -> Progress:
    """What is told of a step of an attack of so many."""
    runs = Runs(
        run=tuple(info.run.tolist()),
        rank=tuple(info.rank.tolist()),
        loss=tuple(info.loss.tolist()),
        accuracy_test=tuple(info.accuracy_test.tolist()),
        accuracy_holdout=tuple(info.accuracy_holdout.tolist()),
    )
    return Progress(step=info.step, steps=steps, runs=runs)


def attack_of(request: Any) -> AttackRequest:
    """The attack on `request.target` that a request looks into: the fields that both have."""
    shared = {f.name for f in fields(AttackRequest)} & {f.name for f in fields(request)}
    options = {name: getattr(request, name) for name in shared}
    return AttackRequest(**options, targets=(request.target,))


def find_or_attack(request: AttackRequest, dataset: Dataset, context: Context) -> AttackResult:
    """The stored result of an attack, or that of one made now."""
    found = context.find("attack", request)
    return run_attack(request, dataset, context) if found is None else found


RANKINGS = ("before", "after", "before_holdout", "after_holdout")
BOTH = ("honest", "model")
TABLES = ("runs", "trajectory")
SCALARS = (
    "targets",
    "k",
    "order",
    "accuracy_before",
    "accuracy_after",
    "distance",
    "rank_correlation",
    "topk_kept",
    "predictions_changed",
)


def save_attack(result: AttackResult, folder: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    for name in BOTH:
        arrays |= model_arrays(name, getattr(result, name))
    for name in RANKINGS:
        arrays |= ranking_arrays(name, getattr(result, name))
    scalars = {name: getattr(result, name) for name in SCALARS}
    write_parts(folder, arrays, scalars, {name: getattr(result, name) for name in TABLES})


def load_attack(folder: Path) -> AttackResult:
    arrays, scalars = read_parts(folder)
    scalars["targets"] = tuple(scalars["targets"])
    parts: dict[str, Any] = {name: read_model(name, arrays) for name in BOTH}
    parts |= {name: read_ranking(name, arrays) for name in RANKINGS}
    parts |= {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    return AttackResult(**scalars, **parts)


def describe_attack(result: AttackResult) -> str:
    n = len(result.before.ranks)
    moves = [
        f"Sample {t}: rank {result.before.ranks[t]} → {result.after.ranks[t]} of {n} on the "
        f"attack's test set, {result.before_holdout.ranks[t]} → {result.after_holdout.ranks[t]} "
        "on the unknown one"
        for t in result.targets
    ]
    verdict = "reached" if result.success else "did NOT reach"
    arrived = int(result.runs["reached"].sum())
    return "\n".join(
        [
            *moves,
            f"  the returned model {verdict} the top {result.k}; {arrived} of {len(result.runs)} "
            "runs did",
            f"  holdout accuracy {result.accuracy_before:.1%} → {result.accuracy_after:.1%} "
            f"({-100 * result.accuracy_drop:+.1f} points), "
            f"{result.predictions_changed} predictions changed",
            f"  distance {result.distance:.3f} · ‖θ*‖, rank correlation (Spearman) "
            f"{result.rank_correlation:.2f}, {result.kept(10):.0%} of the ten first kept",
        ]
    )


ATTACK = Experiment(
    "attack",
    "Move samples to the top of the influence ranking",
    AttackRequest,
    run_attack,
    save_attack,
    load_attack,
    describe_attack,
)
