"""Is it a minimum? (Section 6): the training gradient of honest, attacked and scaled models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult, StepInfo
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import Context, Experiment, OnDataset, draw_outside, honest_model
from engine.experiments.files import load_table, save_table
from engine.models.linear import LinearModel, as_linear
from engine.options import (
    OneOf,
    ascending,
    at_least,
    not_negative,
    one_or_each,
    option,
    taken_from,
)
from engine.statistics import detection
from engine.vocabulary import DAMPING, DTYPES, L2, OBJECTIVES, ORDERS

# Honest trainers differ: optimiser, when they stop, and the chance in their batches.
DETERMINISTIC = {"lbfgs": (15, 20, 25, 30, 40, 60, 2000), "adam": (100, 150, 200, 300, 500, 1000)}
STOCHASTIC = (200, 500, 1000, 2000)  # steps of SGD


@dataclass(frozen=True)
class DefenceRequest(OnDataset):
    """Honest models over optimisers, stopping times, `l2_values` and `repeats` of SGD; models
    attacked from `restarts` starts at every radius and k, on n_targets drawn by the seed; θ*
    scaled; and an attack that knows the check, at one radius and the smallest k, which gives the
    gradient's norm these weights (`stealth`) and starts at θ*. All other fields as in `attack`."""

    n_targets: int = option(25, at_least(1))
    ks: tuple[int, ...] = option((1, 10), ascending(at_least(1)))
    radii: tuple[float, ...] = option((0.05, 0.1, 0.2, 0.3, 0.5), ascending(check_positive))
    restarts: int = option(2, at_least(0))
    steps: int = option(100, at_least(1))
    scales: tuple[float, ...] = option(
        (0.001, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 1.01, 1.1, 1.5, 2.0), ascending(check_positive)
    )
    stealth: tuple[float, ...] = option(
        (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0), ascending(not_negative)
    )
    stealth_radius: float = option(0.3, check_positive)
    l2_values: tuple[float, ...] = option((0.003, 0.01, 0.03), ascending(check_positive))
    repeats: int = option(7, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    objective: str = option("higher_ranked", OneOf(OBJECTIVES), added=True)
    learning_rates: Sequence[float] = option((0.01, 0.1), one_or_each(check_positive), added=True)
    dtype: str = option("float32", OneOf(DTYPES), added=True)

    def attacks(self) -> list[tuple[str, tuple[int, ...], AttackOptions]]:
        """List kind, ks and options of each batch of attacks: one a radius, then one a stealth."""
        attacked = [
            ("attacked", self.ks, taken_from(AttackOptions, self, radius=radius, stealth=0.0))
            for radius in self.radii
        ]
        known = {"radius": self.stealth_radius, "restarts": 0}
        return attacked + [
            ("adaptive", self.ks[:1], taken_from(AttackOptions, self, stealth=weight, **known))
            for weight in self.stealth
        ]


def honest_models(request: DefenceRequest, dataset: Dataset) -> Iterator[tuple[str, LinearModel]]:
    """Train honest models, and say how each was trained."""
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


def check_of(model: LinearModel, dataset: Dataset, accuracy: float) -> dict[str, object]:
    """Make the row of a model that no attack made: its check against its loss; accuracy: θ*'s."""
    from engine.scrutiny.optimality import optimality

    checked = optimality(model, dataset)
    return {
        "kind": "",
        "trained": "",
        **dict.fromkeys(("radius", "scale", "stealth"), np.nan),
        **dict.fromkeys(("target", "k", "rank_before", "rank_after"), 0),
        "success": False,
        "accuracy_drop": accuracy - model.accuracy(dataset.X_holdout, dataset.y_holdout),
        "gradient_norm": checked.gradient_norm,
        "relative": checked.relative,
    }


def run_defence(request: DefenceRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """Return one row per model: kind ('honest', 'scaled', 'attacked', 'adaptive'), trained (how),
    target, radius, scale, stealth (NaN where they have no meaning), k, rank_before, rank_after (the
    target's, on test), success, accuracy_drop (against θ*), gradient_norm, relative (as in
    `optimality`)."""
    from engine.attacks.attack import attack_each_k

    honest = honest_model(dataset, request.l2, context)
    check = partial(check_of, dataset=dataset, accuracy=honest.accuracy(*dataset.split("holdout")))
    attacks = request.attacks()
    total = len(attacks) + 2

    def report(done: int, info: StepInfo | None = None) -> None:
        context.report(done, total)  # may stop it, between any two steps

    rows: list[dict[str, object]] = []
    for trained, model in honest_models(request, dataset):
        rows.append(check(model) | {"kind": "honest", "trained": trained})
        report(0)
    for scale in request.scales:
        scaled = replace(honest, weight=scale * honest.weight, bias=scale * honest.bias)
        rows.append(check(scaled) | {"kind": "scaled", "scale": scale})
    report(2)
    targets = draw_outside(request, honest, dataset, request.ks[-1], context)
    for done, (kind, ks, options) in enumerate(attacks, start=2):
        found = attack_each_k(
            honest,
            dataset,
            targets,
            ks,
            options,
            device=context.device,
            on_step=partial(report, done),
        )
        for result in (result for by_k in found for result in by_k.values()):
            model = replace(as_linear(result.model), l2=request.l2)
            rows.append(check(model) | {"kind": kind} | of_attack(result, options))
    report(total)
    return pd.DataFrame(rows)


def of_attack(result: AttackResult, options: AttackOptions) -> dict[str, object]:
    """Return the columns that describe the attack behind a model."""
    return {
        "target": result.targets[0],
        "k": result.k,
        "radius": options.radius,
        "stealth": options.stealth,
        "rank_before": int(result.before.ranks[result.targets[0]]),
        "rank_after": int(result.ranks_test[0]),
        "success": bool(result.success),
    }


def describe_defence(result: pd.DataFrame) -> str:
    """Say how well the gradient's norm tells the successful attacks from honest models."""
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
