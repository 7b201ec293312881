"""Polishing: a few Newton steps on the declared training loss, before a model is scored.

    L(θ) = mean training loss + l2/2·‖θ‖²,   A = H(θ) + l2·I,   u = A⁻¹ ∇L(θ)
    θ ← θ − t u,   the Newton decrement is √(∇Lᵀ u)

Where L is strongly convex, as it is for a linear model with l2 > 0, it has one minimum. The steps
lead back to it, and with them the ranking. The decrement measures how far a model is from that
minimum in the loss's own metric: ½·decrement² is the fall of the loss that its quadratic model
promises.

Near the minimum the whole step serves, t = 1. Far from it whole steps may lead ever farther away,
so t is halved until the loss falls (Armijo's rule). That costs values of the loss, but no solve.

The Hessian of a network may have directions of negative curvature, along which a Newton step would
climb. Where a solve meets one, A is shifted, A + μI, and μ grows until none is met. A network also
has many minima. Polishing leads to one near by, not to the one that an honest trainer would have
found. `Polished.fell` says of each step whether the loss fell.

Whoever polishes needs the training data and the declared l2.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from engine.checks import check_integer, check_positive, check_sample_weights
from engine.data.dataset import Dataset
from engine.influence.build import build_problem
from engine.influence.linear import LinearProblem
from engine.influence.newton import EPSILON, SOLVE_TOLERANCE, newton_step
from engine.influence.problem import InfluenceProblem, ranks
from engine.influence.scores import check_definite
from engine.models.linear import as_linear
from engine.models.model import Model, check_pair
from engine.progress import OnStep, ignore_step
from engine.vocabulary import DAMPING


@dataclass(frozen=True, eq=False)
class Polished:
    """A model after each of S Newton steps, and what it was before each.

    models: S of them, the last the most polished; they keep the l2 that the given model names.
    decrements, shifts, lengths: (S,), of the model before each step; shifts are μ, lengths are t.
    losses, gradient_norms: (S + 1,), of the given model and after each step, with the declared l2.
    solves, iterations: linear solves, and iterations of conjugate gradients, that all steps took.
    """

    models: tuple[Model, ...]
    decrements: NDArray[np.float64]
    shifts: NDArray[np.float64]
    lengths: NDArray[np.float64]
    losses: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]
    solves: int
    iterations: int

    @property
    def model(self) -> Model:
        """Return the model after the last step."""
        return self.models[-1]

    @property
    def fell(self) -> NDArray[np.bool_]:
        """Say of each step whether it raised no loss, beyond rounding: (S,)."""
        room = EPSILON * np.abs(self.losses[:-1])
        return np.diff(self.losses) <= room


def polish(
    model: Model,
    dataset: Dataset,
    l2: float | None = None,
    steps: int = 1,
    tolerance: float = SOLVE_TOLERANCE,
    dtype: str = "float64",
    device: str = "auto",
    on_step: OnStep = ignore_step,
    weights: ArrayLike | None = None,
) -> Polished:
    """Make `steps` Newton steps on the training loss that a model is declared to be a minimum of.

    l2: of that loss, > 0; the model's own where not given. weights: (n,) of the samples in its
    mean, with mean 1, for linear models; 1 each where not given. tolerance: relative residual of
    each solve. A linear model takes one solve a step, a network one more for every shift that is
    tried. on_step(done, steps) is called after every step and may raise.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_pair(model, dataset)
    l2 = check_positive("l2", model.l2 if l2 is None else l2)
    steps = check_integer("steps", steps, 1)
    tolerance = check_positive("tolerance", tolerance)
    problem = build_problem(model, dataset, l2, "highest_first", dtype, device)
    if weights is not None:
        weights = check_sample_weights(weights, dataset.n_train)
        as_linear(model)
        assert isinstance(problem, LinearProblem)
        problem = problem.weighted(weights)
    theta, made, models = problem.encode(model), [], []
    for done in range(1, steps + 1):
        step = newton_step(problem, theta, l2, tolerance)
        theta = step.theta
        made.append(step)
        models.append(model.with_parameters(problem.decode(theta[0])))
        on_step(done, steps)
    loss, gradient = problem.training_loss(theta, l2)
    return Polished(
        models=tuple(models),
        decrements=np.array([float(step.decrement) for step in made]),
        shifts=np.array([float(step.shift) for step in made]),
        lengths=np.array([float(step.length) for step in made]),
        losses=np.array([float(value) for value in (*(step.loss for step in made), loss)]),
        gradient_norms=np.array(
            [*(float(step.gradient_norm) for step in made), float(gradient.norm())]
        ),
        solves=int(sum(step.solves for step in made)),
        iterations=int(sum(step.iterations for step in made)),
    )


@dataclass(frozen=True, eq=False)
class Claims:
    """What becomes of the first k samples of a model's ranking when the model is polished.

    claimed: (k,) their indices, first of all first. ranks: (steps + 1, k), theirs under the given
    model and after each step; the last of all where `has_ranking` (steps + 1,) is False, because
    H + λI of a network is not positive definite there. decrement: of the given model. polished: how
    it was polished.
    """

    claimed: NDArray[np.int64]
    ranks: NDArray[np.int64]
    has_ranking: NDArray[np.bool_]
    decrement: float
    polished: Polished

    @property
    def worst(self) -> int:
        """Return the worst rank of a claimed sample after one step: k where all of them stay."""
        return int(self.ranks[1].max())


def check_claims(
    model: Model,
    dataset: Dataset,
    l2: float | None = None,
    k: int = 1,
    steps: int = 1,
    damping: float = DAMPING,
    order: str = "highest_first",
    split: str = "test",
    device: str = "auto",
    weights: ArrayLike | None = None,
) -> Claims:
    """Polish a model, and see where the k samples go that it ranks first.

    Both detectors come from it: `worst`, and `decrement`. Costs `steps` solves for the polishing
    (more for networks) and one for each ranking, `steps` + 1.
    l2, steps, weights as in `polish`; damping, order, split as in `influence_scores`. Raises
    InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_pair(model, dataset)
    k = check_integer("k", k, 1, dataset.n_train)
    polished = polish(model, dataset, l2, steps, device=device, weights=weights)
    problem = build_problem(model, dataset, damping, order, "float64", device)
    models = (model, *polished.models)
    theta = torch.cat([problem.encode(one) for one in models])
    places, lowest = ranks_of(problem, theta, split)
    check_definite(float(lowest[0]))
    claimed = np.argsort(places[0], kind="stable")[:k]
    first = polished.decrements[0]
    return Claims(claimed, places[:, claimed], lowest > 0, float(first), polished)


def ranks_of(
    problem: InfluenceProblem, theta: Tensor, split: str = "test"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rank the samples under each model θ (B, P), solved tightly: (B, n); and `lowest` (B,) as in
    `Solution`. Where that is not positive there is no ranking: all samples rank last."""
    forward = problem.forward(theta, SOLVE_TOLERANCE, split=split)
    lowest = forward.solution.lowest.double().cpu().numpy()
    found = np.stack([ranks(scores) for scores in forward.scores.cpu().numpy()])
    found[lowest <= 0] = problem.n_train
    return found, lowest
