"""The attack as one call: check the input, start the runs, loop over `step`, choose the result."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.allocation import reuse_freed_memory
from engine.attacks.objectives import ATTACK_OBJECTIVES, Objective, target_ranks
from engine.attacks.options import ATTACK_DEFAULTS, AttackOptions
from engine.attacks.result import AttackResult, StepInfo
from engine.attacks.state import CONFIRM_TOLERANCE, Plan, init, step, without_gauge
from engine.attacks.stealth import gradient_norm_terms
from engine.attacks.summary import Finished, honest_side, trajectories
from engine.checks import check_integer, check_positive, check_targets
from engine.data.dataset import Dataset
from engine.devices import resolve_dtype
from engine.errors import InvalidInput
from engine.influence.build import build_problem
from engine.influence.linear import LinearProblem
from engine.influence.mixed import in_precision, step_tolerances
from engine.influence.problem import Forward, InfluenceProblem
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel
from engine.models.model import Model, check_pair
from engine.options import entries

REPLAY_SCORES = 25_000_000  # kept during an attack, 4 bytes each in float32


def starts(
    honest: NDArray[np.float64],
    ball: float,
    restarts: int,
    seed: int,
    targets: Sequence[int],
) -> NDArray[np.float64]:
    """Draw starting points (max(restarts, 1), P): Gaussian directions, or θ* for restarts=0.

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
    ks: Sequence[int] = (ATTACK_DEFAULTS.k,),
    options: AttackOptions = ATTACK_DEFAULTS,
    *,
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
    problem: InfluenceProblem | None = None,
    replay: bool = False,
) -> list[dict[int, AttackResult]]:
    """Attack as `attack_each`, for several k at once: a result per entry of `targets` and k.

    One run serves every k: it stops in the top of the smallest, and its first iterate in each wider
    top is that k's. That needs single targets and an objective that does not depend on k.
    ks: in place of the options' own k. problem: that of this model's kind, data set and device, and
    of the options' damping, order and dtype, where one is there already. replay: keep each returned
    run step by step (`AttackResult.replay`).
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_pair(model, dataset)
    reuse_freed_memory()
    sets = target_sets(targets, dataset.n_train)
    ks = check_ks(ks, dataset.n_train)
    if len(ks) > 1 and not one_run_serves(options.objective, len(sets[0])):
        what = "sets of targets" if len(sets[0]) > 1 else f"the objective '{options.objective}'"
        raise InvalidInput("ks", ks, f"a single k: runs of {what} depend on it")
    problem, before = honest_scores(options, model, dataset, device, problem)
    problem, precision = in_precision(problem, options.precision, before)
    plan = make_plan(options, problem, model, before=before, sets=sets, ks=ks)
    scores, gradients = step_tolerances(problem, precision, plan.tolerance)
    plan = replace(plan, tolerance=scores, gradient_tolerance=gradients)
    if not plan.anywhere:
        check_outside(before.scores, sets, ks[0])
    del before  # it keeps features in an order that 'mixed' has no use for
    if replay:
        plan = replace(plan, replay_every=replay_every(plan, dataset.n_train))
    state, infos = init(plan), []
    while not state.finished:
        state, info = step(problem, plan, state)
        infos.append(info)
        if on_step is not None:
            on_step(info)
    side = honest_side(problem, model, dataset, options.order)
    batch = Finished(
        problem, dataset, state, trajectories(infos), side, options, tuple(infos), precision
    )
    return [
        batch.results(targets_of, ks, slice(i * plan.runs, (i + 1) * plan.runs))
        for i, targets_of in enumerate(sets)
    ]


def replay_every(plan: Plan, n: int) -> int:
    """Return of how many steps one is kept for the replay, so that all runs' scores of n samples
    stay within REPLAY_SCORES numbers while they run. The returned model is kept in any case."""
    return max(1, math.ceil(len(plan.theta) * (plan.steps + 1) * n / REPLAY_SCORES))


def problem_of(
    options: AttackOptions, model: Model, dataset: Dataset, device: str
) -> InfluenceProblem:
    """Build the influence problem that an attack with these options works on."""
    o = options
    built = build_problem(
        model, dataset, damping=o.damping, order=o.order, dtype=o.dtype, device=device
    )
    return built.packed() if isinstance(built, LinearProblem) else built


@in_float64_if_needed
def honest_scores(
    options: AttackOptions,
    model: Model,
    dataset: Dataset,
    device: str,
    problem: InfluenceProblem | None,
) -> tuple[InfluenceProblem, Forward]:
    """Return the problem in which an attack is made, `problem` where that has the options' dtype,
    and the honest model's scores in it. Raises NotConverged."""
    kind = resolve_dtype(options.dtype)
    if problem is None or problem.encode(model).dtype != kind:
        problem = problem_of(options, model, dataset, device)
    before = problem.forward(problem.encode(model), CONFIRM_TOLERANCE)
    check_converged(before.solution, CONFIRM_TOLERANCE)
    return problem, before


def make_plan(
    options: AttackOptions,
    problem: InfluenceProblem,
    model: Model,
    *,
    before: Forward,
    sets: Sequence[tuple[int, ...]],
    ks: tuple[int, ...],
) -> Plan:
    """Return the runs of one attack per target set, every start with every learning rate; before:
    the honest model's scores."""
    honest = problem.encode(model)
    goal, ball = goal_of(options, problem, model), options.radius * model.norm
    center = honest[0].double().cpu().numpy()
    first = [starts(center, ball, options.restarts, options.seed, t) for t in sets]
    classes = gauge_classes(options, model)
    if classes and options.restarts:
        first = [on_sphere(points, center, ball, classes) for points in first]
    if goal.upkeep is not None and goal.upkeep.from_honest:
        for points in first:
            points[0] = center.ravel()
    rates = options.learning_rates
    theta = np.concatenate([np.repeat(points, len(rates), axis=0) for points in first])
    where = honest.device
    return Plan(
        theta=torch.as_tensor(theta, dtype=honest.dtype, device=where),
        honest=honest,
        targets=torch.as_tensor(np.repeat(np.asarray(sets), options.runs, axis=0), device=where),
        learning_rates=torch.as_tensor(
            np.resize(rates, len(theta)), dtype=honest.dtype, device=where
        ),
        ball=ball,
        k=ks[0],
        steps=options.steps,
        objective=goal,
        wider=ks[1:],
        runs=options.runs,
        rates=len(rates),
        honest_scores=before.scores,
        honest_accuracy=float(before.accuracy),
        gauge_classes=classes,
    )


def gauge_classes(options: AttackOptions, model: Model) -> int:
    """Return the classes over which an attack takes the gauge out, 0 where it keeps it. Raises
    InvalidInput for a network."""
    if not options.gauge_free:
        return 0
    if not isinstance(model, LinearModel):
        raise InvalidInput("gauge_free", True, "False for a network")
    return model.n_classes


def on_sphere(
    points: NDArray[np.float64], center: NDArray[np.float64], ball: float, n_classes: int
) -> NDArray[np.float64]:
    """Return starts (restarts, P) without their gauge part, moved out to the sphere again."""
    offsets = without_gauge(torch.as_tensor(points - center.ravel()), n_classes).numpy()
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    return np.asarray(center.ravel() + ball * offsets / lengths)


def goal_of(options: AttackOptions, problem: InfluenceProblem, model: Model) -> Objective:
    """Return the objective with what stealth adds to it."""
    goal = ATTACK_OBJECTIVES[options.objective]
    if not options.stealth:
        return goal
    l2 = check_positive("model.l2", model.l2)  # of the loss that is pretended to be least
    return replace(goal, terms=gradient_norm_terms(problem, l2, options.stealth))


def one_run_serves(objective: str, set_size: int) -> bool:
    """Return whether one run serves every k: it does for single targets, where the objective is the
    same for every k; a set's targets are pulled until they are in the top k, and k of them must
    be."""
    return set_size == 1 and not ATTACK_OBJECTIVES[objective].depends_on_k


def check_ks(ks: Sequence[int], n: int) -> tuple[int, ...]:
    """Check for distinct k within [1, n], and return them ascending. Raises InvalidInput."""
    return tuple(sorted({check_integer("k", k, 1, n) for k in entries("ks", ks)}))


def target_sets(
    targets: Sequence[int | Sequence[int]], n_train: int
) -> tuple[tuple[int, ...], ...]:
    """Check the targets of each attack, equally many per attack. Raises InvalidInput."""
    sets = tuple(check_targets(t, n_train) for t in entries("targets", targets))
    if len({len(s) for s in sets}) > 1:
        raise InvalidInput("targets", [len(s) for s in sets], "sets of equally many targets")
    return sets


def attack_each(
    model: Model,
    dataset: Dataset,
    targets: Sequence[int | Sequence[int]],
    k: int = ATTACK_DEFAULTS.k,
    radius: float = ATTACK_DEFAULTS.radius,
    objective: str = ATTACK_DEFAULTS.objective,
    restarts: int = ATTACK_DEFAULTS.restarts,
    learning_rates: Sequence[float] = ATTACK_DEFAULTS.learning_rates,
    steps: int = ATTACK_DEFAULTS.steps,
    damping: float = ATTACK_DEFAULTS.damping,
    order: str = ATTACK_DEFAULTS.order,
    seed: int = ATTACK_DEFAULTS.seed,
    dtype: str = ATTACK_DEFAULTS.dtype,
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
    stealth: float = ATTACK_DEFAULTS.stealth,
    precision: str = ATTACK_DEFAULTS.precision,
    gauge_free: bool = ATTACK_DEFAULTS.gauge_free,
) -> list[AttackResult]:
    """Make one attack per entry of `targets` (training indices, or sets of equal size), as one
    batch.

    Options as in `attack`; `on_step` sees the whole batch, whose run numbers go on from attack to
    attack, while those of each result begin at 0.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    options = AttackOptions(
        k=k, radius=radius, objective=objective, restarts=restarts, learning_rates=learning_rates,
        steps=steps, damping=damping, order=order, seed=seed, dtype=dtype, stealth=stealth,
        precision=precision, gauge_free=gauge_free,
    )  # fmt: skip
    ks = (options.k,)
    found = attack_each_k(model, dataset, targets, ks, options, device=device, on_step=on_step)
    return [by_k[options.k] for by_k in found]


def attack(
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    k: int = ATTACK_DEFAULTS.k,
    radius: float = ATTACK_DEFAULTS.radius,
    objective: str = ATTACK_DEFAULTS.objective,
    restarts: int = ATTACK_DEFAULTS.restarts,
    learning_rates: Sequence[float] = ATTACK_DEFAULTS.learning_rates,
    steps: int = ATTACK_DEFAULTS.steps,
    damping: float = ATTACK_DEFAULTS.damping,
    order: str = ATTACK_DEFAULTS.order,
    seed: int = ATTACK_DEFAULTS.seed,
    dtype: str = ATTACK_DEFAULTS.dtype,
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
    stealth: float = ATTACK_DEFAULTS.stealth,
    precision: str = ATTACK_DEFAULTS.precision,
    gauge_free: bool = ATTACK_DEFAULTS.gauge_free,
) -> AttackResult:
    """Run Algorithm 3 on one target (a training index), or on a set of targets at once (Eq. 5).

    `AttackOptions` says what each option means and what it may be; `attack_with` takes them as one
    object. on_step is called after every step and may raise to stop the attack.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    options = AttackOptions(
        k=k, radius=radius, objective=objective, restarts=restarts, learning_rates=learning_rates,
        steps=steps, damping=damping, order=order, seed=seed, dtype=dtype, stealth=stealth,
        precision=precision, gauge_free=gauge_free,
    )  # fmt: skip
    return attack_with(options, model, dataset, targets, device=device, on_step=on_step)


def attack_with(
    options: AttackOptions,
    model: Model,
    dataset: Dataset,
    targets: int | Sequence[int],
    *,
    device: str = "auto",
    on_step: Callable[[StepInfo], None] | None = None,
) -> AttackResult:
    """Do the same as `attack`, with the options as one object."""
    check_pair(model, dataset)
    sets = [check_targets(targets, dataset.n_train)]
    ks = (options.k,)
    [by_k] = attack_each_k(
        model, dataset, sets, ks, options, device=device, on_step=on_step, replay=True
    )
    return by_k[options.k]


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
