"""Theorem 1 put to the test: random models and the attack against the sample that cannot rise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.checks import check_positive
from engine.errors import InvalidInput
from engine.experiments.attack import steps_reported
from engine.experiments.base import Context, Experiment, honest_model
from engine.experiments.cost import Size, attack_seconds
from engine.experiments.files import load_fields, save_fields
from engine.options import Options, at_least, option, taken_from
from engine.progress import Progress
from engine.scrutiny.impossibility import RandomModels, impossible_instance, try_random_models
from engine.vocabulary import DAMPING, L2

MODELS = "models.parquet"
STEP_SECONDS, TRY_SECONDS = 1e-3, 1e-4  # of a run's step, and of a random model, at most


@dataclass(frozen=True)
class ImpossibleRequest(Options):
    """Fields as in `impossible_instance`, `try_random_models` (`count` models) and `attack`; the
    seed is that of the samples, of the random models and of the attack's starts."""

    k: int = option(1, at_least(1))
    n_train: int = option(60, at_least(2))
    n_features: int = option(2, at_least(2))
    count: int = option(10_000, at_least(1))
    radius: float = option(1.0, check_positive)
    restarts: int = option(5, at_least(0))
    steps: int = option(100, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    seed: int = option(0, at_least(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k >= self.n_train:
            raise InvalidInput("k", self.k, f"below n_train = {self.n_train}")

    @property
    def attack(self) -> AttackOptions:
        """Return the request of the attack that is tried."""
        return taken_from(AttackOptions, self, dtype="float64")


@dataclass(frozen=True, eq=False)
class ImpossibleResult:
    """What random models and the attack made of the target."""

    random: RandomModels
    attack: AttackResult

    @property
    def tried(self) -> int:
        """Count the models that were tried: the random ones, and one per step of every run."""
        return len(self.random.table) + len(self.attack.trajectory)

    @property
    def beaten(self) -> int:
        """Count the models that have the target in the top k."""
        return self.random.beaten + int((self.attack.trajectory["rank"] <= self.random.k).sum())

    @property
    def best_rank(self) -> int:
        """Return the target's best rank under any of the models."""
        return min(self.random.best_rank, int(self.attack.trajectory["rank"].min()))


def run_impossible(request: ImpossibleRequest, dataset: None, context: Context) -> ImpossibleResult:
    from engine.attacks.attack import attack_with

    instance = impossible_instance(
        request.k, request.n_train, request.n_features, seed=request.seed
    )
    found = try_random_models(instance, request.count, request.seed, request.damping)
    context.progress(Progress(tried=len(found.table), beaten=found.beaten))
    attacked = attack_with(
        request.attack,
        honest_model(instance.dataset, request.l2, context),
        instance.dataset,
        instance.target,
        device=context.device,
        on_step=steps_reported(request.attack, context),
    )
    return ImpossibleResult(found, attacked)


def save_impossible(result: ImpossibleResult, folder: Path) -> None:
    save_fields(result.attack, folder)
    result.random.table.to_parquet(folder / MODELS, index=False)


def load_impossible(folder: Path) -> ImpossibleResult:
    attacked = load_fields(AttackResult, folder)
    return ImpossibleResult(RandomModels(attacked.k, pd.read_parquet(folder / MODELS)), attacked)


def describe_impossible(result: ImpossibleResult) -> str:
    k, runs = result.random.k, result.attack.runs
    return (
        f"{result.random.beaten} of {len(result.random.table):,} random models and "
        f"{int(runs['reached'].sum())} of {len(runs)} runs of the attack have the target in the "
        f"top {k}\n  its best rank under any of {result.tried:,} models: {result.best_rank} of "
        f"{len(result.attack.before.ranks)}"
    )


def impossible_cost(request: ImpossibleRequest, size: Size) -> float:
    own, attack = Size(request.n_train, request.n_features, 2), request.attack
    # Its products are tiny: what a step and a random model cost is mostly not theirs.
    fixed = attack.runs * request.steps * STEP_SECONDS + request.count * TRY_SECONDS
    return fixed + attack_seconds(own, attack.runs, request.steps)


IMPOSSIBLE = Experiment(
    "impossible",
    "Try to beat the impossibility theorem",
    ImpossibleRequest,
    run_impossible,
    save_impossible,
    load_impossible,
    describe_impossible,
    seconds=impossible_cost,
)
