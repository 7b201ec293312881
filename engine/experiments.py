"""The one registry of experiments: a name, what can be asked, how it is computed, kept and opened.

The command line, the job runner, the store and the pages all read it: a new experiment is a
request, a function, and one entry in EXPERIMENTS. This module imports no torch; the functions
that compute do.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from engine.attacks.result import AttackResult, Ranking, StepInfo
from engine.checks import check_choice, check_integer, check_positive, check_targets
from engine.data.dataset import Dataset, load_dataset
from engine.errors import InvalidInput
from engine.models.linear import LinearModel
from engine.vocabulary import DTYPES, OBJECTIVES, ORDERS

RESULT_VERSION = 1  # raised when equal requests would give other numbers or other files
ANY_INDEX = 2**31  # requests are checked before the data set is opened; the engine checks again


@dataclass(frozen=True)
class RankingRequest:
    """The honest model's influence ranking; fields as in `fit` and `influence_scores`."""

    dataset: str = "digits"
    damping: float = 0.25
    l2: float = 0.01
    order: str = "highest_first"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        settle(
            self,
            dataset=check_name(self.dataset),
            damping=check_positive("damping", self.damping),
            l2=check_positive("l2", self.l2),
            order=check_choice("order", self.order, ORDERS),
            dtype=check_choice("dtype", self.dtype, DTYPES),
        )


@dataclass(frozen=True)
class AttackRequest:
    """One attack; fields as in `fit` and `attack`."""

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
        )


@dataclass(frozen=True, eq=False)
class RankingResult:
    """The honest model, its rankings on both halves of the test data, and its accuracies there."""

    model: LinearModel
    test: Ranking
    holdout: Ranking
    accuracy_test: float
    accuracy_holdout: float


def ignore(record: dict[str, Any]) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Context:
    """What a computation is given beside its request. `progress` may raise Cancelled to stop it."""

    data_dir: Path | None = None
    device: str = "auto"
    memory: joblib.Memory = field(default_factory=lambda: joblib.Memory(None))
    progress: Callable[[dict[str, Any]], None] = ignore


@dataclass(frozen=True)
class Experiment:
    """`run` computes a request, `save` writes its result into a folder, `load` reads it again."""

    name: str
    title: str
    request: type
    run: Callable[[Any, Dataset, Context], Any]
    save: Callable[[Any, Path], None]
    load: Callable[[Path], Any]


def settle(request: Any, **values: Any) -> None:
    """Write the checked values into a frozen request: 1 and 1.0 must give one key."""
    for name, value in values.items():
        object.__setattr__(request, name, value)


def check_rates(values: object) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or not values:
        raise InvalidInput("learning_rates", values, "a sequence with at least one entry")
    return tuple(check_positive("learning_rates", rate) for rate in values)


def check_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput("dataset", value, "the name of a data set, or the path of an .npz file")
    return value


def experiment(name: str) -> Experiment:
    """The experiment of that name; raises InvalidInput."""
    return EXPERIMENTS[check_choice("experiment", name, EXPERIMENTS)]


def make_request(name: str, values: Mapping[str, Any]) -> Any:
    """The request of experiment `name` with these fields; raises InvalidInput for any other
    field."""
    kind = experiment(name).request
    known = [f.name for f in fields(kind)]
    for given in values:
        check_choice(f"field of '{name}'", given, known)
    return kind(**values)


def open_dataset(request: Any, context: Context) -> Dataset:
    return load_dataset(request.dataset, context.data_dir)


def train(content_hash: str, l2: float, device: str, version: int, dataset: Dataset) -> LinearModel:
    """The honest model; all arguments but the last are its key in joblib's memory, which sees no
    change in `fit` itself: the result version stands for that."""
    from engine.models.fit import fit

    return fit(dataset, l2=l2, device=device)


def honest_model(dataset: Dataset, l2: float, context: Context) -> LinearModel:
    remembered = context.memory.cache(train, ignore=["dataset"])
    return remembered(dataset.content_hash, l2, context.device, RESULT_VERSION, dataset=dataset)


def run_ranking(request: RankingRequest, dataset: Dataset, context: Context) -> RankingResult:
    from engine.influence.scores import influence_scores

    model = honest_model(dataset, request.l2, context)

    def ranking(split: str) -> Ranking:
        found = influence_scores(
            model,
            dataset,
            split=split,
            damping=request.damping,
            order=request.order,
            dtype=request.dtype,
            device=context.device,
        )
        return Ranking(found.scores, found.ranks)

    return RankingResult(
        model=model,
        test=ranking("test"),
        holdout=ranking("holdout"),
        accuracy_test=model.accuracy(dataset.X_test, dataset.y_test),
        accuracy_holdout=model.accuracy(dataset.X_holdout, dataset.y_holdout),
    )


def run_attack(request: AttackRequest, dataset: Dataset, context: Context) -> AttackResult:
    from engine.attacks.attack import attack

    options = asdict(request)
    del options["dataset"]
    model = honest_model(dataset, options.pop("l2"), context)

    def report(info: StepInfo) -> None:
        arrays = {name: value for name, value in vars(info).items() if name != "step"}
        lists = {name: value.tolist() for name, value in arrays.items()}
        context.progress({"step": info.step, "steps": request.steps, **lists})

    return attack(model, dataset, **options, device=context.device, on_step=report)


def model_arrays(name: str, model: LinearModel) -> dict[str, np.ndarray]:
    training = np.array([model.l2, model.gradient_norm, model.iterations])
    return {f"{name}_parameters": model.parameters, f"{name}_training": training}


def read_model(name: str, arrays: Mapping[str, np.ndarray]) -> LinearModel:
    l2, gradient_norm, iterations = arrays[f"{name}_training"].tolist()
    theta = arrays[f"{name}_parameters"]
    return LinearModel(theta[:, :-1], theta[:, -1], l2, gradient_norm, int(iterations))


def ranking_arrays(name: str, ranking: Ranking) -> dict[str, np.ndarray]:
    return {f"{name}_scores": ranking.scores, f"{name}_ranks": ranking.ranks}


def read_ranking(name: str, arrays: Mapping[str, np.ndarray]) -> Ranking:
    return Ranking(arrays[f"{name}_scores"], arrays[f"{name}_ranks"])


def write_parts(
    folder: Path,
    arrays: Mapping[str, np.ndarray],
    scalars: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
) -> None:
    np.savez_compressed(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]  # numpy's stub
    (folder / "scalars.json").write_text(json.dumps(scalars, indent=1), encoding="utf-8")
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)


def read_parts(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return arrays, json.loads((folder / "scalars.json").read_text(encoding="utf-8"))


RANKINGS = ("before", "after", "before_holdout", "after_holdout")
MODELS = ("honest", "model")
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
    for name in MODELS:
        arrays |= model_arrays(name, getattr(result, name))
    for name in RANKINGS:
        arrays |= ranking_arrays(name, getattr(result, name))
    scalars = {name: getattr(result, name) for name in SCALARS}
    write_parts(folder, arrays, scalars, {name: getattr(result, name) for name in TABLES})


def load_attack(folder: Path) -> AttackResult:
    arrays, scalars = read_parts(folder)
    scalars["targets"] = tuple(scalars["targets"])
    parts: dict[str, Any] = {name: read_model(name, arrays) for name in MODELS}
    parts |= {name: read_ranking(name, arrays) for name in RANKINGS}
    parts |= {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    return AttackResult(**scalars, **parts)


def save_ranking(result: RankingResult, folder: Path) -> None:
    arrays = model_arrays("model", result.model)
    arrays |= ranking_arrays("test", result.test) | ranking_arrays("holdout", result.holdout)
    accuracies = {n: getattr(result, n) for n in ("accuracy_test", "accuracy_holdout")}
    write_parts(folder, arrays, accuracies, {})


def load_ranking(folder: Path) -> RankingResult:
    arrays, scalars = read_parts(folder)
    return RankingResult(
        model=read_model("model", arrays),
        test=read_ranking("test", arrays),
        holdout=read_ranking("holdout", arrays),
        **scalars,
    )


EXPERIMENTS = {
    e.name: e
    for e in (
        Experiment(
            "attack",
            "Move samples to the top of the influence ranking",
            AttackRequest,
            run_attack,
            save_attack,
            load_attack,
        ),
        Experiment(
            "ranking",
            "Rank the training samples by their influence",
            RankingRequest,
            run_ranking,
            save_ranking,
            load_ranking,
        ),
    )
}
