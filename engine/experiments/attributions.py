"""Would another score have noticed? The attacked model under other attributions; disagreement as an
alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.attacks.options import ATTACK_DEFAULTS
from engine.attacks.result import Ranking
from engine.checks import check_integer, check_positive, check_targets
from engine.data.dataset import Dataset
from engine.errors import InvalidInput, NotConverged
from engine.experiments.attack import OnOneAttack, find_or_attack
from engine.experiments.base import Context, Experiment
from engine.experiments.files import Parts, ranking_arrays, read_parts, read_ranking, write_parts
from engine.experiments.scored import (
    ATTACKED,
    EITHER,
    HONEST,
    INFLUENCE,
    score_both,
    some_scores,
)
from engine.models.linear import LinearModel, as_linear
from engine.options import OneOf, at_least, not_negative, option, taken_from
from engine.statistics import wilson_interval
from engine.vocabulary import ATTRIBUTIONS, OBJECTIVES, SCORES

RETRAINING = "leave-one-out retraining"  # beside the names of attributions


def nobody() -> pd.DataFrame:
    """Return the table of no retrained sample."""
    return pd.DataFrame({"sample": [], "change": []})


def share(name: str, value: object) -> float:
    """Check for a number in (0, 1). Raises InvalidInput."""
    number = check_positive(name, value)
    if number >= 1:
        raise InvalidInput(name, value, "a number in (0, 1)")
    return number


def scores_with_alarm(name: str, value: object) -> tuple[str, ...]:
    """Check for names of `SCORES`, with the two that the alarm compares. Raises InvalidInput."""
    asked = some_scores(name, value)
    if not {INFLUENCE, "knn_shapley"} <= set(asked):
        raise InvalidInput(name, asked, f"with '{INFLUENCE}' and 'knn_shapley' among them")
    return asked


@dataclass(frozen=True)
class AttributionsRequest(OnOneAttack):
    """An attacked model under other scores; `neighbours` as in `attribution`. attributions: which,
    influence and kNN-Shapley among them.

    retrained: on how many samples leave-one-out retraining is tried, the target among them; 0: on
    none. The alarm is set on n_honest / 2 honest models so that it accuses at most the share
    `false_alarms` of them, and tried on as many others and on n_attacked models, each attacked from
    a single start for a target of its own. objective and stealth, of all these attacks, as in
    `AttackOptions`.
    """

    neighbours: int = option(5, at_least(1))
    retrained: int = option(100, at_least(0))
    n_honest: int = option(80, at_least(2))
    n_attacked: int = option(40, at_least(1))
    false_alarms: float = option(0.05, share)
    objective: str = option(ATTACK_DEFAULTS.objective, OneOf(OBJECTIVES), added=True)
    stealth: float = option(ATTACK_DEFAULTS.stealth, not_negative, added=True)
    attributions: tuple[str, ...] = option(tuple(ATTRIBUTIONS), scores_with_alarm, added=True)


@dataclass(frozen=True, eq=False)
class AttributionsResult:
    """before, after: the rankings of the honest and of the malicious model by each attribution.

    retrained: sample and change, the test loss of a model trained without it minus that with it;
        empty where none was asked for. It is of honest training and knows no other model.
    models: one row per model: role ('known' and 'unknown' honest ones, 'attacked', and 'failed'
        where the attack did not reach the top k), how (trained, or for which target), accuracy (on
        holdout), and the numbers of `disagreements`.
    alarms: one row per number, see `alarms`; empty where no attack succeeded.
    missing: why an attribution that was asked for, or the retraining, is not here, by its name.
    """

    target: int
    k: int
    order: str
    before: dict[str, Ranking]
    after: dict[str, Ranking]
    retrained: pd.DataFrame
    models: pd.DataFrame
    alarms: pd.DataFrame
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """List the attributions that both models have, in the vocabulary's order."""
        return [name for name in SCORES if name in self.before]

    def count(self, role: str) -> int:
        return int((self.models["role"] == role).sum())

    def rank_retrained(self) -> int | None:
        """Rank the target among the samples that were left out; None where none were."""
        if self.retrained.empty:
            return None
        changes = self.retrained.set_index("sample")["change"]
        # Leaving out what raises the test loss lowers it: the change has the other sign.
        score = changes if self.order == "lowest_first" else -changes
        return 1 + int((score > score[self.target]).sum())


def run_attributions(
    request: AttributionsRequest, dataset: Dataset, context: Context
) -> AttributionsResult:
    from engine.scrutiny.disagreement import alarms

    check_targets(request.target, dataset.n_train)
    check_integer("neighbours", request.neighbours, 1, dataset.n_train)  # before an attack is begun
    names = request.attributions
    total = 1 + 2 * len(names) + request.n_honest + request.n_attacked
    report = context.counter(total)
    attacked = find_or_attack(request.attack, dataset, context)
    report(1)
    scored = score_both(
        request, attacked, dataset, context.device, request.neighbours, report, names
    )
    missing = scored.missing
    before, after = (
        {n: r for (n, which), r in scored.rankings.items() if which in (side, EITHER)}
        for side in (HONEST, ATTACKED)
    )
    try:
        retrained = retrain(request, dataset, context, report)
    except NotConverged as error:
        retrained, missing[RETRAINING] = nobody(), str(error)
    report(1)
    models = crowd(request, dataset, context, as_linear(attacked.honest), before, report)
    succeeded = (models["role"] == "attacked").any()
    return AttributionsResult(
        target=request.target,
        k=request.k,
        order=request.order,
        before=before,
        after=after,
        retrained=retrained,
        models=models,
        alarms=alarms(models, request.false_alarms) if succeeded else pd.DataFrame(),
        missing=missing,
    )


def retrain(
    request: AttributionsRequest, dataset: Dataset, context: Context, report: Callable[[int], None]
) -> pd.DataFrame:
    """Retrain without the target, and without each of a random sample of the others. A sample that
    is alone in its class is not left out; no sample is where the target is one."""
    from engine.scrutiny.leave_one_out import leave_one_out

    able = np.bincount(dataset.y_train)[dataset.y_train] > 1
    others = np.flatnonzero(able & (np.arange(dataset.n_train) != request.target))
    count = min(request.retrained, len(others) + 1)
    if not count or not able[request.target]:
        return nobody()
    rng = np.random.default_rng(request.seed)
    chosen = np.append(request.target, rng.choice(others, count - 1, replace=False))
    found = leave_one_out(
        dataset,
        chosen.tolist(),
        request.l2,
        device=context.device,
        on_step=lambda done, of: report(0),
    )
    return pd.DataFrame({"sample": found.indices, "change": found.changes})


def crowd(
    request: AttributionsRequest,
    dataset: Dataset,
    context: Context,
    honest: LinearModel,
    before: dict[str, Ranking],
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Make honest and attacked models with the numbers of `disagreements`."""
    from engine.attacks.attack import attack_each_k
    from engine.attacks.options import AttackOptions
    from engine.scrutiny.disagreement import disagreements, honest_models

    rows: list[dict[str, object]] = []

    def add(role: str, how: str, model: LinearModel) -> None:
        rows.append(
            {
                "role": role,
                "how": how,
                "accuracy": model.accuracy(dataset.X_holdout, dataset.y_holdout),
                **disagreements(
                    model,
                    dataset,
                    before["knn_shapley"],
                    damping=request.damping,
                    order=request.order,
                    dtype=request.dtype,
                    device=context.device,
                ),
            }
        )
        report(1)

    trained = honest_models(dataset, request.n_honest, request.l2, request.seed)
    for number, one in enumerate(trained):
        add("known" if 2 * number < request.n_honest else "unknown", one.how, one.model)
    rng = np.random.default_rng(request.seed)
    outside = np.flatnonzero(before["influence"].ranks > request.k)
    targets = rng.choice(outside, min(request.n_attacked, len(outside)), replace=False)
    attacked = attack_each_k(
        honest,
        dataset,
        targets.tolist(),
        (request.k,),
        taken_from(AttackOptions, request, restarts=1),
        device=context.device,
        on_step=lambda info: report(0),
    )
    for result in (by_k[request.k] for by_k in attacked):
        target = result.targets[0]
        how = f"sample {target}: rank {result.before.ranks[target]} → {result.rank_test}"
        add("attacked" if result.success else "failed", how, as_linear(result.model))
    return pd.DataFrame(rows)


SCALARS = ("target", "k", "order")
TABLES = ("retrained", "models", "alarms")


def save_attributions(result: AttributionsResult, folder: Path) -> None:
    arrays: dict[str, np.ndarray] = {}
    for name in result.names:
        arrays |= ranking_arrays(f"{name}_before", result.before[name])
        arrays |= ranking_arrays(f"{name}_after", result.after[name])
    scalars = {name: getattr(result, name) for name in SCALARS}
    if result.missing:
        scalars["missing"] = result.missing
    if set(result.names) - set(ATTRIBUTIONS):
        scalars["names"] = result.names
    write_parts(folder, arrays, scalars, {name: getattr(result, name) for name in TABLES})


def load_attributions(folder: Path) -> AttributionsResult:
    arrays, scalars = read_parts(folder)
    tables: Parts = {n: pd.read_parquet(folder / f"{n}.parquet") for n in TABLES}
    lacking = scalars.get("missing", {})
    names = scalars.pop("names", [name for name in ATTRIBUTIONS if name not in lacking])
    before, after = (
        {name: read_ranking(f"{name}_{when}", arrays) for name in names}
        for when in ("before", "after")
    )
    return AttributionsResult(**scalars, before=before, after=after, **tables)


def describe_attributions(result: AttributionsResult) -> str:
    n = len(result.before["influence"].ranks)
    lines = [f"Sample {result.target} of {n}, rank under the honest and the malicious model:"]
    lines += [
        f"  {what}: {result.before[name].ranks[result.target]} → "
        f"{result.after[name].ranks[result.target]}"
        for name, what in SCORES.items()
        if name in result.names
    ]
    lines += [f"  without {name}: {why}" for name, why in result.missing.items()]
    rank = result.rank_retrained()
    if rank is not None:
        lines.append(f"  leave-one-out retraining: {rank} of {len(result.retrained)} samples tried")
    unknown, attacked = result.count("unknown"), result.count("attacked")
    rows: Iterable[Any] = result.alarms.itertuples()  # with the fields of the table, if any
    for row in rows:
        low, high = wilson_interval(int(row.found), attacked)
        lines.append(
            f"  alarm {row.kind} {row.score}: AUC {row.auc:.3f} ({row.auc_low:.3f} to "
            f"{row.auc_high:.3f}), finds {row.found} of {attacked} ({low:.0%} to {high:.0%}), "
            f"accuses {row.flagged} of {unknown} honest models"
        )
    return "\n".join(lines)


ATTRIBUTIONS_OF = Experiment(
    "attributions",
    "Look at an attacked model with other scores, and raise an alarm where they disagree",
    AttributionsRequest,
    run_attributions,
    save_attributions,
    load_attributions,
    describe_attributions,
)
