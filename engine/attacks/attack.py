"""The attack as one call: check the input, start the runs, loop over `step`, choose the result."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.objectives import OBJECTIVES, target_ranks
from engine.attacks.result import AttackResult, StepInfo
from engine.attacks.state import CONFIRM_TOLERANCE, Plan, init, step
from engine.attacks.stealth import added, gradient_norm_terms, training_loss_terms
from engine.attacks.summary import exactly, honest_side, summarise, trajectories
from engine.checks import check_choice, check_integer, check_positive, check_targets
from engine.data.dataset import Dataset
from engine.devices import resolve_dtype
from engine.errors import InvalidInput
from engine.influence.build import build_problem
from engine.influence.problem import Forward, InfluenceProblem
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.model import Model


def starts(
    honest: NDArray[np.float64],
    ball: float,
    restarts: int,
    seed: int,
    targets: Sequence[int],
) -> NDArray[np.float64]:
    """Starting points (max(restarts, 1), P): Gaussian directions on the sphere; θ* for restarts=0.

    They depend on the seed, the targets and the restart's number alone: objectives and radii are
    compared from the same directions, an attack in a batch starts as it would alone, and a success
    rate over targets is one over independent starts.
    """
    if restarts == 0:
        return honest.reshape(1, -1)
    directions = np.stack(
        [
            np.random.default_rng([seed, restart, *targets]).standard_normal(honest.size)
            for restart in range(restarts)
        ]
    )
    return honest.ravel() + ball * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def attack_each_k(
    model: Model,
    dataset: Dataset,
    targets: Sequence[int | Sequence[int]],
    ks: Sequence[int] = (1,),
    radius: float = 0.3,
    objective: str = "higher_ranked",
    restarts: int = 5,
    learning_rates: Sequence[float] = (0.01, 0.1),
    steps: int = 100,
    damping: float = 0.25,
    order: str = "highest_first",
    seed: int = 0,
    dtype: str = "float32",
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
    problem: InfluenceProblem | None = None,
    stealth: float = 0.0,
) -> list[dict[int, AttackResult]]:
    """As `attack_each`, for several k at once: per entry of `targets` a result for each k.

    One run serves every k: it stops in the top of the smallest, and its first iterate in each wider
    top is that k's. That needs single targets and an objective that does not depend on k.
    problem: that of this model's kind, data set, damping, order, dtype and device, where one is
    there already.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    model.check_fits(dataset)
    n = dataset.n_train
    ks = check_ks(ks, n)
    radius = check_positive("radius", radius)
    goal = OBJECTIVES[check_choice("objective", objective, OBJECTIVES)]
    restarts = check_integer("restarts", restarts, 0)
    steps = check_integer("steps", steps, 1)
    stealth = check_positive("stealth", stealth, allow_zero=True)
    seed = check_integer("seed", seed, 0)
    rates = [check_positive("learning_rates", rate) for rate in learning_rates]
    sets = [check_targets(t, n) for t in targets]
    if not rates or not sets:
        empty = "learning_rates" if not rates else "targets"
        raise InvalidInput(empty, (), "a sequence with at least one entry")
    if len({len(s) for s in sets}) > 1:
        raise InvalidInput("targets", [len(s) for s in sets], "sets of equally many targets")
    if len(ks) > 1 and not one_run_serves(objective, len(sets[0])):
        what = "sets of targets" if len(sets[0]) > 1 else f"the objective '{objective}'"
        raise InvalidInput("ks", ks, f"a single k: runs of {what} depend on it")
    problem, before = honest_scores(model, dataset, damping, order, dtype, device, problem)
    beside = []
    if goal.upkeep is not None and goal.upkeep.loss_weight:
        beside.append(training_loss_terms(problem, 0.0, goal.upkeep.loss_weight))
    if stealth:
        l2 = check_positive("model.l2", model.l2)  # of the loss that he pretends to have minimised
        beside.append(gradient_norm_terms(problem, l2, stealth))
    goal = replace(goal, terms=added(beside))
    honest = problem.encode(model)
    check_outside(before.scores, sets, ks[0])
    ball = radius * model.norm
    center = honest[0].double().cpu().numpy()
    first = [starts(center, ball, restarts, seed, t) for t in sets]
    if goal.upkeep is not None and goal.upkeep.from_honest:
        for points in first:
            points[0] = center.ravel()
    runs = len(first[0]) * len(rates)  # of one attack
    theta = torch.as_tensor(
        np.concatenate([np.repeat(points, len(rates), axis=0) for points in first]),
        dtype=honest.dtype,
        device=honest.device,
    )
    where = honest.device
    plan = Plan(
        theta=theta,
        honest=honest,
        targets=torch.as_tensor(np.repeat(np.asarray(sets), runs, axis=0), device=where),
        learning_rates=torch.as_tensor(
            np.resize(rates, len(theta)), dtype=honest.dtype, device=where
        ),
        ball=ball,
        k=ks[0],
        steps=steps,
        objective=goal,
        wider=ks[1:],
        runs=runs,
        rates=len(rates),
        honest_scores=before.scores,
        honest_accuracy=float(before.accuracy),
    )
    state, infos = init(plan), []
    while not state.finished:
        state, info = step(problem, plan, state)
        infos.append(info)
        if on_step is not None:
            on_step(info)
    side, table = honest_side(problem, model, dataset, order), trajectories(infos)
    found: list[dict[int, AttackResult]] = []
    for i, targets_of in enumerate(sets):
        rows = slice(i * runs, (i + 1) * runs)
        exact = exactly(problem, state, targets_of, rows)
        by_k = {
            k: summarise(
                problem,
                state,
                table,
                side,
                dataset,
                targets=targets_of,
                k=k,
                which=which,
                order=order,
                learning_rates=rates,
                rows=rows,
                exact=exact,
            )
            for which, k in enumerate(ks)
        }
        found.append(by_k)
    return found


@in_float64_if_needed
def honest_scores(
    model: Model,
    dataset: Dataset,
    damping: float,
    order: str,
    dtype: str,
    device: str,
    problem: InfluenceProblem | None,
) -> tuple[InfluenceProblem, Forward]:
    """The problem in which an attack is made, `problem` where that has the dtype, and the honest
    model's scores in it. Raises NotConverged."""
    kind = resolve_dtype(dtype)
    if problem is None or problem.encode(model).dtype != kind:
        problem = build_problem(model, dataset, damping, order, dtype, device)
    before = problem.forward(problem.encode(model), CONFIRM_TOLERANCE)
    check_converged(before.solution, CONFIRM_TOLERANCE)
    return problem, before


def one_run_serves(objective: str, set_size: int) -> bool:
    """Whether one run serves every k: it does for single targets, where the objective is the same
    for every k; a set's targets are pulled until they are in the top k, and k of them must be."""
    return set_size == 1 and not OBJECTIVES[objective].depends_on_k


def check_ks(ks: Sequence[int], n: int) -> tuple[int, ...]:
    """Distinct k within [1, n], ascending."""
    if not isinstance(ks, Iterable) or not (asked := list(ks)):
        raise InvalidInput("ks", ks, "a sequence with at least one entry")
    return tuple(sorted({check_integer("k", k, 1, n) for k in asked}))


def attack_each(
    model: Model,
    dataset: Dataset,
    targets: Sequence[int | Sequence[int]],
    k: int = 1,
    radius: float = 0.3,
    objective: str = "higher_ranked",
    restarts: int = 5,
    learning_rates: Sequence[float] = (0.01, 0.1),
    steps: int = 100,
    damping: float = 0.25,
    order: str = "highest_first",
    seed: int = 0,
    dtype: str = "float32",
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
    stealth: float = 0.0,
) -> list[AttackResult]:
    """One attack per entry of `targets` (a training index, or a set of equally many), as one batch.

    Options as in `attack`; `on_step` sees the whole batch, whose run numbers go on from attack to
    attack, while those of each result begin at 0.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    found = attack_each_k(
        model,
        dataset,
        targets,
        (k,),
        radius,
        objective,
        restarts,
        learning_rates,
        steps,
        damping,
        order,
        seed,
        dtype,
        device,
        on_step,
        stealth=stealth,
    )
    return [result for by_k in found for result in by_k.values()]


def attack(
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    k: int = 1,
    radius: float = 0.3,
    objective: str = "higher_ranked",
    restarts: int = 5,
    learning_rates: Sequence[float] = (0.01, 0.1),
    steps: int = 100,
    damping: float = 0.25,
    order: str = "highest_first",
    seed: int = 0,
    dtype: str = "float32",
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
    stealth: float = 0.0,
) -> AttackResult:
    """Algorithm 3 on one target (a training index), or on a set of targets at once (Eq. 5).

    k: the rank to reach. radius: relative, ‖θ′ − θ*‖₂ <= radius·‖θ*‖₂. objective, order: names in
    `engine.vocabulary`. restarts: random starts on that sphere; 0 starts once, at θ*. Every start
    runs with every learning rate; rates fall to a tenth after half of the steps. damping: λ of the
    influence that is attacked. on_step is called after every step and may raise to stop the attack.
    stealth: weight of the training gradient's norm beside the objective, for an attacker who knows
    that a model is checked for being a minimum; the loss that is reported leaves it out.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    return attack_each(
        model,
        dataset,
        [check_targets(targets, dataset.n_train)],
        k,
        radius,
        objective,
        restarts,
        learning_rates,
        steps,
        damping,
        order,
        seed,
        dtype,
        device,
        on_step,
        stealth,
    )[0]


def check_outside(scores: Tensor, sets: Sequence[tuple[int, ...]], k: int) -> None:
    """Raise InvalidInput where the honest model already has what an attack is to bring about."""
    for targets in sets:
        rank = target_ranks(scores, torch.as_tensor([targets], device=scores.device))[0]
        inside = [t for t, r in zip(targets, rank.tolist(), strict=True) if r <= k]
        if len(inside) >= min(k, len(targets)):
            raise already_inside(targets, k)


def already_inside(targets: tuple[int, ...], k: int) -> InvalidInput:
    return InvalidInput(
        "target" if len(targets) == 1 else "targets",
        targets[0] if len(targets) == 1 else targets,
        f"outside the honest top-{k} (it is there before any attack): choose another "
        "target or a smaller k",
    )
