"""From a finished batch to results: choose the returned model, rank everything again, tightly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor

from engine.attacks.objectives import target_ranks, worst_needed
from engine.attacks.result import AttackResult, Ranking, StepInfo
from engine.attacks.state import CONFIRM_TOLERANCE, AttackState, iterates
from engine.data.dataset import Dataset
from engine.influence.problem import InfluenceProblem, order_sign, ranks
from engine.influence.scores import check_definite
from engine.models.model import Model

RUNS_AT_ONCE = 32  # whose ranks on holdout are computed together; bounds memory, changes no number


def ranking(scores: Tensor, order: str) -> Ranking:
    """The full ranking that one model's scores (n,) make."""
    ranked = scores.cpu().numpy()
    return Ranking(scores=ranked * order_sign(order), ranks=ranks(ranked))


def exact_scores(problem: InfluenceProblem, theta: Tensor, split: str) -> tuple[Tensor, Tensor]:
    """The scores on `split` under each of the models (R, P), solved tightly: (R, n); and the lowest
    curvature that a solve met, as in `Solution`: (R,)."""
    parts = [problem.forward(p, CONFIRM_TOLERANCE, split=split) for p in theta.split(RUNS_AT_ONCE)]
    lowest = torch.cat([part.solution.lowest for part in parts])
    return torch.cat([part.scores for part in parts]), lowest


@dataclass(frozen=True)
class Exact:
    """The iterates with which an attack's runs serve each k, solved tightly: `place` (ks, R) says
    which of them it is, `scores` (iterates, n) and `ranks` (iterates, t) of the targets are by
    split, the ranks last of all where H + λI is not positive definite; `lowest` (iterates,) as in
    `Solution`."""

    place: Tensor
    scores: dict[str, Tensor]
    ranks: dict[str, Tensor]
    lowest: Tensor

    def ranks_at(self, split: str, which: int) -> Tensor:
        """The ranks of the targets under the iterates that serve the `which`-th k, (R, t)."""
        return self.ranks[split][self.place[which]]


def exactly(
    problem: InfluenceProblem, state: AttackState, targets: tuple[int, ...], rows: slice
) -> Exact:
    """The iterates of runs `rows`, ranked exactly. One that serves several k is solved once."""
    when = state.kept_step[:, rows]  # −1 for a run that never was there: it serves with its best
    runs = torch.arange(when.shape[1], device=when.device).expand_as(when)
    _, place = torch.unique(
        torch.stack([runs, when]).flatten(1), dim=1, return_inverse=True
    )  # (ks·R,), the number of each distinct iterate
    theta = torch.cat([iterates(state, j, rows)[0] for j in range(len(when))])
    first = theta.new_empty(int(place.max()) + 1, theta.shape[1])
    first[place] = theta  # equal iterates write the same
    wanted = torch.as_tensor(targets, device=theta.device).expand(len(first), -1)
    solved = {split: exact_scores(problem, first, split) for split in ("test", "holdout")}
    scores = {split: found for split, (found, _) in solved.items()}
    bent = {split: (lowest <= 0).unsqueeze(1) for split, (_, lowest) in solved.items()}
    last = problem.n_train
    return Exact(
        place.view(when.shape),
        scores,
        {s: target_ranks(scores[s], wanted).masked_fill(bent[s], last) for s in scores},
        torch.minimum(*(lowest for _, lowest in solved.values())),
    )


def trajectories(infos: Sequence[StepInfo]) -> pd.DataFrame:
    """One row per run of the batch and step."""
    return pd.concat(
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


def trajectory(table: pd.DataFrame, rows: slice, steps: NDArray[np.int64]) -> pd.DataFrame:
    """The runs `rows` of a batch, renumbered from 0, each up to its own last step."""
    table = table[table["run"].between(rows.start, rows.stop - 1)]
    table = table.assign(run=table["run"] - rows.start)
    table = table[table["step"] <= steps[table["run"]]]
    return table.sort_values(["run", "step"], ignore_index=True)


@dataclass(frozen=True)
class Honest:
    """The honest model with its rankings: the same for every attack of a batch."""

    model: Model
    test: Ranking
    holdout: Ranking
    accuracy: float


def honest_side(problem: InfluenceProblem, model: Model, dataset: Dataset, order: str) -> Honest:
    """The honest model, ranked on both halves; its accuracy is that on holdout."""
    theta = problem.encode(model)
    return Honest(
        model=model,
        test=ranking(exact_scores(problem, theta, "test")[0][0], order),
        holdout=ranking(exact_scores(problem, theta, "holdout")[0][0], order),
        accuracy=model.accuracy(dataset.X_holdout, dataset.y_holdout),
    )


def summarise(
    problem: InfluenceProblem,
    state: AttackState,
    table: pd.DataFrame,
    honest: Honest,
    dataset: Dataset,
    targets: tuple[int, ...],
    k: int,
    which: int,
    order: str,
    learning_rates: Sequence[float],
    rows: slice,
    exact: Exact,
) -> AttackResult:
    """The result, for the `which`-th k, of the attack whose runs are `rows` of the batch with
    trajectories `table` and iterates `exact`.

    The returned model is the one with the lowest rank on `test`, then the highest accuracy on
    `test`, then the first run; with an upkeep, of those that arrived the one of highest quality.
    Holdout chooses nothing. Raises NotPositiveDefinite where that model has no ranking.
    """
    theta, accuracy_test = iterates(state, which, rows)
    steps = state.steps_taken[which, rows].cpu().numpy()
    count = len(theta)
    ranked = {split: exact.ranks_at(split, which) for split in exact.ranks}
    worst = {s: worst_needed(r, k).cpu().numpy() for s, r in ranked.items()}
    in_top = {s: (r <= k).sum(1).cpu().numpy() for s, r in ranked.items()}
    runs = pd.DataFrame(
        {
            "run": np.arange(count),
            "restart": np.arange(count) // len(learning_rates),
            "learning_rate": np.resize(np.asarray(learning_rates), count),
            "reached": state.reached[which, rows].cpu().numpy(),
            "steps": steps,
            "rank_test": worst["test"],
            "rank_holdout": worst["holdout"],
            "in_top_test": in_top["test"],
            "in_top_holdout": in_top["holdout"],
            "accuracy_test": accuracy_test.cpu().numpy(),
            "accuracy_holdout": problem.accuracy(theta, "holdout").cpu().numpy(),
        }
    )
    quality = state.kept_quality[which, rows].cpu().numpy()  # −inf for all without an upkeep
    chosen = np.lexsort((runs["run"], -runs["accuracy_test"], runs["rank_test"], -quality))[0]
    runs["returned"] = runs["run"] == chosen
    returned = theta[chosen : chosen + 1]
    model = honest.model
    malicious = model.with_parameters(problem.decode(returned[0]))
    before, place = honest.test, exact.place[which, chosen]
    check_definite(float(exact.lowest[place]))
    after = ranking(exact.scores["test"][place], order)
    X, y = dataset.X_holdout, dataset.y_holdout
    return AttackResult(
        targets=targets,
        k=k,
        order=order,
        honest=model,
        model=malicious,
        before=before,
        after=after,
        before_holdout=honest.holdout,
        after_holdout=ranking(exact.scores["holdout"][place], order),
        accuracy_before=honest.accuracy,
        accuracy_after=malicious.accuracy(X, y),
        distance=float(np.linalg.norm(malicious.parameters - model.parameters) / model.norm),
        rank_correlation=float(spearmanr(before.scores, after.scores).statistic),
        topk_kept=float(np.isin(before.top(k), after.top(k)).mean()),
        predictions_changed=int((model.predict(X) != malicious.predict(X)).sum()),
        runs=runs,
        trajectory=trajectory(table, rows, steps),
    )
