"""The honest influence ranking as an experiment."""

from dataclasses import dataclass
from functools import partial

from engine.attacks.result import Ranking
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import Context, Experiment, OnDataset, honest_model_of
from engine.experiments.cost import FIXED_SECONDS, Size, honest_seconds
from engine.experiments.files import load_fields, save_fields
from engine.models.model import Model
from engine.options import OneOf, option
from engine.vocabulary import DAMPING, DTYPES, L2, LINEAR, MODELS, ORDERS


@dataclass(frozen=True)
class RankingRequest(OnDataset):
    """The honest model's influence ranking; fields as in `fit` and `influence_scores`; model: a
    kind in `engine.vocabulary`."""

    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    dtype: str = option("float32", OneOf(DTYPES))
    model: str = option(LINEAR, OneOf(MODELS), added=True)


@dataclass(frozen=True, eq=False)
class RankingResult:
    """The honest model, its rankings on both halves of the test data, and its accuracies there."""

    model: Model
    test: Ranking
    holdout: Ranking
    accuracy_test: float
    accuracy_holdout: float


def run_ranking(request: RankingRequest, dataset: Dataset, context: Context) -> RankingResult:
    from engine.influence.scores import influence_scores

    model = honest_model_of(request.model, dataset, request.l2, context)

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


def describe_ranking(result: RankingResult) -> str:
    first = ", ".join(str(i) for i in result.test.top(10))
    return (
        f"The ten first in the honest ranking of {len(result.test.ranks)}: {first}\n"
        f"  holdout accuracy {result.accuracy_holdout:.1%}"
    )


def ranking_cost(request: RankingRequest, size: Size) -> float:
    return FIXED_SECONDS + honest_seconds(size, request.model)


RANKING = Experiment(
    "ranking",
    "Rank the training samples by their influence",
    RankingRequest,
    run_ranking,
    save_fields,
    partial(load_fields, RankingResult),
    describe_ranking,
    seconds=ranking_cost,
)
