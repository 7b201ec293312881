"""Attackers who know that their model will be polished.

Three of them, beside those who only watch the gradient's norm (`engine.attacks.stealth`):

- one makes the target lead before *and after* a Newton step. With θ₁ = θ − t u, u = A⁻¹∇L(θ), as in
  `engine.scrutiny.polish`, the derivative through the step is, for any v and w = A⁻¹ v,

      ∇θ⟨v, θ₁⟩ = (1 − t) v + t ∇θ⟨w, H(θ) u⟩    with v, w and u held fixed

  because u's own derivative is θ's minus A⁻¹ (dH) u. It costs one more solve.
- one goes on after arriving: its target stays in the top, and what the check measures falls.
- one declares an l2 other than that of its training, whichever makes the model look best.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.attack import honest_scores, make_plan
from engine.attacks.objectives import Objective, Standing, Upkeep, softmax
from engine.attacks.options import AttackOptions
from engine.attacks.state import init, step
from engine.attacks.stealth import Terms
from engine.checks import check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.newton import NewtonStep, newton_step
from engine.influence.problem import Forward, InfluenceProblem
from engine.influence.solve import Solution, Warm, WarmStart
from engine.models.model import Model


@dataclass(frozen=True)
class Passage:
    """What `ThroughPolishing.gradient` takes up from `forward`: the steps taken, the scores after
    those numbers of steps that count, and which of them is the target's worst for each sample."""

    starts: tuple[Tensor, ...]
    steps: tuple[NewtonStep, ...]
    forwards: dict[int, Forward]
    worst: Tensor


@dataclass(frozen=True, eq=False)
class ThroughPolishing:
    """An influence problem whose target leads only where it leads after each number of Newton steps
    in `depths`, 0 for the model as it is handed in.

    A sample's score is its largest lead over the target, in standard deviations of the scores,
    after any of these numbers of steps; the target's own is 0. So the target's rank is 1 where it
    is first every time, and Algorithm 3 works on it unchanged. The deviations are held fixed in the
    gradient, and so is the length of the steps. Accuracy is that of the model handed in.
    """

    inner: InfluenceProblem
    l2: float
    target: int
    depths: tuple[int, ...] = (0, 1)
    step_tolerance: float = 1e-4  # of the steps' solves, whatever is asked of the scores'

    @property
    def n_train(self) -> int:
        return self.inner.n_train

    @property
    def sign(self) -> int:
        return self.inner.sign

    def encode(self, model: Model) -> Tensor:
        return self.inner.encode(model)

    def decode(self, theta: Tensor) -> NDArray[np.float64]:
        return self.inner.decode(theta)

    def accuracy(self, theta: Tensor, split: str) -> Tensor:
        return self.inner.accuracy(theta, split)

    def training_loss(self, theta: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        return self.inner.training_loss(theta, l2)

    def drift(self, theta: Tensor, honest: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner.drift(theta, honest)

    def hessian_product(self, theta: Tensor, V: Tensor) -> Tensor:
        return self.inner.hessian_product(theta, V)

    def inverse_product(self, theta: Tensor, b: Tensor, tolerance: float) -> Solution:
        return self.inner.inverse_product(theta, b, tolerance)

    def curvature_slope(self, theta: Tensor, V: Tensor, W: Tensor) -> Tensor:
        return self.inner.curvature_slope(theta, V, W)

    def damped(self, damping: float) -> "ThroughPolishing":
        return replace(self, inner=self.inner.damped(damping))

    def forward(
        self, theta: Tensor, tolerance: float, warm: WarmStart | None = None, split: str = "test"
    ) -> Forward:
        """Return leads over the target, as the class says; no warm start is used."""
        starts, steps = [theta], []
        for _ in range(max(self.depths)):
            steps.append(newton_step(self.inner, starts[-1], self.l2, self.step_tolerance))
            starts.append(steps[-1].theta)
        found = {d: self.inner.forward(starts[d], tolerance, split=split) for d in self.depths}
        leads = torch.stack([self.leads(one.scores) for one in found.values()])  # depths, B, n
        scores, worst = leads.max(0)
        last = found[self.depths[-1]]
        lowest = torch.stack([one.solution.lowest for one in found.values()]).amin(0)
        return Forward(
            scores,
            self.inner.accuracy(theta, "test"),
            replace(last.solution, lowest=lowest),
            Passage(tuple(starts), tuple(steps), found, worst),
        )

    def leads(self, scores: Tensor) -> Tensor:
        own = scores[:, self.target : self.target + 1]
        return (scores - own) / scores.std(1, keepdim=True)

    def gradient(
        self, forward: Forward, c: Tensor, tolerance: float, warm: Warm = None, weight: float = 0.0
    ) -> tuple[Tensor, Solution]:
        """∇θ Σ_i c_i S_i of the leads S, with c (B, n) frozen; one solve a score, one a step."""
        passed = forward.state
        assert isinstance(passed, Passage)
        own: dict[int, Tensor] = {}
        solution = forward.solution
        for place, (depth, scored) in enumerate(passed.forwards.items()):
            its = c.masked_fill(passed.worst != place, 0) / scored.scores.std(1, keepdim=True)
            its[:, self.target] = 0
            its[:, self.target] = -its.sum(1)
            own[depth], solution = self.inner.gradient(scored, its, tolerance)
        v = own[max(self.depths)]
        for depth in reversed(range(max(self.depths))):
            start, taken = passed.starts[depth], passed.steps[depth]
            v = through_step(self.inner, start, taken, v, self.l2, self.step_tolerance)
            if depth in own:
                v = v + own[depth]
        if weight:
            v = v + weight * self.training_loss(passed.starts[0], 0.0)[1]
        return v, solution


def through_step(
    problem: InfluenceProblem,
    theta: Tensor,
    step: NewtonStep,
    v: Tensor,
    l2: float,
    tolerance: float,
) -> Tensor:
    """∇θ ⟨v, θ₁⟩ (B, P) of the Newton step θ → θ₁ with v (B, P) held fixed, as above. Where a
    network's step was shifted, its shift is held fixed too."""
    slope = torch.empty_like(v)
    for mu in step.shift.unique():
        some = torch.nonzero(step.shift == mu).flatten()
        damped = problem.damped(l2 + float(mu))
        w = damped.inverse_product(theta[some], v[some], tolerance).x.flatten(1)
        # A = H + (l2 + μ)I, but the gradient's own derivative is H + l2·I: they differ by μ
        slope[some] = problem.curvature_slope(theta[some], w, step.u[some]) + float(mu) * w
    t = step.length.unsqueeze(1)
    return (1 - t) * v + t * slope


def hidden(standing: Standing) -> Tensor:
    """Return minus what the check measures."""
    assert standing.beside is not None
    return -standing.beside


def kept_on_top(standing: Standing) -> Tensor:
    """Return the coefficients of a narrow softmax, by the run's pressure: they vanish while the
    target is far above all others."""
    pull = softmax(standing, cooled_at=1e-9) / standing.scores.std(1, keepdim=True)
    return pull if standing.pressure is None else pull * standing.pressure.unsqueeze(1)


def hiding(measure: Terms) -> Objective:
    """Return the objective of an attacker who goes on after arriving: keep the target in the top,
    lower `measure`.
    No run ends early."""
    upkeep = Upkeep(hidden, enough=0.0, push=1.3, relax=1.1)
    return Objective("hiding", "hide after arriving", kept_on_top, measure, upkeep=upkeep)


def keep_hiding(
    measure: Terms,
    honest: Model,
    dataset: Dataset,
    arrived: Sequence[tuple[int, Model]],
    options: AttackOptions,
    problem: InfluenceProblem | None = None,
    device: str = "auto",
) -> list[Model]:
    """Go on from models whose target is in the top k: lower `measure` there, for options.steps
    steps, and return for each the iterate in the top where it is lowest; the model itself where
    none is.

    arrived: target and model of each. options: k, radius (of the ball around the honest model),
    steps, learning_rates, damping, order and dtype count. problem: as in `attack_each_k`.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    pairs = [(check_integer("target", t, 0, dataset.n_train - 1), m) for t, m in arrived]
    if not pairs:
        raise InvalidInput("arrived", pairs, "at least one target with its model")
    options = replace(options, restarts=1, stealth=0.0)
    problem, before = honest_scores(options, honest, dataset, device, problem)
    sets = [(target,) for target, _ in pairs]
    plan = make_plan(options, problem, honest, before=before, sets=sets, ks=(options.k,))
    starts = torch.cat([problem.encode(model) for _, model in pairs])
    plan = replace(plan, theta=starts.repeat_interleave(plan.runs, 0), objective=hiding(measure))
    state = init(plan)
    while not state.finished:
        state, _ = step(problem, plan, state)
    quality = state.kept_quality[0].view(len(pairs), plan.runs)
    best = quality.argmax(1)
    models = []
    for row, (_, model) in enumerate(pairs):
        run = row * plan.runs + int(best[row])
        kept = bool(state.reached[0, run])
        theta = problem.decode(state.kept_theta[0, run])
        models.append(model.with_parameters(theta) if kept else model)
    return models
