"""From a finished batch to results: choose the returned model, rank everything again, tightly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.objectives import ATTACK_OBJECTIVES, target_ranks, worst_needed
from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, Ranking, Replay, StepInfo
from engine.attacks.state import CONFIRM_TOLERANCE, AttackState, iterates
from engine.data.dataset import Dataset
from engine.influence.problem import InfluenceProblem, order_sign, ranks
from engine.influence.scores import check_definite
from engine.models.model import Model
from engine.statistics import rank_correlation

RUNS_AT_ONCE = 32  # whose ranks on holdout are computed together; bounds memory, changes no number


def ranking(scores: Tensor, order: str) -> Ranking:
    """Rank the samples by one model's scores (n,)."""
    ranked = scores.cpu().numpy()
    return Ranking(scores=ranked * order_sign(order), ranks=ranks(ranked))


def exact_scores(problem: InfluenceProblem, theta: Tensor, split: str) -> tuple[Tensor, Tensor]:
    """Return the scores on `split` under each of the models (R, P), solved tightly: (R, n); and the
    lowest curvature that a solve met, as in `Solution`: (R,)."""
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
        """Return the targets' ranks (R, t) under the iterates that serve the `which`-th k."""
        return self.ranks[split][self.place[which]]


def exactly(
    problem: InfluenceProblem, state: AttackState, targets: tuple[int, ...], rows: slice
) -> Exact:
    """Rank the iterates of runs `rows` exactly. An iterate that serves several k is solved once."""
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
    """Return a table with one row per run of the batch and step."""
    names = ("run", "rank", "loss", "accuracy_test", "accuracy_holdout")
    columns = {name: np.concatenate([getattr(i, name) for i in infos]) for name in names}
    table = pd.DataFrame(columns)
    table.insert(1, "step", np.repeat([i.step for i in infos], [len(i.run) for i in infos]))
    return table


def trajectory(table: pd.DataFrame, rows: slice, steps: NDArray[np.int64]) -> pd.DataFrame:
    """Return the runs `rows` of a batch, renumbered from 0, each up to its own last step."""
    table = table[table["run"].between(rows.start, rows.stop - 1)]
    table = table.assign(run=table["run"] - rows.start)
    table = table[table["step"] <= steps[table["run"]]]
    return table.sort_values(["run", "step"], ignore_index=True)


def replay(
    infos: Sequence[StepInfo],
    run: int,
    last: int,
    after: Ranking,
    distance: float,
    accuracy: float,
) -> Replay | None:
    """Return a run up to step `last`, whose model has the ranking `after`, that distance and that
    accuracy on holdout; None where the steps were not kept with all scores."""
    if all(i.scores is None for i in infos):
        return None
    kept = [i for i in infos if i.scores is not None and i.step < last and run in i.run]
    rows = [int(np.flatnonzero(i.run == run)[0]) for i in kept]
    small = np.min_scalar_type(len(after.ranks))
    scored = [i.scores[row] for i, row in zip(kept, rows, strict=True) if i.scores is not None]
    far = [i.distance[row] for i, row in zip(kept, rows, strict=True) if i.distance is not None]
    right = [i.accuracy_holdout[row] for i, row in zip(kept, rows, strict=True)]
    return Replay(
        steps=np.array([*(i.step for i in kept), last]),
        ranks=np.stack([*map(ranks, scored), after.ranks]).astype(small),
        distance=np.array([*far, distance]),
        accuracy=np.array([*right, accuracy]),
    )


@dataclass(frozen=True)
class Honest:
    """Hold the honest model with its rankings: the same for every attack of a batch."""

    model: Model
    test: Ranking
    holdout: Ranking
    accuracy: float


def honest_side(problem: InfluenceProblem, model: Model, dataset: Dataset, order: str) -> Honest:
    """Rank the honest model on both halves of the test data; `accuracy` is that on holdout."""
    theta = problem.encode(model)
    return Honest(
        model=model,
        test=ranking(exact_scores(problem, theta, "test")[0][0], order),
        holdout=ranking(exact_scores(problem, theta, "holdout")[0][0], order),
        accuracy=model.accuracy(dataset.X_holdout, dataset.y_holdout),
    )


@dataclass(frozen=True)
class Finished:
    """A batch of attacks whose runs are over: `table` has their trajectories, `honest` the model
    that they started from, on `dataset`; `infos` are all steps, some of them with all scores where
    a replay is kept. precision: that of the steps' solves."""

    problem: InfluenceProblem
    dataset: Dataset
    state: AttackState
    table: pd.DataFrame
    honest: Honest
    options: AttackOptions
    infos: tuple[StepInfo, ...] = ()
    precision: str = "full"

    def results(
        self, targets: tuple[int, ...], ks: Sequence[int], rows: slice
    ) -> dict[int, AttackResult]:
        """Return the results at each k of the attack on `targets` by the runs `rows` of the batch.

        Raises NotPositiveDefinite where a returned model has no ranking.
        """
        exact = exactly(self.problem, self.state, targets, rows)
        return {k: self.result(targets, k, which, rows, exact) for which, k in enumerate(ks)}

    def runs(self, k: int, which: int, rows: slice, exact: Exact) -> pd.DataFrame:
        """Return one row per run, with the iterate that serves the `which`-th k.

        The returned iterate has the lowest rank on `test`, then the highest accuracy on `test`,
        then comes first; with an upkeep, of those that arrived the one of highest quality. Holdout
        chooses nothing.
        """
        theta, accuracy_test = iterates(self.state, which, rows)
        count, rates = len(theta), self.options.learning_rates
        ranked = {split: exact.ranks_at(split, which) for split in exact.ranks}
        worst = {s: worst_needed(r, k).cpu().numpy() for s, r in ranked.items()}
        in_top = {s: (r <= k).sum(1).cpu().numpy() for s, r in ranked.items()}
        runs = pd.DataFrame(
            {
                "run": np.arange(count),
                "restart": np.arange(count) // len(rates),
                "learning_rate": np.resize(np.asarray(rates), count),
                "reached": self.state.reached[which, rows].cpu().numpy(),
                "steps": self.state.steps_taken[which, rows].cpu().numpy(),
                "rank_test": worst["test"],
                "rank_holdout": worst["holdout"],
                "in_top_test": in_top["test"],
                "in_top_holdout": in_top["holdout"],
                "accuracy_test": accuracy_test.cpu().numpy(),
                "accuracy_holdout": self.problem.accuracy(theta, "holdout").cpu().numpy(),
            }
        )
        upkeep = ATTACK_OBJECTIVES[self.options.objective].upkeep
        if upkeep is not None and upkeep.anywhere:  # what was kept need not be in the top k
            runs["reached"] &= runs["rank_test"] <= k
        quality = self.state.kept_quality[which, rows].cpu().numpy()  # −inf without an upkeep
        order = np.lexsort((runs["run"], -runs["accuracy_test"], runs["rank_test"], -quality))
        return runs.assign(returned=runs["run"] == order[0])

    def result(
        self, targets: tuple[int, ...], k: int, which: int, rows: slice, exact: Exact
    ) -> AttackResult:
        """Return the result for the `which`-th k. Raises NotPositiveDefinite."""
        runs = self.runs(k, which, rows, exact)
        chosen = int(runs["returned"].to_numpy().argmax())
        theta, _ = iterates(self.state, which, rows)
        honest, order = self.honest, self.options.order
        model = honest.model
        malicious = model.with_parameters(self.problem.decode(theta[chosen]))
        before, place = honest.test, exact.place[which, chosen]
        check_definite(float(exact.lowest[place]))
        after = ranking(exact.scores["test"][place], order)
        X, y = self.dataset.X_holdout, self.dataset.y_holdout
        distance = float(np.linalg.norm(malicious.parameters - model.parameters) / model.norm)
        accuracy = malicious.accuracy(X, y)
        returned = rows.start + chosen
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
            accuracy_after=accuracy,
            distance=distance,
            rank_correlation=float(rank_correlation(before.scores, after.scores)),
            topk_kept=float(np.isin(before.top(k), after.top(k)).mean()),
            predictions_changed=int((model.predict(X) != malicious.predict(X)).sum()),
            runs=runs,
            trajectory=trajectory(self.table, rows, runs["steps"].to_numpy()),
            replay=replay(
                self.infos, returned, self.step_of(which, returned), after, distance, accuracy
            ),
            precision=self.precision,
        )

    def step_of(self, which: int, run: int) -> int:
        """Return the step of the iterate with which a run serves the `which`-th k: the one kept
        there or, of a run that never was there, the first of lowest rank, then highest accuracy."""
        if bool(self.state.reached[which, run]):
            return int(self.state.kept_step[which, run])
        own = self.table[self.table["run"] == run]
        order = np.lexsort((own["step"], -own["accuracy_test"], own["rank"]))
        return int(own["step"].iloc[order[0]])
