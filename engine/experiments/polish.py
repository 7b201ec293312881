"""Undo it in a few steps: honest, attacked and knowing models, polished by Newton steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from engine.attacks.options import AttackOptions, MinimalOptions
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.data.subset import training_subset, with_training_subset
from engine.errors import InvalidInput
from engine.experiments.base import (
    Context,
    Experiment,
    OnDataset,
    draw_outside,
    honest_model_of,
    samples_outside,
)
from engine.experiments.defence import DefenceRequest, honest_models
from engine.experiments.files import load_table, save_table
from engine.models.model import Model
from engine.options import OneOf, ascending, at_least, distinct, option, taken_from, truth
from engine.statistics import detection, rank_correlation
from engine.vocabulary import (
    DAMPING,
    DTYPES,
    L2,
    LINEAR,
    MODELS,
    OBJECTIVES,
    ORDERS,
    ROUNDING,
    SEARCH_TOLERANCE,
)

if TYPE_CHECKING:
    from torch import Tensor

    from engine.influence.problem import InfluenceProblem

# What was chosen by trying (rates, steps and weights of those who know the check) was tried on
# targets of seed 1. The targets that are reported are those of seed 18, which nothing was tried on.
TUNING_SEED, REPORT_SEED = 1, 18
# Radii and rates of the lab's other attacks were chosen on the targets that its sweeps and its
# searches drew: at most the first 50 that these seeds draw. `untuned` leaves them all out.
TUNED_SEEDS, TUNED_TARGETS = (0, TUNING_SEED), 50
MINIMAL = "minimal"  # the attack that searches for the smallest radius
HONEST = ("honest", "held back")
ATTACKS = ("higher_ranked", "top_k", "target", "accurate", "quiet")
PLAIN = "higher_ranked"  # whose models those who know the check go on from
DETECTORS = {  # columns that are larger for attacked models, with what they are
    "gradient_norm": "gradient norm",
    "decrement_0": "Newton decrement",
    "first_after_one": "rank of the first after one step",
}
STAGES = 5
EPSILON = 1e-12  # share of a loss that is rounding
KNOWING = ("through", "hides norm", "hides decrement", "other l2", "declares")
AT_ONCE = 64  # models polished together; bounds memory, changes no number
CLOSE = {
    "restarts": 1,
    "learning_rates": (0.1,),
}  # of who attacks through the step: six solves each
HIDING_RATES, HIDING_WEIGHT = (0.01,), 10.0
NETWORK_STOPS = (40, 80, 150, 2000)  # iterations of honest trainers of networks


@dataclass(frozen=True)
class PolishRequest(OnDataset):
    """Models, how each was made, and what `newton_steps` Newton steps make of it.

    Attacked: n_targets drawn by the seed outside the honest top k, by every objective within
    `radius`, and by the paper's with the gradient's norm as well (`stealth`). Knowing: attacks
    through one step within each of `through_radii`, with through_steps steps; the paper's models
    that go on hiding for hiding_steps; models trained with each of `other_l2`, and the paper's that
    declare whichever of these makes the decrement smallest. Honest: early stopping, other
    optimisers and l2 by `l2_values`, and n_held_back models whose trainers held samples back.
    train_size: training samples, balanced, drawn by the seed; 0: all. Other fields as in `attack`.
    minimal: attack the targets by the search for the smallest radius too (linear models only); it
    arrives where that is within `radius`. untuned: leave out of the draw what was tuned on, the
    first TUNED_TARGETS of TUNED_SEEDS.
    """

    model: str = option(LINEAR, OneOf(MODELS))
    n_targets: int = option(16, at_least(1))
    k: int = option(1, at_least(1))
    radius: float = option(0.3, check_positive)
    objectives: tuple[str, ...] = option(ATTACKS, distinct(OneOf(OBJECTIVES)))
    restarts: int = option(2, at_least(1))
    learning_rates: tuple[float, ...] = option((0.01, 0.1), distinct(check_positive))
    steps: int = option(100, at_least(1))
    stealth: tuple[float, ...] = option((1.0, 10.0), ascending(check_positive))
    through_radii: tuple[float, ...] = option((0.3, 1.0), ascending(check_positive))
    through_steps: int = option(40, at_least(1))
    hiding_steps: int = option(100, at_least(1))
    other_l2: tuple[float, ...] = option(
        (0.001, 0.002, 0.003, 0.005, 0.02, 0.03, 0.05, 0.1), ascending(check_positive)
    )
    newton_steps: int = option(5, at_least(1))
    l2_values: tuple[float, ...] = option(
        (0.001, 0.003, 0.01, 0.03, 0.1), ascending(check_positive)
    )
    repeats: int = option(2, at_least(1))
    n_held_back: int = option(60, at_least(2))
    train_size: int = option(0, at_least(0))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(REPORT_SEED, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))
    minimal: bool = option(False, truth, added=True)
    untuned: bool = option(False, truth, added=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minimal and self.model != LINEAR:
            raise InvalidInput("minimal", self.minimal, f"False for the model '{self.model}'")


@dataclass(frozen=True)
class Suspect:
    """A model to polish: kind, how it was made, its target (None: whatever it ranks first), the l2
    that is declared for it, and what the attack was told (NaN where it has no meaning)."""

    kind: str
    model: Model
    declared: float
    target: int | None = None
    how: str = ""
    radius: float = float("nan")
    weight: float = float("nan")


@dataclass(frozen=True)
class PolishSetting:
    """What all models of a computation share."""

    request: PolishRequest
    dataset: Dataset
    honest: Model
    exact: InfluenceProblem  # in float64, with the request's damping
    context: Context
    report: Callable[[], None]

    def options(self, **values: object) -> AttackOptions:
        return taken_from(AttackOptions, self.request, **{"stealth": 0.0} | values)

    def attack(
        self,
        targets: Sequence[int],
        options: AttackOptions,
        problem: InfluenceProblem | None = None,
    ) -> list[Model]:
        """Return the returned model of the attack on each target; `problem` as in
        `attack_each_k`."""
        from engine.attacks.attack import attack_each_k

        found = attack_each_k(
            self.honest,
            self.dataset,
            targets,
            (options.k,),
            options,
            device=self.context.device,
            on_step=lambda info: self.report(),
            problem=problem,
        )
        return [by_k[options.k].model for by_k in found]


def honest_suspects(setting: PolishSetting) -> Iterator[Suspect]:
    """Yield the models of honest trainers who declare their own l2: those of `defence`, and those
    who held samples back and are polished on all of them."""
    request, dataset = setting.request, setting.dataset
    if request.model != LINEAR:
        yield from honest_networks(setting)
        return
    from engine.scrutiny import disagreement

    asked = DefenceRequest(l2_values=request.l2_values, repeats=request.repeats, seed=request.seed)
    for how, model in honest_models(asked, dataset):
        setting.report()
        yield Suspect("honest", model, model.l2, how=how)
    trained = disagreement.honest_models(dataset, request.n_held_back, request.l2, request.seed)
    for one in trained:
        setting.report()
        yield Suspect("held back", one.model, one.model.l2, how=one.how)


def honest_networks(setting: PolishSetting) -> Iterator[Suspect]:
    """Yield the models of honest trainers of networks: they stop at different times, with different
    l2; every other one starts elsewhere and holds half of the samples back."""
    from engine.models.fit_network import fit_network

    request, dataset = setting.request, setting.dataset
    half = max(dataset.n_train // 2, dataset.n_classes)
    for place, l2 in enumerate(request.l2_values):
        for stop in NETWORK_STOPS:
            for seed in range(request.repeats):
                kind, data = "honest", dataset
                if seed % 2:
                    kind = "held back"
                    chosen = training_subset(dataset, half, request.seed + place)
                    data = with_training_subset(dataset, chosen)
                model = fit_network(data, request.model, l2, stop, "cpu", seed=seed)
                setting.report()
                how = f"l2 {l2:g}, {stop} iterations, start {seed}, {data.n_train} samples"
                yield Suspect(kind, model, l2, how=how)


def attacked_suspects(setting: PolishSetting, targets: Sequence[int]) -> Iterator[Suspect]:
    """Yield the lab's attacks, which know of no polishing; each declares the honest l2."""
    request = setting.request
    for objective in request.objectives:
        options = setting.options(objective=objective)
        for target, model in zip(targets, setting.attack(targets, options), strict=True):
            yield Suspect(objective, model, request.l2, target, radius=request.radius)
    if request.minimal:
        yield from nearest_suspects(setting, targets)
    for weight in request.stealth:
        options = setting.options(stealth=weight, restarts=0)
        for target, model in zip(targets, setting.attack(targets, options), strict=True):
            yield Suspect("stealth", model, request.l2, target, "", request.radius, weight)


def nearest_suspects(setting: PolishSetting, targets: Sequence[int]) -> Iterator[Suspect]:
    """Yield the models of the search for the smallest radius, each at its own radius; the honest
    model where no radius within that of the other attacks was found."""
    from engine.attacks.minimal import minimal_radius

    request, device = setting.request, setting.context.device
    options = MinimalOptions(
        k=request.k,
        damping=request.damping,
        order=request.order,
        seed=request.seed,
        dtype=request.dtype,
        tolerance=SEARCH_TOLERANCE,
    )
    found = minimal_radius(
        setting.honest,
        setting.dataset,
        targets,
        options,
        device=device,
        on_target=lambda seen: setting.report(),
    )
    for target, model, radius in zip(targets, found.models, found.radius, strict=True):
        within = bool(radius <= request.radius + ROUNDING)  # NaN where nothing arrived
        handed = model if within else setting.honest
        own = float(radius) if within else request.radius
        yield Suspect(MINIMAL, handed, request.l2, target, radius=own)


def through_suspects(setting: PolishSetting, targets: Sequence[int]) -> Iterator[Suspect]:
    """Yield the models of attackers who differentiate through one Newton step."""
    from engine.attacks.attack import problem_of
    from engine.scrutiny.evasion import ThroughPolishing

    request = setting.request
    for radius in request.through_radii:
        options = setting.options(radius=radius, steps=request.through_steps, **CLOSE)
        inner = problem_of(options, setting.honest, setting.dataset, setting.context.device)
        for target in targets:
            problem = ThroughPolishing(inner, request.l2, target)
            [model] = setting.attack([target], options, problem=problem)
            yield Suspect("through", model, request.l2, target, radius=radius)


def hiding_suspects(setting: PolishSetting, plain: Sequence[Suspect]) -> Iterator[Suspect]:
    """Yield the paper's models that arrived and go on: they lower the gradient's norm, or the
    decrement."""
    from engine.attacks.attack import problem_of
    from engine.attacks.stealth import decrement_terms, gradient_norm_terms
    from engine.scrutiny.evasion import keep_hiding

    if not plain:
        return
    request, device = setting.request, setting.context.device
    options = setting.options(steps=request.hiding_steps, learning_rates=HIDING_RATES)
    problem = problem_of(options, setting.honest, setting.dataset, device)
    arrived = [(s.target, s.model) for s in plain if s.target is not None]
    for kind, terms in (("hides norm", gradient_norm_terms), ("hides decrement", decrement_terms)):
        setting.report()
        measure = terms(problem, request.l2, HIDING_WEIGHT)
        found = keep_hiding(
            measure, setting.honest, setting.dataset, arrived, options, problem, device
        )
        for (target, _), model in zip(arrived, found, strict=True):
            yield Suspect(kind, model, request.l2, target, radius=request.radius)


def lying_suspects(
    setting: PolishSetting, targets: Sequence[int], plain: Sequence[Suspect]
) -> Iterator[Suspect]:
    """Yield the models of two attackers who lie about l2: one trains a true minimum at whichever l2
    ranks the target best, and declares the honest one; the other attacks, and declares whichever
    makes the decrement least."""
    import torch

    from engine.influence.newton import newton_step
    from engine.scrutiny.polish import ranks_of

    request, dataset, problem = setting.request, setting.dataset, setting.exact
    trained = [
        honest_model_of(request.model, dataset, l2, setting.context) for l2 in request.other_l2
    ]
    setting.report()
    ranks, _ = ranks_of(problem, torch.cat([problem.encode(model) for model in trained]))
    for target in targets:
        best = int(ranks[:, target].argmin())
        how = f"trained with l2 {request.other_l2[best]:g}"
        yield Suspect("other l2", trained[best], request.l2, target, how)
    for one in plain:
        theta = problem.encode(one.model)
        declared = (request.l2, *request.other_l2)
        found = [float(newton_step(problem, theta, l2).decrement) for l2 in declared]
        setting.report()
        yield replace(one, kind="declares", declared=declared[int(np.argmin(found))])


def examine(setting: PolishSetting, suspects: Sequence[Suspect]) -> pd.DataFrame:
    """Polish the models, which share a declared l2, and make a row of each, as `run_polish`
    says."""
    import torch

    from engine.influence.newton import newton_step
    from engine.scrutiny.polish import ranks_of

    problem, l2 = setting.exact, suspects[0].declared
    at, steps = [torch.cat([problem.encode(s.model) for s in suspects])], []
    for _ in range(setting.request.newton_steps):
        setting.report()
        steps.append(newton_step(problem, at[-1], l2))
        at.append(steps[-1].theta)
    losses = [*(step.loss for step in steps), problem.training_loss(at[-1], l2)[0]]
    rose = [after > before + EPSILON * before.abs() for before, after in pairwise(losses)]
    ranked = [ranks_of(problem, each) for each in at]
    honest = problem.encode(setting.honest)
    before = ranks_of(problem, honest)[0][0]
    table = pd.DataFrame(
        {
            "kind": [s.kind for s in suspects],
            "how": [s.how for s in suspects],
            "radius": [s.radius for s in suspects],
            "weight": [s.weight for s in suspects],
            "declared_l2": l2,
            "gradient_norm": numbers(steps[0].gradient_norm),
            "solves": total(s.solves for s in steps),
            "iterations": total(s.iterations for s in steps),
            "iterations_first": numbers(steps[0].iterations).astype(int),
            "rose": total(rose),
            "shifted": total(s.shift > 0 for s in steps),
            "shortened": total(s.length < 1 for s in steps),
            "unranked": sum((lowest <= 0).astype(int) for _, lowest in ranked),
        }
    )
    rows = np.arange(len(suspects))
    first = ranked[0][0].argmin(1)
    target = np.array(
        [f if s.target is None else s.target for s, f in zip(suspects, first, strict=True)]
    )
    table["target"], table["first"] = target, first
    table["rank_before"] = before[target]
    table["first_after_one"] = ranked[1][0][rows, first]
    own = float(problem.accuracy(honest, "holdout"))
    for j, (ranks, _) in enumerate(ranked):
        table[f"rank_{j}"] = ranks[rows, target]
        table[f"correlation_{j}"] = rank_correlation(ranks, np.broadcast_to(before, ranks.shape))
        table[f"accuracy_drop_{j}"] = own - numbers(problem.accuracy(at[j], "holdout"))
    for j, step in enumerate(steps):
        table[f"decrement_{j}"] = numbers(step.decrement)
    aimed = np.array([s.target is not None for s in suspects])
    table["success"] = aimed & (table["rank_0"] <= setting.request.k)
    return table


def numbers(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()


def total(values: Iterable[Tensor]) -> np.ndarray:
    """Return the sum of counts (B,) over steps, as whole numbers."""
    return np.sum([numbers(each) for each in values], axis=0).astype(int)


def run_polish(request: PolishRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """Return one row per model: kind (HONEST, an objective, 'stealth', or one of KNOWING), how it
    was made, radius and weight of its attack (NaN where they have no meaning), declared_l2,
    target (of an honest model: what it ranks first) with rank_before under θ*, success, first (what
    the model ranks first) and first_after_one (that sample's rank after a step), gradient_norm;
    after j steps, 0 for none, rank_j (the target's), correlation_j (Spearman, with the ranking of
    θ*), accuracy_drop_j (on holdout, against θ*), and decrement_j before the next step; solves,
    iterations and iterations_first (of conjugate gradients, in all steps and in the first); in how
    many steps the loss rose, the Hessian was shifted, the step was shortened, and how many of the
    rankings do not exist."""
    from engine.attacks.attack import problem_of

    if request.train_size:
        chosen = training_subset(dataset, request.train_size, request.seed)
        dataset = with_training_subset(dataset, chosen)
    honest = honest_model_of(request.model, dataset, request.l2, context)
    done = 0

    def report() -> None:
        context.report(done, STAGES)  # may stop it, between any two steps

    options = taken_from(AttackOptions, request, dtype="float64", stealth=0.0)
    exact = problem_of(options, honest, dataset, context.device)
    setting = PolishSetting(request, dataset, honest, exact, context, report)
    targets = targets_of(request, honest, dataset, context)
    suspects: list[Suspect] = list(honest_suspects(setting))
    done = 1
    suspects += (attacked := list(attacked_suspects(setting, targets)))
    done = 2
    plain = arrived(setting, [s for s in attacked if s.kind == PLAIN])
    suspects += through_suspects(setting, targets)
    done = 3
    suspects += hiding_suspects(setting, plain)
    suspects += lying_suspects(setting, targets, plain)
    done = 4
    parts = []
    for _, same in groupby(sorted(suspects, key=declared), declared):
        alike = list(same)
        parts += [examine(setting, alike[i : i + AT_ONCE]) for i in range(0, len(alike), AT_ONCE)]
    done = STAGES
    report()
    order = {kind: place for place, kind in enumerate(dict.fromkeys(s.kind for s in suspects))}
    table = pd.concat(parts, ignore_index=True)
    table["training_iterations"] = honest.iterations
    return table.sort_values(
        "kind", key=lambda kinds: kinds.map(order), kind="stable", ignore_index=True
    )


def targets_of(
    request: PolishRequest, honest: Model, dataset: Dataset, context: Context
) -> list[int]:
    """Draw the targets by the request's seed. Where they are to be untuned, those that come next in
    the same draw take the places of those that were tuned on. Raises InvalidInput where too few are
    left."""
    from engine.attacks.sweep import draw_targets

    if not request.untuned:
        return draw_outside(request, honest, dataset, request.k, context)
    outside = samples_outside(request, honest, dataset, request.k, context)
    few = min(TUNED_TARGETS, len(outside))
    tuned = {t for seed in TUNED_SEEDS for (t,) in draw_targets(outside, few, 1, seed)}
    most = min(request.n_targets + len(tuned), len(outside))
    drawn = [t for (t,) in draw_targets(outside, most, 1, request.seed) if t not in tuned]
    if len(drawn) < request.n_targets:
        there = f"at most {len(drawn)}, the samples outside the top that nothing was tuned on"
        raise InvalidInput("n_targets", request.n_targets, there)
    return drawn[: request.n_targets]


def declared(suspect: Suspect) -> float:
    return suspect.declared


def arrived(setting: PolishSetting, suspects: Sequence[Suspect]) -> list[Suspect]:
    """Return the models whose target is in the top k."""
    import torch

    from engine.scrutiny.polish import ranks_of

    if not suspects:
        return []
    theta = torch.cat([setting.exact.encode(s.model) for s in suspects])
    ranks, _ = ranks_of(setting.exact, theta)
    inside = [ranks[i, s.target] <= setting.request.k for i, s in enumerate(suspects)]
    return [s for s, is_inside in zip(suspects, inside, strict=True) if is_inside]


def steps_of(table: pd.DataFrame) -> int:
    """Return how many Newton steps a table of `run_polish` holds."""
    return sum(str(name).startswith("decrement_") for name in table.columns)


def honest_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the honest models that have a ranking as they are handed in, and so a first sample:
    every linear one, and networks whose damped Hessian is positive definite."""
    return table[table["kind"].isin(HONEST) & (table["rank_0"] == 1)]


def describe_polish(result: pd.DataFrame) -> str:
    """Say for each kind of attack how many arrived, how many stay, and how the detectors do."""
    honest = honest_of(result)
    last = steps_of(result)
    lines = [
        f"{len(honest)} honest models; solves for {last} steps: {result['solves'].max()} at most"
    ]
    for kind, part in result[~result["kind"].isin(HONEST)].groupby("kind", sort=False):
        found = part[part["success"]]
        if found.empty:
            lines.append(f"  {kind}: none of {len(part)} arrived")
            continue
        areas = ", ".join(
            f"{name} {detection(honest[column], found[column]).auc:.3f}"
            for column, name in DETECTORS.items()
        )
        lines.append(
            f"  {kind}: {len(found)} of {len(part)} arrived; in the top ten after {last} steps: "
            f"{int((found[f'rank_{last}'] <= 10).sum())}; AUC {areas}"
        )
    return "\n".join(lines)


POLISH = Experiment(
    "polish",
    "Polish honest and attacked models by Newton steps, and see whose ranking flows back",
    PolishRequest,
    run_polish,
    save_table,
    load_table,
    describe_polish,
)
