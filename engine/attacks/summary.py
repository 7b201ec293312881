"""From a finished batch to results: choose the returned model, rank everything again, tightly."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from engine.attacks.objectives import target_ranks, worst_needed
from engine.attacks.result import AttackResult, Ranking, StepInfo
from engine.attacks.state import CONFIRM_TOLERANCE, AttackState
from engine.data.dataset import Dataset
from engine.influence.linear import LinearProblem
from engine.influence.problem import order_sign, ranks
from engine.models.linear import LinearModel

RUNS_AT_ONCE = 32  # whose ranks on holdout are computed together; bounds memory, changes no number


def ranking(problem: LinearProblem, theta: Tensor, split: str, order: str) -> Ranking:
    """The full ranking of one model, θ (1, P)."""
    ranked = problem.forward(theta, CONFIRM_TOLERANCE, split=split).scores[0].cpu().numpy()
    return Ranking(scores=ranked * order_sign(order), ranks=ranks(ranked))


def exact_ranks(
    problem: LinearProblem, theta: Tensor, targets: Tensor, k: int, split: str
) -> NDArray[np.int64]:
    """The rank of the targets (R, t) on `split` under each of the models (R, P), solved tightly:
    (R,)."""
    parts = [
        worst_needed(
            target_ranks(problem.forward(some, CONFIRM_TOLERANCE, split=split).scores, who), k
        )
        for some, who in zip(theta.split(RUNS_AT_ONCE), targets.split(RUNS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts).cpu().numpy()


def trajectory(infos: Sequence[StepInfo], first: int, count: int) -> pd.DataFrame:
    """One row per run and step, of the runs first … first + count − 1, renumbered from 0."""
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "run": i.run,
                    "step": i.step,
                    "rank": i.rank,
                    "loss": i.loss,
                    "accuracy_test": i.accuracy_test,
                    "accuracy_holdout": i.accuracy_holdout,
                }
            )
            for i in infos
        ],
        ignore_index=True,
    )
    table = table[table["run"].between(first, first + count - 1)]
    return table.assign(run=table["run"] - first).sort_values(["run", "step"], ignore_index=True)


def summarise(
    problem: LinearProblem,
    state: AttackState,
    infos: Sequence[StepInfo],
    model: LinearModel,
    dataset: Dataset,
    targets: tuple[int, ...],
    k: int,
    order: str,
    learning_rates: Sequence[float],
    rows: slice,
) -> AttackResult:
    """The result of the attack whose runs are `rows` of the batch.

    The returned model is the one with the lowest rank on `test`, then the highest accuracy on
    `test`, then the first run: holdout chooses nothing.
    """
    theta = state.best_theta[rows]
    count = len(theta)
    wanted = torch.as_tensor(targets, device=theta.device).expand(count, -1)
    runs = pd.DataFrame(
        {
            "run": np.arange(count),
            "restart": np.arange(count) // len(learning_rates),
            "learning_rate": np.resize(np.asarray(learning_rates), count),
            "reached": state.reached[rows].cpu().numpy(),
            "steps": state.steps_taken[rows].cpu().numpy(),
            "rank_test": exact_ranks(problem, theta, wanted, k, "test"),
            "rank_holdout": exact_ranks(problem, theta, wanted, k, "holdout"),
            "accuracy_test": state.best_accuracy[rows].cpu().numpy(),
            "accuracy_holdout": problem.accuracy(theta, "holdout").cpu().numpy(),
        }
    )
    chosen = runs.sort_values(["rank_test", "accuracy_test", "run"], ascending=[True, False, True])[
        "run"
    ].iloc[0]
    runs["returned"] = runs["run"] == chosen
    returned = theta[chosen : chosen + 1]
    honest = problem.encode(model)
    malicious = LinearModel.from_parameters(problem.decode(returned[0]), l2=model.l2)
    before = ranking(problem, honest, "test", order)
    after = ranking(problem, returned, "test", order)
    X, y = dataset.X_holdout, dataset.y_holdout
    return AttackResult(
        targets=targets,
        k=k,
        order=order,
        honest=model,
        model=malicious,
        before=before,
        after=after,
        before_holdout=ranking(problem, honest, "holdout", order),
        after_holdout=ranking(problem, returned, "holdout", order),
        accuracy_before=model.accuracy(X, y),
        accuracy_after=malicious.accuracy(X, y),
        distance=float(np.linalg.norm(malicious.parameters - model.parameters) / model.norm),
        rank_correlation=float(spearmanr(before.scores, after.scores).statistic),
        topk_kept=float(np.isin(before.top(k), after.top(k)).mean()),
        predictions_changed=int((model.predict(X) != malicious.predict(X)).sum()),
        runs=runs,
        trajectory=trajectory(infos, rows.start, count),
    )
