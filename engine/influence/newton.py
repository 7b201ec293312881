"""Newton steps on a training loss, and the way down to its minimum.

    L(θ) = mean training loss + l2/2·‖θ‖²,   A = H(θ) + l2·I,   u = A⁻¹ ∇L(θ),   θ ← θ − t u

The length t is halved until the loss falls (Armijo's rule). The Hessian of a network may have
directions of negative curvature: there A is shifted until a solve meets none. Where the problem
weighs its samples, L and H are those of the weighted mean.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.errors import NotConverged
from engine.influence.problem import InfluenceProblem
from engine.influence.scores import check_converged

SOLVE_TOLERANCE = 1e-6  # relative residual of a step's solve
GROWTH = 2.0  # of the shift μ between two tries
ENOUGH = 1e-4  # share of the promised fall of the loss that a step must bring
EPSILON = 1e-12  # share of the loss that is rounding
HALVINGS = 40  # of a step, at most: a trillionth of it is left
ROUNDS = 50  # Newton steps to a minimum, at most


@dataclass(frozen=True, eq=False)
class NewtonStep:
    """One Newton step of B models: `theta` (B, P) is where it ends, θ − length·u, u (B, P).

    All else is of where it began, (B,): loss, gradient_norm, decrement, the shift μ, 0 for every
    linear model, and the length in (0, 1]. solves: how many linear systems it took; iterations: of
    conjugate gradients, in all of them.
    """

    theta: Tensor
    u: Tensor
    loss: Tensor
    gradient_norm: Tensor
    decrement: Tensor
    shift: Tensor
    length: Tensor
    solves: Tensor
    iterations: Tensor


def newton_step(
    problem: InfluenceProblem, theta: Tensor, l2: float, tolerance: float = SOLVE_TOLERANCE
) -> NewtonStep:
    """Make one Newton step on the training loss with l2 from each model θ (B, P).

    The problem's own damping plays no part. Raises NotConverged.
    """
    loss, gradient = problem.training_loss(theta, l2)
    u, shift = torch.zeros_like(theta), torch.zeros_like(loss)
    solves, iterations = torch.zeros_like(loss), torch.zeros_like(loss)
    waiting, mu = torch.arange(len(theta), device=theta.device), 0.0
    while len(waiting):
        damped = problem.damped(l2 + mu)
        found = damped.inverse_product(theta[waiting], gradient[waiting], tolerance)
        u[waiting], shift[waiting] = found.x.flatten(1), mu
        solves[waiting] += 1
        iterations[waiting] += found.iterations
        bent = found.lowest <= 0
        straight = found.residual.masked_fill(bent, 0), found.lowest.masked_fill(bent, torch.inf)
        check_converged(replace(found, residual=straight[0], lowest=straight[1]), tolerance)
        waiting = waiting[bent]
        if not len(waiting):
            break
        mu = max(GROWTH * mu, mu - GROWTH * float(found.lowest[bent].min()), l2)
    squared = torch.linalg.vecdot(gradient, u).clamp(min=0)  # rounding alone makes it negative
    norm = torch.linalg.vector_norm(gradient, dim=1)
    length = step_length(problem, theta, u, loss, squared, l2)
    end = theta - length.unsqueeze(1) * u
    return NewtonStep(end, u, loss, norm, squared.sqrt(), shift, length, solves, iterations)


def step_length(
    problem: InfluenceProblem, theta: Tensor, u: Tensor, loss: Tensor, squared: Tensor, l2: float
) -> Tensor:
    """Halve the step u until the loss falls by a share of what its slope promises, (B,); squared:
    (B,) minus that slope, the decrement's square."""
    length = torch.ones_like(loss)
    room = EPSILON * loss.abs()  # at the minimum the loss falls by less than its rounding
    waiting = torch.arange(len(theta), device=theta.device)
    for _ in range(HALVINGS):
        tried = theta[waiting] - length[waiting].unsqueeze(1) * u[waiting]
        reached = problem.training_loss(tried, l2)[0]
        wanted = loss[waiting] - ENOUGH * length[waiting] * squared[waiting] + room[waiting]
        waiting = waiting[~(reached <= wanted)]  # NaN, of an overflow, is not enough either
        if not len(waiting):
            break
        length[waiting] /= 2
    return length


def minimum(
    problem: InfluenceProblem, theta: Tensor, l2: float, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Follow Newton steps from θ (B, P) to where the norm of the training loss's gradient is at
    most `tolerance`; return that θ and those norms (B,).

    Raises NotConverged where that takes more than `ROUNDS` steps.
    """
    for _ in range(ROUNDS):
        norms = torch.linalg.vector_norm(problem.training_loss(theta, l2)[1], dim=1)
        if bool((norms <= tolerance).all()):
            return theta, norms
        theta = newton_step(problem, theta, l2).theta
    raise NotConverged(
        f"Training stopped at a gradient of {float(norms.max()):.1e} after {ROUNDS} Newton steps, "
        f"not at {tolerance:.1e}. Ask for a larger l2, or for a larger tolerance."
    )
