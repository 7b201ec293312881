"""The audit (A.0.1) as an experiment: four calculators answer the same queries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_targets
from engine.data.dataset import Dataset
from engine.experiments.attack import OnOneAttack, attack_cost, find_or_attack
from engine.experiments.base import Context, Experiment, chosen_or_there
from engine.experiments.cost import Size, audit_seconds
from engine.experiments.files import load_fields, save_fields
from engine.models.linear import as_linear
from engine.options import at_least, option
from engine.vocabulary import PLAYERS


@dataclass(frozen=True)
class AuditRequest(OnOneAttack):
    """The audit of an attacked model; queries: how many the auditor asks, by default fewer where
    the test data has no more.

    The seed is that of the queries, of the liar's numbers and of the attack's starts; dtype is the
    attack's: the audit itself is in float64.
    """

    queries: int = option(700, at_least(1))


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What the audit says of each of the `PLAYERS`, in their order.

    residuals: of every row of their score matrix, (4, n). scores: the rows' means over the test
        points' own labels, (4, n). gradient_ranks: of the matrix T that each is audited against,
        (4,): the attacker's is that of the malicious model.
    own: how many queries have their own label. parameters: of the model.
    growth: the liar's row by number of queries, see `by_queries`.
    """

    target: int
    order: str
    queries: int
    own: int
    parameters: int
    tolerance: float
    residuals: NDArray[np.float64]
    scores: NDArray[np.float64]
    gradient_ranks: NDArray[np.int64]
    growth: pd.DataFrame

    def caught(self, player: str) -> NDArray[np.int64]:
        """Index the training samples whose row gives this player away."""
        return np.flatnonzero(self.residuals[self.place(player)] > self.tolerance)

    def rank(self, player: str) -> int:
        """Rank the target by the mean scores that this player reports."""
        scores = self.scores[self.place(player)]
        if self.order == "lowest_first":
            scores = -scores
        return 1 + int((scores > scores[self.target]).sum())

    @staticmethod
    def place(player: str) -> int:
        return list(PLAYERS).index(player)


def run_audit(request: AuditRequest, dataset: Dataset, context: Context) -> AuditResult:
    from engine.influence.problem import order_sign
    from engine.scrutiny import players
    from engine.scrutiny.audit import audit_scores, check_auditable

    check_targets(request.target, dataset.n_train)
    steps = 4

    def done(count: int) -> None:
        context.report(count, steps)

    check_auditable(dataset.n_classes * (dataset.n_features + 1))  # before an attack is begun
    asked = chosen_or_there(request, "queries", dataset.n_classes * len(dataset.y_test))
    queries = players.draw_queries(dataset, asked, request.seed)
    done(0)
    attacked = find_or_attack(request.attack, dataset, context)
    done(1)
    own, sign = queries.own, order_sign(request.order)
    options = (dataset, queries, request.damping, context.device)
    honest, T = players.answers(as_linear(attacked.honest), *options)
    done(2)
    moved, T_moved = players.answers(as_linear(attacked.model), *options)
    done(3)
    reported = {
        "honest": (honest, T),
        "liar": (players.invent(honest, request.target, own, sign, request.seed), T),
        "careful": (players.lie_within(honest, T, request.target, own, sign), T),
        "attacker": (moved, T_moved),
    }
    audits = [audit_scores(*reported[player]) for player in PLAYERS]
    liar = reported["liar"][0][request.target]
    growth = players.by_queries(liar, T)
    done(steps)
    return AuditResult(
        target=request.target,
        order=request.order,
        queries=asked,
        own=own,
        parameters=len(T),
        tolerance=audits[0].tolerance,
        residuals=np.stack([audit.residuals for audit in audits]),
        scores=np.stack([reported[player][0][:, :own].mean(1) for player in PLAYERS]),
        gradient_ranks=np.array([audit.rank for audit in audits]),
        growth=growth,
    )


def describe_audit(result: AuditResult) -> str:
    n = result.residuals.shape[1]
    lines = [
        f"{result.queries} queries of rank {result.gradient_ranks[0]}, {result.parameters} "
        f"parameters; rows with a residual above {result.tolerance:g} are caught:"
    ]
    for place, (player, name) in enumerate(PLAYERS.items()):
        caught = result.caught(player)
        verdict = f"caught with {len(caught)} of {n} rows" if len(caught) else "passes"
        lines.append(
            f"  {name}: {verdict}, largest residual {result.residuals[place].max():.1e}; sample "
            f"{result.target} at rank {result.rank(player)}"
        )
    return "\n".join(lines)


def audit_cost(request: AuditRequest, size: Size) -> float:
    return attack_cost(request.attack, size) + audit_seconds(size, request.queries)


AUDIT = Experiment(
    "audit",
    "Audit four calculators of influence: honest, liar, careful liar, attacker",
    AuditRequest,
    run_audit,
    save_fields,
    partial(load_fields, AuditResult),
    describe_audit,
    seconds=audit_cost,
)
