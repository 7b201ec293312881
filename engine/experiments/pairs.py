"""Pairs of an honest and a malicious model, as people are asked to tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.attacks.result import AttackResult, Ranking
from engine.data.dataset import Dataset
from engine.experiments.attack import AttackRequest
from engine.experiments.base import Context, Experiment, honest_model_of
from engine.experiments.cost import Size, attack_seconds
from engine.experiments.files import load_fields, save_fields
from engine.progress import Progress

AT_ONCE = 10  # attacks in a batch


@dataclass(frozen=True)
class PairsRequest(AttackRequest):
    """One attack on each of the targets, its options as in an attack: a pair of models each."""


@dataclass(frozen=True, eq=False)
class PairsResult:
    """One honest model, and p malicious ones with a target each.

    targets: (p,). honest_scores: (n,) and scores: (p, n) of the training samples on `test`, with
    the ranks honest_ranks (n,) and ranks (p, n). honest_predictions: (m,) and predictions: (p, m)
    of the holdout samples, as labels.
    """

    targets: NDArray[np.int64]
    honest_scores: NDArray[np.floating]
    honest_ranks: NDArray[np.integer]
    scores: NDArray[np.floating]
    ranks: NDArray[np.integer]
    honest_predictions: NDArray[np.integer]
    predictions: NDArray[np.integer]

    @property
    def before(self) -> Ranking:
        """Return the honest model's ranking."""
        return Ranking(self.honest_scores, self.honest_ranks.astype(np.int64))

    def after(self, pair: int) -> Ranking:
        """Return the ranking of a pair's malicious model."""
        return Ranking(self.scores[pair], self.ranks[pair].astype(np.int64))


def run_pairs(request: PairsRequest, dataset: Dataset, context: Context) -> PairsResult:
    from engine.attacks.attack import attack_each_k

    model = honest_model_of(request.model, dataset, request.l2, context)
    found: list[AttackResult] = []
    for first in range(0, len(request.targets), AT_ONCE):
        context.progress(Progress(done=first, total=len(request.targets)))
        batch = request.targets[first : first + AT_ONCE]
        made = attack_each_k(model, dataset, batch, (request.k,), request, device=context.device)
        found += [by_k[request.k] for by_k in made]
    return pairs_of(found, dataset)


def pairs_of(found: Sequence[AttackResult], dataset: Dataset) -> PairsResult:
    """Return what of attacks is kept for the pairs: scores, ranks, and predictions."""
    X, honest = dataset.X_holdout, found[0]
    label, rank = np.min_scalar_type(dataset.n_classes), np.min_scalar_type(dataset.n_train)
    return PairsResult(
        targets=np.array([one.targets[0] for one in found]),
        honest_scores=honest.before.scores,
        honest_ranks=honest.before.ranks.astype(rank),
        scores=np.stack([one.after.scores for one in found]),
        ranks=np.stack([one.after.ranks for one in found]).astype(rank),
        honest_predictions=honest.honest.predict(X).astype(label),
        predictions=np.stack([one.model.predict(X) for one in found]).astype(label),
    )


def describe_pairs(result: PairsResult) -> str:
    own = result.ranks[np.arange(len(result.targets)), result.targets]
    changed = (result.predictions != result.honest_predictions).mean()
    pairs = len(result.targets)
    return (
        f"{pairs} pair{'' if pairs == 1 else 's'} of models; in {int((own == 1).sum())} of them "
        "the target is at rank 1 under the malicious one\n"
        f"  the two differ in {changed:.1%} of the predictions"
    )


def pairs_cost(request: PairsRequest, size: Size) -> float:
    each = attack_seconds(size, request.runs, request.steps, request.model)
    return each * len(request.targets)


PAIRS = Experiment(
    "pairs",
    "Make pairs of an honest and a malicious model, to be told apart",
    PairsRequest,
    run_pairs,
    save_fields,
    partial(load_fields, PairsResult),
    describe_pairs,
    seconds=pairs_cost,
)
