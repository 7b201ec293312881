"""What an attack returns: NumPy and pandas only, so that a page opens it without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_integer, check_positive
from engine.errors import InvalidInput
from engine.models.linear import LinearModel
from engine.models.model import Model


@dataclass(frozen=True, eq=False)
class Ranking:
    """Influence scores (n,) of one model and their ranks: 1 + number of strictly greater scores.

    With order 'lowest_first' the ranks count strictly smaller scores; the scores keep the sign of
    Definition 1 either way.
    """

    scores: NDArray[np.floating]
    ranks: NDArray[np.int64]

    def top(self, k: int) -> NDArray[np.int64]:
        """Return indices of the k first samples, best first; all of them for a larger k. Raises
        InvalidInput."""
        return np.argsort(self.ranks, kind="stable")[: check_integer("k", k, 0)]


@dataclass(frozen=True, eq=False)
class Replay:
    """The returned run of an attack, step by step, from its start to the returned model.

    steps: (s,) which steps of Algorithm 3, ascending. ranks: (s, n) of every training sample on
    `test`, as small unsigned integers; they are solved to the tolerance of the attack's steps. The
    last row is that of the returned model, solved tightly: the ranks of the result itself.
    distance: (s,) ‖θ − θ*‖₂ / ‖θ*‖₂. accuracy: (s,) on holdout, a share.
    """

    steps: NDArray[np.int64]
    ranks: NDArray[np.unsignedinteger]
    distance: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def ends_in(self, result: AttackResult) -> bool:
        """Return whether the last step is the model of `result`: the same ranks and accuracy.
        Raises InvalidInput."""
        if not isinstance(result, AttackResult):
            raise InvalidInput("result", type(result).__name__, "an AttackResult")
        same = np.array_equal(self.ranks[-1], result.after.ranks)
        return same and bool(self.accuracy[-1] == result.accuracy_after)


@dataclass(frozen=True, eq=False)
class AttackResult:
    """One attack (Algorithm 3) on one target or a set of targets.

    `before` and `after` rank the training samples on `test` under the honest and the malicious
    model, `before_holdout` and `after_holdout` on the half that the attacker never saw.
    Accuracies are shares in [0, 1] on holdout; `distance` is ‖θ′ − θ*‖₂ / ‖θ*‖₂.

    runs: one row per start and learning rate: run, restart, learning_rate, reached, steps,
        rank_test, rank_holdout (as `rank` below), in_top_test, in_top_holdout (how many targets are
        in the top k), accuracy_test, accuracy_holdout, returned.
    trajectory: run, step, rank, loss, accuracy_test, accuracy_holdout; for several targets `rank`
        is the worst rank among the min(k, t) best-placed ones.
    replay: the returned run; None in results of batches and of earlier versions of the lab.
    precision: of the steps' solves, 'full', 'coarse', 'fixed' or 'mixed': what 'auto' has
        chosen.
    """

    targets: tuple[int, ...]
    k: int
    order: str
    honest: Model
    model: Model
    before: Ranking
    after: Ranking
    before_holdout: Ranking
    after_holdout: Ranking
    accuracy_before: float
    accuracy_after: float
    distance: float
    rank_correlation: float
    topk_kept: float
    predictions_changed: int
    runs: pd.DataFrame
    trajectory: pd.DataFrame
    replay: Replay | None = None
    precision: str = "full"

    @property
    def ranks_test(self) -> NDArray[np.int64]:
        """(t,)"""
        return self.after.ranks[list(self.targets)]

    @property
    def ranks_holdout(self) -> NDArray[np.int64]:
        """(t,)"""
        return self.after_holdout.ranks[list(self.targets)]

    @property
    def rank_test(self) -> int | None:
        """Return the target's rank; None where there are several targets."""
        return int(self.ranks_test[0]) if len(self.targets) == 1 else None

    @property
    def rank_holdout(self) -> int | None:
        """Return the target's rank on the unknown test set; None where there are several
        targets."""
        return int(self.ranks_holdout[0]) if len(self.targets) == 1 else None

    @property
    def share_of_targets(self) -> float:
        """Return the share of the targets that are in the top-k: the text's reading of multi-target
        success."""
        return float((self.ranks_test <= self.k).mean())

    @property
    def share_of_topk(self) -> float:
        """Return the share of the top-k that targets take: the reading that fits Fig. 3."""
        return float((self.ranks_test <= self.k).sum() / self.k)

    @property
    def success(self) -> bool:
        """Return whether the returned model has min(k, t) targets in the top-k."""
        return int((self.ranks_test <= self.k).sum()) >= min(self.k, len(self.targets))

    @property
    def any_run_success(self) -> bool:
        """Return whether some run does (the paper's count)."""
        return self.success or bool(self.runs["reached"].any())

    @property
    def accuracy_drop(self) -> float:
        """Fall of the accuracy on holdout, as a share; negative where it rose."""
        return self.accuracy_before - self.accuracy_after

    def kept(self, k: int) -> float:
        """Return the share of the honest top-k that is still in the top-k. Raises InvalidInput."""
        check_integer("k", k, 1)
        first = self.before.top(k)
        return float(np.isin(first, self.after.top(k)).mean())


@dataclass(frozen=True, eq=False)
class StepInfo:
    """What one step of Algorithm 3 saw, for every run that was still active: arrays of shape (R,).

    `rank` is the target's (for several targets the worst among the min(k, t) best-placed); `loss`
    is the linearised objective Σ c_i I_i; accuracies are shares in [0, 1]. Where the attack keeps
    its replay, `scores` (R, n) has every training sample's as they are ranked, and `distance` is
    ‖θ − θ*‖₂ / ‖θ*‖₂.
    """

    step: int
    run: NDArray[np.int64]
    rank: NDArray[np.int64]
    loss: NDArray[np.float64]
    accuracy_test: NDArray[np.float64]
    accuracy_holdout: NDArray[np.float64]
    scores: NDArray[np.floating] | None = None
    distance: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class MinimalRadii:
    """The smallest radius that was found for each of t targets, and the model that has it.

    radius (t,): ‖θ′ − θ*‖₂ / ‖θ*‖₂ of the returned model, an upper bound of the least; NaN where
    nothing arrived, and then the model is the honest one. arrived (t,): the target is in the top k
    of the returned model, by exact float64 scores. rank_before, rank_after (t,): on `test`, by
    those scores. lost_test, lost_holdout (t,): accuracy lost, as a share; holdout chose nothing.

    starts: one row per target and search: target, start, kind ("attack", or "hop" for a start that
        is an earlier arrival moved at random), start_radius (of that attack, or of the ball in
        which the hop is searched), start_arrived, start_seconds, radius (the smallest that this
        search found), looks (models looked at), gradients (batched solves), seconds (of one
        processor).
    path: one row per model looked at: target, start, look, ball (that it had to stay in; NaN where
        the radius itself was lowered), radius, phi (negative in the top k), lost (accuracy on
        `test`).
    """

    targets: NDArray[np.int64]
    k: int
    order: str
    radius: NDArray[np.float64]
    arrived: NDArray[np.bool_]
    rank_before: NDArray[np.int64]
    rank_after: NDArray[np.int64]
    lost_test: NDArray[np.float64]
    lost_holdout: NDArray[np.float64]
    models: tuple[LinearModel, ...]
    starts: pd.DataFrame
    path: pd.DataFrame


@dataclass(frozen=True, eq=False)
class ReweighingResult:
    """The baseline on one target: a model trained for every weight ω, and what became of each.

    `rank_before` is the target's rank under the honest model on `test`, `rank_before_holdout` on
    the other half; `accuracy_before` is that model's share of right predictions on holdout.

    table: one row per weight, in the order asked: target_weight, rank_test, rank_holdout,
        score_test (the target's score, signed as Definition 1 has it), accuracy_test,
        accuracy_holdout, accuracy_drop (on holdout, as a share), rank_correlation (Spearman, of
        the scores on `test` with the honest ones), distance (‖θ′ − θ*‖₂ / ‖θ*‖₂), gradient_norm
        (of the honest training loss at θ′, l2 included: not near 0, the model gives itself away).
    models: the model of each row.
    """

    target: int
    order: str
    honest: LinearModel
    rank_before: int
    rank_before_holdout: int
    accuracy_before: float
    table: pd.DataFrame
    models: tuple[LinearModel, ...]

    def success(self, k: int, tolerance: float | None = None) -> bool:
        """Return whether a weight has the target in the top-k on `test`, with accuracy on holdout
        fallen by at most `tolerance` (a share; None: by any amount). Raises InvalidInput."""
        inside = self.table["rank_test"] <= check_integer("k", k, 1)
        if tolerance is not None:  # 0.97 − 0.94 is above 0.03 in floating point, hence the margin
            limit = check_positive("tolerance", tolerance, allow_zero=True) + 1e-9
            inside &= self.table["accuracy_drop"] <= limit
        return bool(inside.any())
