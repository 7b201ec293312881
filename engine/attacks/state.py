"""Algorithm 3 as init and step: projected Adam on θ′ until the targets are in the top-k.

`init` makes the state of a batch of runs, `step` advances it by one; between any two steps the
state can be drawn, kept, taken up again or dropped. A run is one start and one learning rate for
one set of targets. Each step evaluates the current θ′, records it, lets the runs that have
arrived leave the batch, and moves the others:

    g = ∇θ Σ c_i I_i;   θ ← θ − lr·Adam(g);   θ ← the nearest point with ‖θ − θ*‖ <= radius·‖θ*‖

With an objective that has an upkeep, a run that has arrived goes on until what it keeps is good
enough; its push for the targets grows as long as they are not at the very top, and falls while they
are: a multiplier of that condition, so that cost is minimised where it holds.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.objectives import Objective, Standing, target_ranks, worst_needed
from engine.attacks.result import StepInfo
from engine.influence.problem import Forward, InfluenceProblem
from engine.influence.solve import WarmStart, over

SOLVE_TOLERANCE = 1e-3  # inside an attack; an arrival is confirmed at CONFIRM_TOLERANCE
CONFIRM_TOLERANCE = 1e-6
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's usual constants
DECAY = 0.1  # of the learning rates, after half of the steps
HARDEST = 64.0  # within this factor a run's pressure rises and falls


@dataclass(frozen=True)
class Plan:
    """Hold what never changes while a batch runs; rows are runs.

    theta: (R, P) starts; honest: (1, P); targets: (R, t); learning_rates: (R,); ball: radius·‖θ*‖.
    A run stops in the top k; `wider` are larger k, ascending, at whose top the first iterate is
    kept on the way, so that one run serves every k (of single targets, and of objectives that do
    not depend on k). runs: how many, one after the other, are one attack's; rates: how many of
    those are one start's. replay_every: of so many steps, one has all scores in its StepInfo; 0: no
    step has. honest_scores (1, n) and honest_accuracy, both on `test`, are what an
    upkeep keeps. tolerance: of a step's solve for the scores, and gradient_tolerance: of that for
    their gradient. gauge_classes: the classes over which moves
    leave out the gauge; 0: they keep it.
    """

    theta: Tensor
    honest: Tensor
    targets: Tensor
    learning_rates: Tensor
    ball: float
    k: int
    steps: int
    objective: Objective
    wider: tuple[int, ...] = ()
    runs: int = 1
    rates: int = 1
    replay_every: int = 0
    honest_scores: Tensor | None = None
    honest_accuracy: float = 0.0
    tolerance: float = SOLVE_TOLERANCE
    gradient_tolerance: float = SOLVE_TOLERANCE
    gauge_classes: int = 0

    @property
    def ks(self) -> tuple[int, ...]:
        return (self.k, *self.wider)

    @cached_property
    def tops(self) -> Tensor:
        """`ks` on the device, (ks, 1): sent there once, because the host waits for that."""
        return torch.tensor(self.ks, device=self.theta.device).unsqueeze(1)

    @property
    def anywhere(self) -> bool:
        """Return whether every iterate serves, wherever the targets rank."""
        return self.objective.upkeep is not None and self.objective.upkeep.anywhere


@dataclass(frozen=True)
class AttackState:
    """Hold a batch between two steps. `active` (A,) numbers the runs still going; θ, Adam's moments
    the warm starts and the pressure are theirs. `best_*` hold, for every run, the iterate with the
    lowest rank, then the highest accuracy on `test`. For each of plan.ks, `reached` (ks, R) says
    which runs have been in that top; `kept_*` (ks, R, …) hold their iterate there that serves, and
    the step of it: the first, or with an upkeep the one of highest quality. `done` (ks, R): which
    have nothing more to do for it; `steps_taken` (ks, R): how long each was at work.
    """

    step: int
    active: Tensor
    theta: Tensor
    first_moment: Tensor
    second_moment: Tensor
    pressure: Tensor
    warm_scores: WarmStart | None
    warm_gradient: WarmStart | None
    best_theta: Tensor
    best_rank: Tensor
    best_accuracy: Tensor
    reached: Tensor
    done: Tensor
    steps_taken: Tensor
    kept_theta: Tensor
    kept_accuracy: Tensor
    kept_quality: Tensor
    kept_step: Tensor

    @property
    def finished(self) -> bool:
        return len(self.active) == 0


def init(plan: Plan) -> AttackState:
    """Make the state of a batch before step 0."""
    runs, ks = len(plan.theta), len(plan.ks)
    where = plan.theta.device
    return AttackState(
        step=0,
        active=torch.arange(runs, device=where),
        theta=plan.theta,
        first_moment=torch.zeros_like(plan.theta),
        second_moment=torch.zeros_like(plan.theta),
        pressure=torch.ones_like(plan.learning_rates),
        warm_scores=None,
        warm_gradient=None,
        best_theta=plan.theta.clone(),
        best_rank=torch.full((runs,), torch.iinfo(torch.int64).max, device=where),
        best_accuracy=torch.zeros(runs, dtype=torch.float64, device=where),
        reached=torch.zeros(ks, runs, dtype=torch.bool, device=where),
        done=torch.zeros(ks, runs, dtype=torch.bool, device=where),
        steps_taken=torch.zeros(ks, runs, dtype=torch.int64, device=where),
        kept_theta=plan.theta.new_zeros(ks, *plan.theta.shape),
        kept_accuracy=torch.zeros(ks, runs, dtype=torch.float64, device=where),
        kept_quality=torch.full((ks, runs), -torch.inf, dtype=torch.float64, device=where),
        kept_step=torch.full((ks, runs), -1, device=where),
    )


def step(problem: InfluenceProblem, plan: Plan, state: AttackState) -> tuple[AttackState, StepInfo]:
    """Evaluate and record the iterates of all active runs, then move those that are not done."""
    forward = problem.forward(state.theta, plan.tolerance, state.warm_scores)
    targets = part(plan.targets, state.active)
    placed = target_ranks(forward.scores, targets)
    upkeep = plan.objective.upkeep
    drift = None
    if upkeep is not None and upkeep.drift_weight:
        drift = problem.drift(state.theta, plan.honest)
    terms = plan.objective.terms
    beside = None if terms is None else terms(state.theta)
    standing = Standing(
        scores=forward.scores,
        targets=targets,
        ranks=placed,
        k=plan.k,
        honest=plan.honest_scores,
        pressure=state.pressure,
        progress=state.step / plan.steps,
        restart=state.active % plan.runs // plan.rates,
        lost=plan.honest_accuracy - forward.accuracy,
        drift=None if drift is None else drift[0],
        beside=None if beside is None else beside[0],
    )
    quality = None if upkeep is None else upkeep.quality(standing).double()
    if quality is not None and plan.anywhere:
        quality = quality.masked_fill(astray(forward), -torch.inf)
    rank = ranked(forward, worst_needed(placed, plan.k))
    rank, new = confirm(problem, plan, state, forward, rank, quality)
    coefficients = plan.objective.coefficients(standing)
    loss = (coefficients * forward.scores).sum(1)
    after = record(plan, state, rank, forward.accuracy, quality, new)
    info, staying = looked(problem, plan, state, after, forward, rank, loss)
    state = after
    if state.step == plan.steps or len(staying) == 0:
        return replace(state, active=state.active[:0], theta=state.theta[:0]), info
    lost = astray(forward)
    wanted = coefficients.masked_fill(lost.unsqueeze(1), 0)  # theirs takes no solve
    gradient, solution = problem.gradient(
        forward,
        wanted,
        plan.gradient_tolerance,
        state.warm_gradient,
        weight=0.0 if upkeep is None else upkeep.loss_weight,
    )
    if beside is not None:
        gradient = gradient + beside[1]
    if upkeep is not None and drift is not None:
        gradient = gradient + upkeep.drift_weight * drift[1]
    state = replace(
        state,
        pressure=pressed(plan, state.pressure, rank),
        warm_scores=forward.solution.warm,
        warm_gradient=solution.warm,
    )
    gradient = gradient.masked_fill(lost.unsqueeze(1), 0)
    if len(staying) < len(rank):
        state, gradient, lost = leave(state, staying), gradient[staying], lost[staying]
    halfway = (state.theta + plan.honest) / 2
    state = move(plan, state, gradient)
    return replace(state, theta=torch.where(lost.unsqueeze(1), halfway, state.theta)), info


def looked(
    problem: InfluenceProblem,
    plan: Plan,
    state: AttackState,
    after: AttackState,
    forward: Forward,
    rank: Tensor,
    loss: Tensor,
) -> tuple[StepInfo, Tensor]:
    """Return what a step saw, `after` being the state with that recorded, and the places of the
    runs that go on, on the host where all do. All comes there in one copy: for each the host waits
    for a GPU."""
    holdout = problem.accuracy(state.theta, "holdout")
    going = ~part(after.done[0], state.active)
    columns = (state.active, rank, loss, forward.accuracy, holdout, going)
    seen = torch.stack([column.double() for column in columns]).cpu()
    run, placed, lowered, accuracy, unseen, on = seen.numpy()
    info = StepInfo(
        step=state.step,
        run=run.astype(np.int64),
        rank=placed.astype(np.int64),
        loss=lowered,
        accuracy_test=accuracy,
        accuracy_holdout=unseen,
        **replayed(plan, state, forward.scores),
    )
    staying = torch.from_numpy(np.flatnonzero(on))
    return info, staying if len(staying) == len(rank) else staying.to(rank.device)


def replayed(plan: Plan, state: AttackState, scores: Tensor) -> dict[str, NDArray]:
    """Return what a step's StepInfo has for the replay: nothing, where it is not kept."""
    if plan.replay_every == 0 or state.step % plan.replay_every:
        return {}
    size = torch.linalg.vector_norm(plan.honest)
    distance = torch.linalg.vector_norm(state.theta - plan.honest, dim=1) / size
    return {"scores": scores.cpu().numpy(), "distance": distance.double().cpu().numpy()}


def pressed(plan: Plan, pressure: Tensor, rank: Tensor) -> Tensor:
    """Return the pressure (A,) of the next step: more where the targets are not yet first of all,
    less where they are. The pressure does not depend on k, for single targets, so that one run
    serves every k."""
    upkeep = plan.objective.upkeep
    if upkeep is None:
        return pressure
    first = rank <= min(plan.k, plan.targets.shape[1])
    changed = torch.where(first, pressure / upkeep.relax, pressure * upkeep.push)
    return changed.clamp(1 / HARDEST, HARDEST)


def confirm(
    problem: InfluenceProblem,
    plan: Plan,
    state: AttackState,
    forward: Forward,
    rank: Tensor,
    quality: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """Return `rank` (A,), solved on from `forward` tightly for the iterates that would be kept: an
    attack never claims a near miss. And which runs arrive with it, as in `arrivals`; None for
    none."""
    new = arrivals(plan, state, rank, quality)
    if plan.anywhere:
        return rank, new  # nothing depends on the rank
    some = torch.nonzero(new.any(0)).flatten()
    if len(some) == 0:
        return rank, None
    warm = forward.solution.warm.select(some)
    exact = problem.forward(state.theta[some], CONFIRM_TOLERANCE, warm)
    targets = plan.targets[state.active[some]]
    tight = worst_needed(target_ranks(exact.scores, targets), plan.k)
    rank = rank.index_copy(0, some, ranked(exact, tight))
    return rank, arrivals(plan, state, rank, quality)


def astray(forward: Forward) -> Tensor:
    """Return which models (B,) have no meaningful scores because a solve met a direction of no
    positive curvature: networks alone, far from the honest one, where the damping is small. Their
    rank counts as the last, so that they neither arrive nor serve, and they go halfway back to θ*
    instead of along a gradient. (B,)"""
    return forward.solution.lowest <= 0


def ranked(forward: Forward, rank: Tensor) -> Tensor:
    """Return `rank` (B,), with the last place for models that are astray."""
    return rank.masked_fill(astray(forward), forward.scores.shape[1])


def arrivals(plan: Plan, state: AttackState, rank: Tensor, quality: Tensor | None = None) -> Tensor:
    """Return which active runs are in the top of which k for the first time, or, given the quality
    (A,) that an upkeep sees, better there than ever: (A,) → (ks, A)."""
    inside, new = rank <= plan.tops, ~part(state.reached, state.active, 1)
    if plan.anywhere:
        inside = torch.ones_like(inside)
    if quality is not None:
        better = quality > part(state.kept_quality, state.active, 1)
        new = (new | better) & ~part(state.done, state.active, 1)
    return inside & new


def record(
    plan: Plan,
    state: AttackState,
    rank: Tensor,
    accuracy: Tensor,
    quality: Tensor | None,
    new: Tensor | None,
) -> AttackState:
    """Keep each run's best iterate: lowest rank, then highest accuracy on `test`; and the one that
    serves each k, where `new` (ks, A), as in `arrivals`, says so; None for none."""
    rows = state.active
    old_rank, old_accuracy = part(state.best_rank, rows), part(state.best_accuracy, rows)
    better = (rank < old_rank) | ((rank == old_rank) & (accuracy > old_accuracy))
    at_work = ~part(state.done, rows, 1)

    def best(then: Tensor, now: Tensor) -> Tensor:
        """Write the better iterates' values (A, …) into those of all runs, (R, …)."""
        return put(then, torch.where(over(better, now), now, part(then, rows)), rows)

    after = replace(
        state,
        best_theta=best(state.best_theta, state.theta),
        best_rank=best(state.best_rank, rank),
        best_accuracy=best(state.best_accuracy, accuracy),
        steps_taken=kept(state.steps_taken, state.step, at_work, rows),
    )
    return after if new is None else arrived(plan, after, accuracy, quality, new)


def kept(then: Tensor, now: Tensor | int, where: Tensor, rows: Tensor) -> Tensor:
    """Write values (A, …) of the runs `rows` into those of all k and runs, (ks, R, …), where
    `where` (ks, A) says so."""
    mask, before = where.view(*where.shape, *[1] * (then.ndim - 2)), part(then, rows, 1)
    written = (
        before.masked_fill(mask, now) if isinstance(now, int) else torch.where(mask, now, before)
    )
    return put(then, written, rows, 1)


def part(values: Tensor, rows: Tensor, axis: int = 0) -> Tensor:
    """The `rows` (A,) of values, ascending, along `axis`: as they are where that is all of them."""
    return values if len(rows) == values.shape[axis] else values.index_select(axis, rows)


def put(values: Tensor, now: Tensor, rows: Tensor, axis: int = 0) -> Tensor:
    """The values with `now` at `rows` (A,), ascending, along `axis`."""
    return now if len(rows) == values.shape[axis] else values.index_copy(axis, rows, now)


def arrived(
    plan: Plan, state: AttackState, accuracy: Tensor, quality: Tensor | None, new: Tensor
) -> AttackState:
    """Keep the iterates that serve the k for which `new` (ks, A) says so."""
    rows, upkeep = state.active, plan.objective.upkeep
    reached = put(state.reached, part(state.reached, rows, 1) | new, rows, 1)
    done = reached
    if upkeep is not None and quality is not None:  # one run that keeps enough will do
        ending = new & (quality >= upkeep.enough)
        done = put(state.done, part(state.done, rows, 1) | ending, rows, 1)
        by_attack = done.view(len(plan.ks), -1, plan.runs)
        done = by_attack.any(-1, keepdim=True).expand_as(by_attack).reshape(done.shape)
    return replace(
        state,
        reached=reached,
        done=done,
        kept_theta=kept(state.kept_theta, state.theta, new, rows),
        kept_accuracy=kept(state.kept_accuracy, accuracy, new, rows),
        kept_quality=(
            state.kept_quality if quality is None else kept(state.kept_quality, quality, new, rows)
        ),
        kept_step=kept(state.kept_step, state.step, new, rows),
    )


def iterates(state: AttackState, which: int, rows: slice) -> tuple[Tensor, Tensor]:
    """θ (R, P) and accuracy on `test` (R,) with which runs `rows` serve the `which`-th k: the one
    kept in its top, or the best of a run that never was there."""
    reached = state.reached[which, rows]
    return (
        torch.where(reached.unsqueeze(1), state.kept_theta[which, rows], state.best_theta[rows]),
        torch.where(reached, state.kept_accuracy[which, rows], state.best_accuracy[rows]),
    )


def leave(state: AttackState, staying: Tensor) -> AttackState:
    """Return the batch without the runs that have arrived."""
    return replace(
        state,
        active=state.active[staying],
        theta=state.theta[staying],
        first_moment=state.first_moment[staying],
        second_moment=state.second_moment[staying],
        pressure=state.pressure[staying],
        warm_scores=None if state.warm_scores is None else state.warm_scores.select(staying),
        warm_gradient=None if state.warm_gradient is None else state.warm_gradient.select(staying),
    )


def move(plan: Plan, state: AttackState, gradient: Tensor) -> AttackState:
    """Make one step of Adam, then project onto the ball around θ*."""
    first = state.first_moment.lerp(gradient, 1 - BETA_1)
    second = (state.second_moment * BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    count = state.step + 1
    decay = 1 if 2 * state.step < plan.steps else DECAY
    rate = part(plan.learning_rates, state.active).unsqueeze(1)
    scale = (1 - BETA_2**count) ** 0.5  # of both moments' beginning at zero, taken out at once
    size = second.sqrt().add_(EPSILON * scale)
    theta = state.theta.addcdiv(rate * first, size, value=-decay * scale / (1 - BETA_1**count))
    if plan.gauge_classes:
        theta = plan.honest + without_gauge(theta - plan.honest, plan.gauge_classes)
    return replace(
        state,
        step=count,
        theta=project(theta, plan.honest, plan.ball),
        first_moment=first,
        second_moment=second,
    )


def project(theta: Tensor, honest: Tensor, ball: float) -> Tensor:
    """Return the nearest points to θ (R, P) with ‖θ − θ*‖₂ <= ball."""
    offset = theta - honest
    length = torch.linalg.vector_norm(offset, dim=1, keepdim=True)
    return torch.where(length > ball, torch.addcdiv(honest, offset, length, value=ball), theta)


def without_gauge(moves: Tensor, n_classes: int) -> Tensor:
    """Return moves (B, K·D) without what is the same for every class, which changes no score."""
    by_class = moves.view(len(moves), n_classes, -1)
    return (by_class - by_class.mean(1, keepdim=True)).flatten(1)
