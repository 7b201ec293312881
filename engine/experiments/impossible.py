"""Theorem 1 put to the test: random models and the attack against the sample that cannot rise."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from engine.attacks.result import AttackResult, StepInfo
from engine.checks import check_integer, check_positive
from engine.errors import InvalidInput
from engine.experiments.attack import load_attack, progress_of, save_attack
from engine.experiments.base import Context, Experiment, honest_model, settle
from engine.progress import Progress
from engine.scrutiny.impossibility import RandomModels, impossible_instance, try_random_models

MODELS = "models.parquet"


@dataclass(frozen=True)
class ImpossibleRequest:
    """Fields as in `impossible_instance`, `try_random_models` (`count` models) and `attack`; the
    seed is that of the samples, of the random models and of the attack's starts."""

    k: int = 1
    n_train: int = 60
    n_features: int = 2
    count: int = 10_000
    radius: float = 1.0
    restarts: int = 5
    steps: int = 100
    damping: float = 0.25
    l2: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        settle(
            self,
            k=check_integer("k", self.k, 1),
            n_train=check_integer("n_train", self.n_train, 2),
            n_features=check_integer("n_features", self.n_features, 2),
            count=check_integer("count", self.count, 1),
            radius=check_positive("radius", self.radius),
            restarts=check_integer("restarts", self.restarts, 0),
            steps=check_integer("steps", self.steps, 1),
            damping=check_positive("damping", self.damping),
            l2=check_positive("l2", self.l2),
            seed=check_integer("seed", self.seed, 0),
        )
        if self.k >= self.n_train:
            raise InvalidInput("k", self.k, f"below n_train = {self.n_train}")


@dataclass(frozen=True, eq=False)
class ImpossibleResult:
    """What random models and the attack made of the target."""

    random: RandomModels
    attack: AttackResult

    @property
    def tried(self) -> int:
        """Models looked at: the random ones, and one for every step of every run."""
        return len(self.random.table) + len(self.attack.trajectory)

    @property
    def beaten(self) -> int:
        """Models that have the target in the top k."""
        return self.random.beaten + int((self.attack.trajectory["rank"] <= self.random.k).sum())

    @property
    def best_rank(self) -> int:
        """The target's best rank under any of them."""
        return min(self.random.best_rank, int(self.attack.trajectory["rank"].min()))


def run_impossible(request: ImpossibleRequest, dataset: None, context: Context) -> ImpossibleResult:
    from engine.attacks.attack import attack

    asked = asdict(request)
    instance = impossible_instance(
        request.k, request.n_train, request.n_features, seed=request.seed
    )
    found = try_random_models(instance, request.count, request.seed, request.damping)
    context.progress(Progress(tried=len(found.table), beaten=found.beaten))

    def report(info: StepInfo) -> None:
        context.progress(progress_of(info, request.steps))

    attacked = attack(
        honest_model(instance.dataset, request.l2, context),
        instance.dataset,
        instance.target,
        **{name: asked[name] for name in ("k", "radius", "restarts", "steps", "damping", "seed")},
        dtype="float64",
        device=context.device,
        on_step=report,
    )
    return ImpossibleResult(found, attacked)


def save_impossible(result: ImpossibleResult, folder: Path) -> None:
    save_attack(result.attack, folder)
    result.random.table.to_parquet(folder / MODELS, index=False)


def load_impossible(folder: Path) -> ImpossibleResult:
    attacked = load_attack(folder)
    return ImpossibleResult(RandomModels(attacked.k, pd.read_parquet(folder / MODELS)), attacked)


def describe_impossible(result: ImpossibleResult) -> str:
    k, runs = result.random.k, result.attack.runs
    return (
        f"{result.random.beaten} of {len(result.random.table):,} random models and "
        f"{int(runs['reached'].sum())} of {len(runs)} runs of the attack have the target in the "
        f"top {k}\n  its best rank under any of {result.tried:,} models: {result.best_rank} of "
        f"{len(result.attack.before.ranks)}"
    )


IMPOSSIBLE = Experiment(
    "impossible",
    "Try to beat the impossibility theorem",
    ImpossibleRequest,
    run_impossible,
    save_impossible,
    load_impossible,
    describe_impossible,
)
