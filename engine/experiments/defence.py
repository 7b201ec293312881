"""Is it a minimum? (Section 6): the training gradient of honest, attacked and scaled models."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from engine.checks import check_choice, check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.base import (
    Context,
    Experiment,
    added_field,
    check_name,
    check_rates,
    honest_model,
    settle,
)
from engine.experiments.files import load_table, save_table
from engine.models.linear import LinearModel, as_linear
from engine.statistics import detection
from engine.vocabulary import DTYPES, OBJECTIVES, ORDERS

# Honest trainers differ: optimiser, when they stop, and the chance in their batches.
DETERMINISTIC = {"lbfgs": (15, 20, 25, 30, 40, 60, 2000), "adam": (100, 150, 200, 300, 500, 1000)}
STOCHASTIC = (200, 500, 1000, 2000)  # steps of SGD


@dataclass(frozen=True)
class DefenceRequest:
    """Honest models over optimisers, stopping times, `l2_values` and `repeats` of SGD; models
    attacked from `restarts` starts at every radius and k, on n_targets drawn by the seed; θ*
    scaled; and the attacker who knows the check, at one radius and the smallest k, who gives the
    gradient's norm these weights (`stealth`) and starts at θ*. All other fields as in `attack`."""

    dataset: str = "digits"
    n_targets: int = 25
    ks: tuple[int, ...] = (1, 10)
    radii: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.5)
    restarts: int = 2
    steps: int = 100
    scales: tuple[float, ...] = (0.001, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 1.01, 1.1, 1.5, 2.0)
    stealth: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    stealth_radius: float = 0.3
    l2_values: tuple[float, ...] = (0.003, 0.01, 0.03)
    repeats: int = 7
    damping: float = 0.25
    l2: float = 0.01
    order: str = "highest_first"
    seed: int = 0
    objective: str = added_field("higher_ranked")
    learning_rates: tuple[float, ...] = added_field((0.01, 0.1))
    dtype: str = added_field("float32")

    def __post_init__(self) -> None:
        settle(
            self,
            dataset=check_name(self.dataset),
            n_targets=check_integer("n_targets", self.n_targets, 1),
            ks=tuple(sorted({check_integer("k", k, 1) for k in self.ks})),
            radii=numbers("radii", self.radii),
            restarts=check_integer("restarts", self.restarts, 0),
            steps=check_integer("steps", self.steps, 1),
            scales=numbers("scales", self.scales),
            stealth=numbers("stealth", self.stealth, allow_zero=True),
            stealth_radius=check_positive("stealth_radius", self.stealth_radius),
            l2_values=numbers("l2_values", self.l2_values),
            repeats=check_integer("repeats", self.repeats, 1),
            damping=check_positive("damping", self.damping),
            l2=check_positive("l2", self.l2),
            order=check_choice("order", self.order, ORDERS),
            seed=check_integer("seed", self.seed, 0),
            objective=check_choice("objective", self.objective, OBJECTIVES),
            learning_rates=check_rates(self.learning_rates),
            dtype=check_choice("dtype", self.dtype, DTYPES),
        )


def numbers(name: str, values: object, allow_zero: bool = False) -> tuple[float, ...]:
    """Distinct numbers > 0, or >= 0, ascending."""
    if not isinstance(values, list | tuple) or not values:
        raise InvalidInput(name, values, "a sequence with at least one number")
    return tuple(sorted({check_positive(name, value, allow_zero) for value in values}))


def honest_models(request: DefenceRequest, dataset: Dataset) -> Iterator[tuple[str, LinearModel]]:
    """Honest models and how each was trained."""
    from engine.models.fit import fit

    for l2 in request.l2_values:
        for optimizer, stops in DETERMINISTIC.items():
            for stop in stops:
                model = fit(dataset, l2, optimizer, max_iterations=stop, device="cpu")
                yield f"{optimizer}, {stop} steps, l2 {l2:g}", model
        for seed in range(request.repeats):
            for stop in STOCHASTIC:
                model = fit(dataset, l2, "sgd", stop, "cpu", seed=request.seed + seed)
                yield f"sgd, {stop} steps, l2 {l2:g}, seed {request.seed + seed}", model


def run_defence(request: DefenceRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """One row per model: kind ('honest', 'scaled', 'attacked', 'adaptive'), trained (how), target,
    radius, scale, stealth (NaN where they have no meaning), k, rank_before, rank_after (the
    target's, on test), success, accuracy_drop (against θ*), gradient_norm, relative (as in
    `optimality`)."""
    from engine.attacks.attack import attack_each_k
    from engine.attacks.sweep import draw_targets
    from engine.influence.scores import influence_scores
    from engine.scrutiny.optimality import optimality

    honest = honest_model(dataset, request.l2, context)
    accuracy = honest.accuracy(dataset.X_holdout, dataset.y_holdout)
    rows: list[dict[str, Any]] = []
    first = request.ks[:1]
    attacks = [
        *(("attacked", radius, request.ks, request.restarts, 0.0) for radius in request.radii),
        *(("adaptive", request.stealth_radius, first, 0, weight) for weight in request.stealth),
    ]
    total = len(attacks) + 2

    def add(kind: str, model: LinearModel, **known: Any) -> None:
        checked = optimality(model, dataset)
        rows.append(
            {
                "kind": kind,
                "trained": "",
                **dict.fromkeys(("radius", "scale", "stealth"), np.nan),
                **dict.fromkeys(("target", "k", "rank_before", "rank_after"), 0),
                "success": False,
                "accuracy_drop": accuracy - model.accuracy(dataset.X_holdout, dataset.y_holdout),
                "gradient_norm": checked.gradient_norm,
                "relative": checked.relative,
                **known,
            }
        )

    def report(done: int, info: Any = None) -> None:
        context.report(done, total)  # may stop it, between any two steps

    for trained, model in honest_models(request, dataset):
        add("honest", model, trained=trained)
        report(0)
    for scale in request.scales:
        scaled = replace(honest, weight=scale * honest.weight, bias=scale * honest.bias)
        add("scaled", scaled, scale=scale)
    report(2)
    ranks = influence_scores(
        honest,
        dataset,
        damping=request.damping,
        order=request.order,
        dtype=request.dtype,
        device=context.device,
    ).ranks
    drawn = draw_targets(np.flatnonzero(ranks > request.ks[-1]), request.n_targets, 1, request.seed)
    targets = [target for (target,) in drawn]
    for done, (kind, radius, ks, restarts, weight) in enumerate(attacks, start=2):
        found = attack_each_k(
            honest,
            dataset,
            targets,
            ks=ks,
            radius=radius,
            objective=request.objective,
            restarts=restarts,
            learning_rates=request.learning_rates,
            steps=request.steps,
            damping=request.damping,
            order=request.order,
            seed=request.seed,
            dtype=request.dtype,
            device=context.device,
            on_step=partial(report, done),
            stealth=weight,
        )
        for result in (result for by_k in found for result in by_k.values()):
            add(
                kind,
                replace(as_linear(result.model), l2=request.l2),
                target=result.targets[0],
                k=result.k,
                radius=radius,
                stealth=weight,
                rank_before=int(result.before.ranks[result.targets[0]]),
                rank_after=int(result.ranks_test[0]),
                success=bool(result.success),
            )
    report(total)
    return pd.DataFrame(rows)


def describe_defence(result: pd.DataFrame) -> str:
    """How well the gradient's norm tells the successful attacks from honest models."""
    honest = result.loc[result["kind"] == "honest", "gradient_norm"]
    lines = [f"{len(honest)} honest models, gradient norm {honest.min():.1e} to {honest.max():.1e}"]
    for kind in ("attacked", "scaled", "adaptive"):
        of = result[result["kind"] == kind]
        found = of if kind == "scaled" else of[of["success"]]
        if found.empty:
            lines.append(f"  {kind}: none of {len(of)} succeeded")
            continue
        auc = detection(honest, found["gradient_norm"])
        lines.append(
            f"  {kind}: {len(found)} of {len(of)}"
            f"{'' if kind == 'scaled' else ' succeeded'}, gradient norm "
            f"{found['gradient_norm'].min():.1e} to {found['gradient_norm'].max():.1e}, AUC "
            f"{auc.auc:.3f} (95% {auc.interval.low:.3f} to {auc.interval.high:.3f})"
        )
    return "\n".join(lines)


DEFENCE = Experiment(
    "defence",
    "Check honest, attacked and scaled models for being a minimum of the training loss",
    DefenceRequest,
    run_defence,
    save_table,
    load_table,
    describe_defence,
)
