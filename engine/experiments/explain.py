"""The influence of every training sample on a single test sample, as an experiment."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.attacks.result import Ranking
from engine.checks import check_integer, check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import ANY_INDEX, Context, Experiment, OnDataset, honest_model
from engine.experiments.cost import FIXED_SECONDS, Size, honest_seconds
from engine.experiments.files import ranking_arrays, read_parts, read_ranking, write_parts
from engine.options import OneOf, at_least, option
from engine.vocabulary import DAMPING, DTYPES, L2


@dataclass(frozen=True)
class ExplainRequest(OnDataset):
    """The ranking for the loss on one sample of `test`; fields as in `fit`, `influence_matrix`."""

    image: int = option(0, at_least(0, ANY_INDEX))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    dtype: str = option("float64", OneOf(DTYPES))


@dataclass(frozen=True, eq=False)
class ExplainResult:
    """Scores and ranks of the training samples for one test sample, and what the honest model makes
    of it: probabilities (K,) and its loss. class_names: none in results of earlier versions."""

    ranking: Ranking
    probabilities: NDArray[np.float64]
    label: int
    class_names: tuple[str, ...] = ()

    @property
    def predicted(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def loss(self) -> float:
        return float(-np.log(self.probabilities[self.label]))


def run_explain(request: ExplainRequest, dataset: Dataset, context: Context) -> ExplainResult:
    from engine.influence.problem import ranks
    from engine.scrutiny.queries import influence_matrix

    image = check_integer("image", request.image, 0, len(dataset.y_test) - 1)
    model = honest_model(dataset, request.l2, context)
    X, y = dataset.X_test[image : image + 1], dataset.y_test[image : image + 1]
    scores = influence_matrix(
        model,
        dataset,
        X,
        y,
        damping=request.damping,
        tolerance=1e-6,
        dtype=request.dtype,
        device=context.device,
    )[:, 0]
    ranking, probabilities = Ranking(scores, ranks(scores)), model.probabilities(X)[0]
    return ExplainResult(ranking, probabilities, int(y[0]), dataset.class_names)


def save_explain(result: ExplainResult, folder: Path) -> None:
    arrays = ranking_arrays("image", result.ranking) | {"probabilities": result.probabilities}
    scalars = {"label": result.label, "class_names": result.class_names}
    write_parts(folder, arrays, scalars, {})


def load_explain(folder: Path) -> ExplainResult:
    arrays, scalars = read_parts(folder)
    scalars["class_names"] = tuple(scalars.get("class_names", ()))
    return ExplainResult(read_ranking("image", arrays), arrays["probabilities"], **scalars)


def describe_explain(result: ExplainResult) -> str:
    top = result.ranking.top(len(result.ranking.ranks))
    first, last = (", ".join(map(str, some)) for some in (top[:5], top[:-6:-1]))
    labels = (result.label, result.predicted)
    named = [f"'{result.class_names[c]}'" if result.class_names else c for c in labels]
    return (
        f"The sample is of class {named[0]}, predicted {named[1]} "
        f"(loss {result.loss:.3g})\n  up-weighting raises its loss most: {first}\n"
        f"  up-weighting lowers its loss most: {last}"
    )


def explain_cost(request: ExplainRequest, size: Size) -> float:
    return FIXED_SECONDS + honest_seconds(size)


EXPLAIN = Experiment(
    "explain",
    "Rank the training samples by their influence on one test sample",
    ExplainRequest,
    run_explain,
    save_explain,
    load_explain,
    describe_explain,
    seconds=explain_cost,
)
