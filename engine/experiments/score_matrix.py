"""Is any score safe? Attack each attribution alike, and look at the attacked models with all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, StepInfo
from engine.checks import check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import EngineError, InvalidInput
from engine.experiments.base import Context, Experiment, OnDataset, chosen_or_there, honest_model
from engine.experiments.files import load_fields, save_fields
from engine.experiments.scored import some_scores
from engine.models.linear import LinearModel, as_linear
from engine.options import OneOf, at_least, one_or_each, option, taken_from
from engine.statistics import Interval, bootstrap_interval, rank_correlation, wilson_interval
from engine.vocabulary import DAMPING, DTYPES, L2, MODEL_FREE, ORDERS, SCORES

if TYPE_CHECKING:
    from engine.influence.problem import InfluenceProblem

WITH_MODEL = tuple(name for name in SCORES if name not in MODEL_FREE)


def attacked_scores(name: str, value: object) -> tuple[str, ...]:
    """Check for names of `SCORES`, at least one of which sees the model. Raises InvalidInput."""
    names = some_scores(name, value)
    if not set(names) & set(WITH_MODEL):
        raise InvalidInput(name, names, f"at least one that sees the model: {list(WITH_MODEL)}")
    return names


@dataclass(frozen=True)
class ScoreMatrixRequest(OnDataset):
    """The same attack on every attribution that sees the model: n_targets single targets, drawn by
    the seed from those outside the top k by every attribution. `restarts`, `learning_rates`,
    `steps`, `radius` as in `attack`, the objective the paper's; neighbours: of kNN-Shapley.
    attributions: which are observed and, where they see the model, attacked."""

    n_targets: int = option(24, at_least(1))
    k: int = option(10, at_least(1))
    radius: float = option(0.3, check_positive)
    restarts: int = option(1, at_least(0))
    learning_rates: tuple[float, ...] = option((0.1,), one_or_each(check_positive))
    steps: int = option(50, at_least(1))
    neighbours: int = option(5, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))
    attributions: tuple[str, ...] = option(tuple(SCORES), attacked_scores, added=True)


@dataclass(frozen=True, eq=False)
class ScoreMatrixResult:
    """moves: a row per attacked attribution, target and observed attribution: attacked, target,
    observed, rank_before, rank_after, correlation (Spearman's, of the observed ranking under the
    honest and under the attacked model). attacks: a row per attacked attribution and target:
    attacked, target, accuracy_drop (on holdout, a share), distance (‖θ′ − θ*‖/‖θ*‖), steps.
    missing: why an attribution is not here, by its name.
    """

    k: int
    n_train: int
    moves: pd.DataFrame
    attacks: pd.DataFrame
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def attacked(self) -> list[str]:
        """List the attributions that were attacked, in the vocabulary's order."""
        return in_order(WITH_MODEL, self.attacks["attacked"])

    @property
    def observed(self) -> list[str]:
        """List the attributions that looked at the attacked models, those without a model last."""
        return in_order((*WITH_MODEL, *MODEL_FREE), self.moves["observed"])

    @property
    def n_targets(self) -> int:
        return int(self.attacks["target"].nunique())

    def cell(self, attacked: str, observed: str) -> pd.DataFrame:
        """Return the rows of `moves` of one attacked and one observed attribution."""
        table = self.moves
        return table[(table["attacked"] == attacked) & (table["observed"] == observed)]

    def arrived(self, attacked: str, observed: str) -> tuple[int, Interval]:
        """Count the targets in the top k by `observed` after an attack on `attacked`, with the 95%
        Wilson interval of their share."""
        count = int((self.cell(attacked, observed)["rank_after"] <= self.k).sum())
        return count, wilson_interval(count, self.n_targets)

    def kept(self, attacked: str, observed: str) -> float:
        """Return the mean correlation of the observed ranking with the honest one."""
        return float(self.cell(attacked, observed)["correlation"].mean())

    def price(self, attacked: str) -> tuple[float, Interval]:
        """Return the mean fall of the holdout accuracy, a share, with its bootstrap interval."""
        drops = self.attacks.loc[self.attacks["attacked"] == attacked, "accuracy_drop"]
        return float(drops.mean()), bootstrap_interval(drops)


def in_order(names: tuple[str, ...], there: pd.Series) -> list[str]:
    """List those of `names` that are there."""
    found = set(there)
    return [name for name in names if name in found]


@dataclass(frozen=True)
class Observer:
    """Ranks the samples by every attribution: `problems` by the name of those that see the model,
    `free` the scores (n,) of those that do not."""

    problems: dict[str, InfluenceProblem]
    free: dict[str, NDArray]
    sign: int

    def ranked(self, model: LinearModel) -> dict[str, NDArray[np.float64]]:
        """Return by name the scores (n,) that are ranked, highest first."""
        found = {}
        for name, problem in self.problems.items():
            forward = problem.forward(problem.encode(model), 1e-6)
            found[name] = forward.scores[0].double().cpu().numpy()
        return found | {name: self.sign * scores for name, scores in self.free.items()}


def make_observer(
    request: ScoreMatrixRequest, dataset: Dataset, honest: LinearModel, context: Context
) -> tuple[Observer, dict[str, str]]:
    """Prepare every attribution, and say why those are missing that cannot be."""
    from engine.influence.estimators import check_dense
    from engine.influence.linear import LinearProblem
    from engine.influence.problem import order_sign
    from engine.scrutiny.attributions import attribution
    from engine.scrutiny.score_problem import ScoreProblem

    r, device = request, context.device
    problems: dict[str, InfluenceProblem] = {}
    free: dict[str, NDArray] = {}
    missing: dict[str, str] = {}
    for name in r.attributions:
        try:
            if name == "influence":
                problems[name] = LinearProblem.build(dataset, r.damping, r.order, r.dtype, device)
            elif name in MODEL_FREE:
                near = r.neighbours
                free[name] = attribution(
                    name, honest, dataset, neighbours=near, device=device
                ).scores
            else:
                if name in ("self_influence", "relative"):
                    check_dense(honest.parameters.size)
                problems[name] = ScoreProblem.of(
                    name, dataset, r.l2, r.damping, r.order, r.dtype, device
                )
        except EngineError as error:
            missing[name] = str(error)
    return Observer(problems, free, order_sign(r.order)), missing


def draw_fresh(
    request: ScoreMatrixRequest, honest: dict[str, NDArray[np.float64]], n: int
) -> list[int]:
    """Draw the targets from the samples that are outside the top k by every attribution. Raises
    InvalidInput where there are fewer than somebody chose."""
    from engine.influence.problem import ranks

    outside = np.all([ranks(scores) > request.k for scores in honest.values()], axis=0)
    able = np.flatnonzero(outside)
    count = chosen_or_there(request, "n_targets", len(able))
    if len(able) < count:
        raise InvalidInput(
            "n_targets",
            request.n_targets,
            f"at most {len(able)}: so many of {n} samples are outside the top {request.k} by every "
            "attribution",
        )
    rng = np.random.default_rng([request.seed, count])
    return sorted(rng.choice(able, count, replace=False).tolist())


def run_score_matrix(
    request: ScoreMatrixRequest, dataset: Dataset, context: Context
) -> ScoreMatrixResult:
    from engine.attacks.attack import attack_each_k

    check_integer("k", request.k, 1, dataset.n_train)
    check_integer("neighbours", request.neighbours, 1, dataset.n_train)
    honest = honest_model(dataset, request.l2, context)
    observer, missing = make_observer(request, dataset, honest, context)
    total = 1 + 2 * len(observer.problems)
    context.report(0, total)
    before = observer.ranked(honest)
    targets = draw_fresh(request, before, dataset.n_train)
    options = taken_from(AttackOptions, request)
    moves: list[dict[str, object]] = []
    attacks: list[dict[str, object]] = []
    done = 1
    for name, problem in observer.problems.items():
        found = attack_each_k(
            honest,
            dataset,
            targets,
            (request.k,),
            options,
            device=context.device,
            on_step=reporter(context, done, total),
            problem=problem,
        )
        done += 1
        for result in (by_k[request.k] for by_k in found):
            attacks.append(attack_row(name, result))
            after = observer.ranked(as_linear(result.model))
            moves += move_rows(name, result.targets[0], before, after)
            context.report(done, total)
        done += 1
    return ScoreMatrixResult(
        request.k, dataset.n_train, pd.DataFrame(moves), pd.DataFrame(attacks), missing
    )


def reporter(context: Context, done: int, total: int) -> Callable[[StepInfo], None]:
    """Return a callback that reports `done` of `total` after every step, and may stop them."""
    return lambda info: context.report(done, total)


def attack_row(name: str, result: AttackResult) -> dict[str, object]:
    returned = result.runs[result.runs["returned"]].iloc[0]
    return {
        "attacked": name,
        "target": result.targets[0],
        "accuracy_drop": result.accuracy_drop,
        "distance": result.distance,
        "steps": int(returned["steps"]),
    }


def move_rows(
    name: str,
    target: int,
    before: dict[str, NDArray[np.float64]],
    after: dict[str, NDArray[np.float64]],
) -> list[dict[str, object]]:
    """Return where each attribution has the target, and what became of its ranking."""
    from engine.influence.problem import ranks

    return [
        {
            "attacked": name,
            "target": target,
            "observed": observed,
            "rank_before": int(ranks(old)[target]),
            "rank_after": int(ranks(after[observed])[target]),
            "correlation": float(rank_correlation(old, after[observed])),
        }
        for observed, old in before.items()
    ]


def describe_score_matrix(result: ScoreMatrixResult) -> str:
    lines = [f"Of {result.n_targets} targets in the top {result.k} after an attack on that score:"]
    for name in result.attacked:
        count, (low, high) = result.arrived(name, name)
        price, _ = result.price(name)
        along = max(
            (other for other in result.observed if other != name),
            key=lambda other: result.arrived(name, other)[0],
        )
        lines.append(
            f"  {name}: {count} ({low:.0%} to {high:.0%}), accuracy {-100 * price:+.1f} points; "
            f"{result.arrived(name, along)[0]} of them by {along} too"
        )
    immune = [name for name in result.observed if name in MODEL_FREE]
    lines.append(f"  never see the model, and never move: {', '.join(immune) or 'none'}")
    lines += [f"  without {name}: {why}" for name, why in result.missing.items()]
    return "\n".join(lines)


SCORE_MATRIX = Experiment(
    "score-matrix",
    "Attack every attribution alike, and see which others move along",
    ScoreMatrixRequest,
    run_score_matrix,
    save_fields,
    partial(load_fields, ScoreMatrixResult),
    describe_score_matrix,
)
