"""One attack as an experiment."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, StepInfo
from engine.checks import check_positive, check_targets
from engine.data.dataset import Dataset
from engine.experiments.base import (
    ANY_INDEX,
    Context,
    Experiment,
    OnDataset,
    honest_model_of,
)
from engine.experiments.cost import Size, attack_seconds
from engine.experiments.files import load_fields, save_fields
from engine.options import OneOf, at_least, option, taken_from
from engine.progress import Progress, Runs
from engine.statistics import points
from engine.vocabulary import DAMPING, DTYPES, L2, LINEAR, MODELS, ORDERS


def training_samples(name: str, value: object) -> tuple[int, ...]:
    """Check for distinct training indices, at least one."""
    return check_targets(value, ANY_INDEX)


@dataclass(frozen=True)
class OnTargets(OnDataset):
    """What is asked of training samples of a data set."""

    targets: tuple[int, ...] = option((16,), training_samples)


@dataclass(frozen=True)
class AttackRequest(AttackOptions, OnTargets):
    """One attack: its options, l2 of the honest model's training and the model's kind."""

    l2: float = option(L2, check_positive)
    model: str = option(LINEAR, OneOf(MODELS), added=True)


def run_attack(request: AttackRequest, dataset: Dataset, context: Context) -> AttackResult:
    from engine.attacks.attack import attack_with
    from engine.attacks.batch import check_memory

    model = honest_model_of(request.model, dataset, request.l2, context)
    check_memory(request, dataset, context.device, model)
    report = steps_reported(request, context)
    return attack_with(
        request, model, dataset, request.targets, device=context.device, on_step=report
    )


def steps_reported(options: AttackOptions, context: Context) -> Callable[[StepInfo], None]:
    """Return a callback that reports an attack's steps as progress."""

    def report(info: StepInfo) -> None:
        runs = Runs(
            run=tuple(info.run.tolist()),
            rank=tuple(info.rank.tolist()),
            loss=tuple(info.loss.tolist()),
            accuracy_test=tuple(info.accuracy_test.tolist()),
            accuracy_holdout=tuple(info.accuracy_holdout.tolist()),
        )
        context.progress(Progress(step=info.step, steps=options.steps, runs=runs))

    return report


@dataclass(frozen=True)
class OnOneAttack(OnDataset):
    """What is asked of the model that an attack on one sample makes: the attack's own fields as in
    `AttackRequest`. The seed is that of all that is drawn."""

    target: int = option(16, at_least(0, ANY_INDEX - 1))
    k: int = option(1, at_least(1))
    radius: float = option(0.35, check_positive)
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES), added=True)

    @property
    def attack(self) -> AttackRequest:
        """Return the attack whose model is looked at."""
        return taken_from(AttackRequest, self, targets=(self.target,))


def find_or_attack(request: AttackRequest, dataset: Dataset, context: Context) -> AttackResult:
    """Return the stored result of an attack, or make the attack now."""
    found = context.find("attack", request)
    return run_attack(request, dataset, context) if found is None else found


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
            f"({points(-result.accuracy_drop)} points), "
            f"{result.predictions_changed} predictions changed",
            f"  distance {result.distance:.3f} · ‖θ*‖, rank correlation (Spearman) "
            f"{result.rank_correlation:.2f}, {result.kept(10):.0%} of the ten first kept",
        ]
    )


def attack_cost(request: AttackRequest, size: Size) -> float:
    return attack_seconds(size, request.runs, request.steps, request.model)


ATTACK = Experiment(
    "attack",
    "Move samples to the top of the influence ranking",
    AttackRequest,
    run_attack,
    save_fields,
    partial(load_fields, AttackResult),
    describe_attack,
    seconds=attack_cost,
)
