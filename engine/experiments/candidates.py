"""What would a new sample be worth? Scores of samples that are not in training, and a check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.experiments.attack import OnOneAttack, find_or_attack
from engine.experiments.base import Context, Experiment
from engine.experiments.cost import Size, attack_seconds, refits_seconds
from engine.experiments.files import load_fields, save_fields
from engine.models.linear import LinearModel, as_linear
from engine.options import at_least, option
from engine.statistics import rank_correlation


@dataclass(frozen=True)
class CandidatesRequest(OnOneAttack):
    """The holdout samples as candidates for training, scored on `test` with every label under an
    honest and an attacked model. n_checked: of how many, spread evenly over their scores, the
    effect is also measured by training with them; 0 for none."""

    n_checked: int = option(24, at_least(0))


@dataclass(frozen=True, eq=False)
class CandidatesResult:
    """honest, attacked: (c, K), the score of each holdout sample with each label; labels: (c,), the
    true ones. train_honest, train_attacked: (n,), scores of the training samples, to compare with.
    check: a row per checked candidate: candidate, label, predicted (its score with damping = l2,
    honest model), measured (by training with it), usual (its score with the request's damping).
    """

    honest: NDArray[np.float64]
    attacked: NDArray[np.float64]
    labels: NDArray[np.int64]
    train_honest: NDArray[np.floating]
    train_attacked: NDArray[np.floating]
    check: pd.DataFrame

    def own(self, model: str) -> NDArray[np.float64]:
        """Return the scores (c,) with the true labels under the 'honest' or 'attacked' model."""
        scores: NDArray[np.float64] = getattr(self, model)
        return scores[np.arange(len(self.labels)), self.labels]

    def would_rank(self, model: str) -> NDArray[np.int64]:
        """Return where each candidate's score would stand among the training samples', (c,): 1 +
        the number of strictly greater ones. The training samples' scores are taken as they are."""
        train = np.sort(getattr(self, f"train_{model}"))
        return 1 + len(train) - np.searchsorted(train, self.own(model), side="right")

    @property
    def correlation(self) -> float:
        """Return Spearman's correlation of the candidates' honest and attacked scores."""
        return float(rank_correlation(self.own("honest"), self.own("attacked")))

    @property
    def error(self) -> float:
        """Return ‖predicted − measured‖ / ‖measured‖; NaN where nothing was checked."""
        measured = self.check["measured"].to_numpy()
        if not len(measured):
            return float("nan")
        off = self.check["predicted"].to_numpy() - measured
        return float(np.linalg.norm(off) / np.linalg.norm(measured))


def run_candidates(
    request: CandidatesRequest, dataset: Dataset, context: Context
) -> CandidatesResult:
    from engine.scrutiny.candidates import query_direction
    from engine.scrutiny.direction import scores_by_label

    context.report(0, 3)
    found = find_or_attack(request.attack, dataset, context)
    context.report(1, 3)
    X, labels = dataset.split("holdout")
    models = {"honest": as_linear(found.honest), "attacked": as_linear(found.model)}
    scores = {}
    for name, model in models.items():
        direction = query_direction(model, dataset, "test", request.damping, context.device)
        scores[name] = scores_by_label(model, direction, X)
    context.report(2, 3)
    usual = scores["honest"][np.arange(len(labels)), labels]
    checked = check(request, models["honest"], dataset, usual, context)
    context.report(3, 3)
    return CandidatesResult(
        scores["honest"], scores["attacked"], labels, found.before.scores, found.after.scores,
        checked,
    )  # fmt: skip


def check(
    request: CandidatesRequest,
    model: LinearModel,
    dataset: Dataset,
    usual: NDArray[np.float64],
    context: Context,
) -> pd.DataFrame:
    """Measure what some of the candidates bring about, and predict it with damping = l2."""
    from engine.scrutiny.candidates import added_effects, candidate_scores

    places = np.linspace(0, len(usual) - 1, min(request.n_checked, len(usual))).round()
    some = np.argsort(-usual, kind="stable")[places.astype(np.int64)]
    X, y = (part[some] for part in dataset.split("holdout"))
    columns: dict[str, NDArray] = {"candidate": some, "label": y, "usual": usual[some]}
    none = np.zeros(0)
    if len(some):
        l2, device = request.l2, context.device
        columns["predicted"] = candidate_scores(model, dataset, X, y, damping=l2, device=device)
        columns["measured"] = added_effects(model, dataset, X, y, device=device)
    return pd.DataFrame({"predicted": none, "measured": none} | columns)


def describe_candidates(result: CandidatesResult) -> str:
    honest, attacked = result.own("honest"), result.own("attacked")
    lines = [
        f"{len(honest):,} held-out samples as candidates: {int((honest < 0).sum())} would pull the "
        f"test loss down by the honest model, {int((attacked < 0).sum())} by the attacked one\n"
        f"  Spearman correlation of both: {result.correlation:.2f}"
    ]
    if len(result.check):
        lines.append(
            f"  trained with {len(result.check)} of them: damping = l2 predicts the measured "
            f"effects to {result.error:.1e}"
        )
    return "\n".join(lines)


def candidates_cost(request: CandidatesRequest, size: Size) -> float:
    attack = request.attack
    return attack_seconds(size, attack.runs, attack.steps) + refits_seconds(
        size, 2 * request.n_checked
    )


CANDIDATES = Experiment(
    "candidates",
    "What would a new sample be worth? Scores of samples that are not in training",
    CandidatesRequest,
    run_candidates,
    save_fields,
    partial(load_fields, CandidatesResult),
    describe_candidates,
    seconds=candidates_cost,
)
